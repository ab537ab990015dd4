"""Intersection over union (IoU) of boxes, and one-to-one matching by IoU."""

from collections.abc import Sequence

import numpy as np

from facade.dataset.records import Box


def clipped_xyxy(boxes: Sequence[Box], width: int, height: int) -> np.ndarray:
    """Boxes in corner format, clipped to the photograph as labelled boxes are.

    Args:
        boxes: N boxes, x y w h in pixels.
        width: Of the photograph, pixels.
        height: Of the photograph, pixels.

    Returns:
        (N, 4) float: left, top, right, bottom.
    """
    x, y, w, h = np.array(boxes, float).reshape(-1, 4).T
    return np.stack([x, y, x + w, y + h], axis=1).clip(0, (width, height, width, height))


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes, (N,) from (N, 4) xyxy."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(-1))


def intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairwise intersection areas, (N, M) from (N, 4) and (M, 4) xyxy."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.asarray((high - low).clip(0).prod(-1))


def iou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairwise IoU, (N, M) from (N, 4) and (M, 4) xyxy. Empty boxes have IoU 0."""
    both = intersections(first, second)
    return np.asarray(both / np.maximum(areas(first)[:, None] + areas(second)[None] - both, 1e-9))


def match_pairs(first: np.ndarray, second: np.ndarray, min_iou: float) -> list[tuple[int, int]]:
    """Match boxes one to one, greedily by descending IoU.

    Args:
        first: (N, 4) float, xyxy.
        second: (M, 4) float, xyxy.
        min_iou: Minimum IoU of a pair.

    Returns:
        Pairs of indices into `first` and `second`.
    """
    iou = iou_matrix(first, second)
    matches = []
    while iou.size and iou.max() >= min_iou:
        row, column = map(int, np.unravel_index(int(iou.argmax()), iou.shape))
        iou[row, :] = iou[:, column] = -1
        matches.append((row, column))
    return matches
