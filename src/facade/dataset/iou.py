"""Boxes of one photograph against each other: how far they overlap, and which are the same face."""

from collections.abc import Sequence

import numpy as np

from facade.dataset.records import Box


def corners(boxes: Sequence[Box], width: int, height: int) -> np.ndarray:
    """(N, 4) left, top, right, bottom of what lies in a photograph, as labelled boxes are clipped, too."""
    x, y, w, h = np.array(boxes, float).reshape(-1, 4).T
    return np.stack([x, y, x + w, y + h], axis=1).clip(0, (width, height, width, height))


def areas(ours: np.ndarray) -> np.ndarray:
    """(N,) area of boxes, from `corners`."""
    return np.asarray((ours[:, 2:] - ours[:, :2]).prod(-1))


def shared(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(N, M) area that two boxes share, from `corners`."""
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    return np.asarray((high - low).clip(0).prod(-1))


def pairs(ours: np.ndarray, theirs: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Boxes that are the same face: the best overlap first, each in one pair at most.

    Args:
        ours: (N, 4), from `corners`.
        theirs: (M, 4), from `corners`.
        least: Overlap (intersection over union) from which two boxes are a pair.

    Returns:
        Numbers of both.
    """
    both = shared(ours, theirs)
    overlaps = both / np.maximum(areas(ours)[:, None] + areas(theirs)[None] - both, 1e-9)
    found = []
    while overlaps.size and overlaps.max() >= least:
        one, other = map(int, np.unravel_index(int(overlaps.argmax()), overlaps.shape))
        overlaps[one, :] = overlaps[:, other] = -1
        found.append((one, other))
    return found
