"""In which frames of a video people are exempt from treatment: around the boxes that users give."""

from collections.abc import Sequence

import numpy as np

from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.footage.job import Settings, exempt_mask
from facade.footage.tracks import Track

# Minimum IoU of a person's boxes in consecutive frames for an exemption to carry over.
STEADY_IOU = 0.5


def exempt_frames(tracks: Sequence[Track], settings: Settings, name: str, size: tuple[int, int]) -> list[np.ndarray]:
    """For each track, the frames in which the person is exempt, (N,) bool.

    An exemption carries over from the frame of its box to neighboring frames as long as the person is detected without
    a gap at nearly the same position. Then it stops: a track that lost a person may have continued with another.

    Args:
        tracks: All tracks of a video stream.
        settings: How it is anonymized.
        name: Of the stream in files of boxes.
        size: Width and height of the frames, pixels.
    """
    kept = [np.zeros(len(one.frames), bool) for one in tracks]
    if settings.exempt is None:
        return kept
    for file, frame in settings.exempt.boxes:
        rows = [(index, int(row)) for index, one in enumerate(tracks) for row in np.flatnonzero(one.frames == frame)]
        detected = [(index, row) for index, row in rows if not np.isnan(tracks[index].scores[row])]
        if file != name or not detected:
            continue
        boxes = np.array([tracks[index].boxes[row] for index, row in detected])
        for (index, row), exempt in zip(detected, exempt_mask(settings, name, frame, boxes, size), strict=True):
            if exempt:
                kept[index] |= _steady_frames(tracks[index], row, size)
    return kept


def _steady_frames(one: Track, row: int, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the frames around one in which the person is detected without a gap, and hardly moves in between."""
    steady = np.zeros(len(one.frames), bool)
    steady[row] = True
    for step in (-1, 1):
        now = row
        while 0 <= now + step < len(steady):
            near = match_pairs(
                clipped_xyxy([one.boxes[now]], *size), clipped_xyxy([one.boxes[now + step]], *size), STEADY_IOU
            )
            if np.isnan(one.scores[now + step]) or abs(one.frames[now + step] - one.frames[now]) > 1 or not near:
                break
            now += step
            steady[now] = True
    return steady


def without(one: Track, exempt: np.ndarray) -> Track | None:
    """A track without its exempt frames; None if no frame is left."""
    if exempt.all():
        return None
    return one.select(~exempt)
