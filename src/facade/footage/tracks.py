"""Track people in a video: tracks without gaps, because one missed frame reveals a face."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.dataset.iou import iou_matrix, match_pairs

# Minimum IoU for a detection to continue a track: ByteTrack's default, low because faces are small and move.
MATCH_IOU = 0.1
# Minimum IoU of a low-confidence detection with the box before it in the track, over the number of frames between them.
# A face moves little from frame to frame; background that looks like one scatters (docs/footage.md).
LOW_CONFIDENCE_IOU = 0.5
# Percent by which an uncertain box, interpolated or of low confidence, is wider and higher: the face may be a bit off.
UNCERTAIN_MARGIN = 20.0
# Maximum number of frames by which a track extends beyond its first and last detection, because a turning face is
# detected late. A track of fewer confident detections extends by as many frames as it has: false positives flicker.
EXTENSION = 3


@dataclass(frozen=True)
class Track:
    """One person over several frames.

    Attributes:
        frames: (N,) int, indices of the frames, ascending.
        boxes: (N, 4) float, x y w h in pixels.
        margins: (N,) float, percent by which the box is wider and higher than what was detected or interpolated.
        scores: (N,) float, of the detections; NaN where the box is interpolated.
        columns: (N, K) float, what is known of the face besides (`facade.footage.face_columns`); NaN where unknown, as
            in interpolated frames. K may be 0.
    """

    frames: np.ndarray
    boxes: np.ndarray
    margins: np.ndarray
    scores: np.ndarray
    columns: np.ndarray

    def select(self, kept: np.ndarray) -> "Track":
        """The frames of a mask, (N,) bool."""
        return Track(*(values[kept] for values in _fields(self)))


def track(detections: Sequence[np.ndarray], min_score: float, max_gap: int) -> list[Track]:
    """Link detections to tracks (Zhang et al., ByteTrack, arXiv 2110.06864), and interpolate their gaps.

    Args:
        detections: For each frame (n, 5 + K) float: x y w h in pixels, score, and K values that are carried along.
            Detections below `min_score` may continue a track near its last box (`LOW_CONFIDENCE_IOU`), but start none.
        min_score: Score threshold of a face.
        max_gap: Gaps of fewer frames than this are interpolated. 0: no tracking, each detection from `min_score` on is
            a person of its own.

    Returns:
        Tracks in the order of their first frames. They cover every detection from `min_score` on.
    """
    if not max_gap:
        return [_single(frame, row) for frame, rows in enumerate(detections) for row in rows if row[4] >= min_score]
    tracks = _merge_starts(_link(detections, min_score, max_gap), max_gap)
    return [
        _interpolate(supported, min_score, max_gap, len(detections))
        for one in tracks
        if len((supported := _without_strays(one, min_score)).frames)
    ]


def _link(detections: Sequence[np.ndarray], min_score: float, max_gap: int) -> list[Track]:
    import supervision
    from trackers import ByteTrackTracker

    # The tracker scales its buffer by frame_rate / 30. With 30, the buffer is in frames, whatever the video's rate.
    tracker = ByteTrackTracker(
        lost_track_buffer=max_gap, frame_rate=30, track_activation_threshold=min_score,
        high_conf_det_threshold=min_score, minimum_consecutive_frames=1, minimum_iou_threshold=MATCH_IOU,
    )  # fmt: skip
    linked: dict[int, list[tuple[int, np.ndarray]]] = {}
    singles: list[Track] = []
    # The tracker names a track at its second detection. Until then, its first one waits here.
    waiting: list[tuple[Any, tuple[int, np.ndarray]]] = []
    for frame, rows in enumerate(detections):
        xyxy = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        given = supervision.Detections(xyxy=xyxy, confidence=rows[:, 4], data={"row": np.arange(len(rows))})
        tracked = tracker.update(given)
        track_ids = np.array([], int) if tracked.tracker_id is None else tracked.tracker_id
        started = []
        for row, track_id in zip(tracked.data.get("row", ()), track_ids, strict=True):
            if track_id >= 0:
                linked.setdefault(int(track_id), []).append((frame, rows[row]))
            elif rows[row, 4] >= min_score:
                started.append((frame, rows[row]))
        alive = {id(one) for one in tracker.tracks}
        still_waiting = []
        for tracklet, first in waiting:
            if tracklet.tracker_id >= 0:
                linked[tracklet.tracker_id].insert(0, first)
            elif id(tracklet) in alive:
                still_waiting.append((tracklet, first))
            else:
                singles.append(_from_rows([first]))
        # New tracks are the last of the tracker's, in the order of their detections.
        new = tracker.tracks[len(tracker.tracks) - len(started) :]
        waiting = [*still_waiting, *zip(new, started, strict=True)]
    singles += [_from_rows([first]) for _, first in waiting]
    return [_from_rows(rows) for rows in linked.values()] + singles


def _merge_starts(tracks: list[Track], max_gap: int) -> list[Track]:
    """Merge tracks with those that ended at the same position shortly before; sort by first frame.

    The tracker gives a track up that is not detected again in the two frames after its first detection.
    """
    tracks = sorted(tracks, key=lambda one: (one.frames[0], -len(one.frames)))
    ended: list[Track] = []
    for one in tracks:
        near = [
            index
            for index, other in enumerate(ended)
            if 0 < one.frames[0] - other.frames[-1] <= max_gap
            and match_pairs(_box_at(other, -1), _box_at(one, 0), MATCH_IOU)
        ]
        if near:
            before = ended.pop(max(near, key=lambda index: ended[index].frames[-1]))
            ended.append(Track(*(np.concatenate(both) for both in zip(_fields(before), _fields(one), strict=True))))
        else:
            ended.append(one)
    return sorted(ended, key=lambda one: (one.frames[0], *one.boxes[0]))


def _without_strays(one: Track, min_score: float) -> Track:
    """A track without low-confidence detections that do not lie on the box before; empty if it has no others."""
    kept = one.scores >= min_score
    last = None
    for row in range(len(kept)):
        if not kept[row] and last is not None:
            min_iou = LOW_CONFIDENCE_IOU / (one.frames[row] - one.frames[last])
            kept[row] = iou_matrix(_box_at(one, last), _box_at(one, row))[0, 0] >= min_iou
        if kept[row]:
            last = row
    return one.select(kept)


def _interpolate(one: Track, min_score: float, max_gap: int, frame_count: int) -> Track:
    """The same track with boxes in its short gaps, extended at both ends, and with margins around uncertain boxes."""
    extension = min(EXTENSION, int((one.scores >= min_score).sum()), max_gap)
    first, last = max(one.frames[0] - extension, 0), min(one.frames[-1] + extension, frame_count - 1)
    every = np.arange(first, last + 1)
    after = np.searchsorted(one.frames, every)
    inside = (after > 0) & (after < len(one.frames))
    gaps = np.diff(one.frames, prepend=one.frames[0])
    # Long gaps stay: the person may have left the frame.
    kept = ~inside | (gaps[after.clip(0, len(gaps) - 1)] <= max_gap) | np.isin(every, one.frames)
    frames = every[kept]
    detected = np.isin(frames, one.frames)
    boxes = np.stack([np.interp(frames, one.frames, side) for side in one.boxes.T], axis=1)
    scores, columns = np.full(len(frames), np.nan), np.full((len(frames), one.columns.shape[1]), np.nan)
    scores[detected], columns[detected] = one.scores, one.columns
    margins = np.where(np.nan_to_num(scores) >= min_score, 0, UNCERTAIN_MARGIN)
    extra = boxes[:, 2:] * margins[:, None] / 100
    boxes = np.concatenate([boxes[:, :2] - extra / 2, boxes[:, 2:] + extra], axis=1)
    return Track(frames, boxes, margins, scores, columns)


def _single(frame: int, row: np.ndarray) -> Track:
    return _from_rows([(frame, row)])


def _from_rows(rows: list[tuple[int, np.ndarray]]) -> Track:
    values = np.stack([row for _, row in rows])
    frames = np.array([frame for frame, _ in rows])
    return Track(frames, values[:, :4], np.zeros(len(rows)), values[:, 4], values[:, 5:])


def _fields(one: Track) -> tuple[np.ndarray, ...]:
    return one.frames, one.boxes, one.margins, one.scores, one.columns


def _box_at(one: Track, index: int) -> np.ndarray:
    """(1, 4) x1 y1 x2 y2."""
    x, y, w, h = one.boxes[index]
    return np.array([[x, y, x + w, y + h]])
