"""People in a video: detections joined to tracks without a gap, because one missed frame reveals a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facade.dataset.iou import pairs

# Overlap (IoU) from which a detection goes on with a track: ByteTrack's own, low because faces are small and move.
SAME = 0.1
# Where a face was not seen it may lie a little beside: percent by which its box is wider and higher there.
UNSURE = 20.0
# Frames that a track reaches beyond its first and its last detection: a face is found late when it turns round.
HELD = 3


@dataclass(frozen=True)
class Track:
    """One person, from frame to frame.

    Attributes:
        frames: (N,) int, numbers of frames, rising.
        boxes: (N, 4) float, x y w h in pixels.
        scores: (N,) float, of the detections; nan where the box was put in between.
    """

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @property
    def bridged(self) -> int:
        """Frames in which the person was not detected."""
        return int(np.isnan(self.scores).sum())


def track(found: Sequence[np.ndarray], sure: float, bridge: int) -> list[Track]:
    """Join detections to tracks (Zhang et al., ByteTrack, arXiv 2110.06864), each without a gap.

    Args:
        found: By frame, (n, 5) float: x y w h in pixels, score. Detections less sure than `sure` go on with a track
            that is there, and begin none.
        sure: Score from which a detection is a face by itself.
        bridge: A person who was not seen for fewer frames than this is taken to be there all the while. 0: no tracks,
            each detection from `sure` on is a person of its own.

    Returns:
        Tracks by their first frame. They cover every detection from `sure` on.
    """
    if not bridge:
        return [_begun(number, one) for number, here in enumerate(found) for one in here if one[4] >= sure]
    tracks = _with_beginnings(_joined(found, sure, bridge), bridge)
    return [_without_gaps(one, bridge, len(found)) for one in tracks]


def _joined(found: Sequence[np.ndarray], sure: float, bridge: int) -> list[Track]:
    import supervision
    from trackers import ByteTrackTracker

    # Lengths are in frames of this video, whatever its rate: 30 is the one at which the tracker counts them so.
    tracker = ByteTrackTracker(
        lost_track_buffer=bridge, frame_rate=30, track_activation_threshold=sure, high_conf_det_threshold=sure,
        minimum_consecutive_frames=1, minimum_iou_threshold=SAME,
    )  # fmt: skip
    grown: dict[int, list[tuple[int, np.ndarray]]] = {}
    alone: list[Track] = []
    for number, here in enumerate(found):
        corners = np.concatenate([here[:, :2], here[:, :2] + here[:, 2:4]], axis=1)
        given = supervision.Detections(xyxy=corners, confidence=here[:, 4], data={"row": np.arange(len(here))})
        told = tracker.update(given)
        people = np.array([], int) if told.tracker_id is None else told.tracker_id
        for row, who in zip(told.data.get("row", ()), people, strict=True):
            if who >= 0:
                grown.setdefault(int(who), []).append((number, here[row]))
            elif here[row, 4] >= sure:
                alone.append(_begun(number, here[row]))
    return [_of(rows) for rows in grown.values()] + alone


def _with_beginnings(tracks: list[Track], bridge: int) -> list[Track]:
    """Tracks in the order of their first frames; what is found alone shortly before one begins belongs to it.

    The tracker names a person with the second detection: the first stands alone until here.
    """
    tracks = sorted(tracks, key=lambda one: (one.frames[0], -len(one.frames)))
    ended: list[Track] = []
    for one in tracks:
        near = [
            place
            for place, other in enumerate(ended)
            if 0 < one.frames[0] - other.frames[-1] <= bridge and pairs(_corners(other, -1), _corners(one, 0), SAME)
        ]
        if near:
            before = ended.pop(max(near, key=lambda place: ended[place].frames[-1]))
            ended.append(Track(*(np.concatenate(both) for both in zip(_parts(before), _parts(one), strict=True))))
        else:
            ended.append(one)
    return sorted(ended, key=lambda one: (one.frames[0], *one.boxes[0]))


def _without_gaps(one: Track, bridge: int, count: int) -> Track:
    """The same track with a box in every frame of its short gaps, and a little beyond its ends."""
    held = min(HELD, bridge)
    first, last = max(one.frames[0] - held, 0), min(one.frames[-1] + held, count - 1)
    every = np.arange(first, last + 1)
    after = np.searchsorted(one.frames, every)
    inside = (after > 0) & (after < len(one.frames))
    gaps = np.diff(one.frames, prepend=one.frames[0])
    # A long gap is none that the person is known to have spent in the picture.
    kept = ~inside | (gaps[after.clip(0, len(gaps) - 1)] <= bridge) | np.isin(every, one.frames)
    frames = every[kept]
    seen = np.isin(frames, one.frames)
    boxes = np.stack([np.interp(frames, one.frames, side) for side in one.boxes.T], axis=1)
    scores = np.full(len(frames), np.nan)
    scores[seen] = one.scores
    more = boxes[:, 2:] * np.where(seen, 0, UNSURE / 100)[:, None]
    boxes = np.concatenate([boxes[:, :2] - more / 2, boxes[:, 2:] + more], axis=1)
    return replace(one, frames=frames, boxes=boxes, scores=scores)


def _begun(number: int, one: np.ndarray) -> Track:
    return _of([(number, one)])


def _of(rows: list[tuple[int, np.ndarray]]) -> Track:
    values = np.stack([row for _, row in rows])
    return Track(np.array([number for number, _ in rows]), values[:, :4], values[:, 4])


def _parts(one: Track) -> tuple[np.ndarray, ...]:
    return one.frames, one.boxes, one.scores


def _corners(one: Track, place: int) -> np.ndarray:
    x, y, w, h = one.boxes[place]
    return np.array([[x, y, x + w, y + h]])
