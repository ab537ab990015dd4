"""The box of an annotation that has an outline, a mask or an angle."""

import math
from typing import Any

import numpy as np

from facade.dataset.records import Box

# Larger masks are no photographs.
MAX_MASK_SIDE = 65_500


def box_of_points(points: Any) -> Box | None:
    """The box of points, (N, 2) x y; None if there is no point, or a coordinate is not finite."""
    array = np.asarray(points, float).reshape(-1, 2)
    if not len(array) or not np.isfinite(array).all():
        return None
    (left, top), (right, bottom) = array.min(0), array.max(0)
    return float(left), float(top), float(right - left), float(bottom - top)


def box_of_segmentation(segmentation: Any) -> Box | None:
    """The box of a COCO segmentation: polygons, or a run-length encoded mask. None if it is empty.

    Raises:
        ValueError: It is malformed. (Also TypeError, KeyError, and OverflowError.)
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        height, width = (int(value) for value in segmentation["size"])
        counts = segmentation["counts"]
        runs = _unpacked_runs(counts) if isinstance(counts, str) else [int(value) for value in counts]
        return _box_of_runs(runs, height, width)
    flat = [float(value) for polygon in segmentation for value in polygon]
    if any(len(polygon) % 2 for polygon in segmentation):
        raise ValueError("a polygon has an odd number of coordinates")
    return box_of_points(flat)


def rotated_box(box: Box, degrees: float) -> Box:
    """The upright box around a box that is rotated about its center, clockwise by an angle in degrees."""
    x, y, width, height = box
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    wide, high = width * cosine + height * sine, width * sine + height * cosine
    return x + (width - wide) / 2, y + (height - high) / 2, wide, high


def _box_of_runs(runs: list[int], height: int, width: int) -> Box | None:
    """The box of a mask: run lengths of background and mask by turns, down the columns from the left."""
    if not (0 < height <= MAX_MASK_SIDE and 0 < width <= MAX_MASK_SIDE):
        raise ValueError(f"a mask of {width}x{height} pixels")
    ends = np.cumsum(np.array(runs, dtype=np.int64))
    if min(runs, default=0) < 0 or (len(ends) and ends[-1] > height * width):
        raise ValueError("the runs of a mask exceed its size")
    starts, stops = ends[: len(ends) // 2 * 2].reshape(-1, 2).T
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts):
        return None
    first, last = starts // height, (stops - 1) // height
    whole = bool((last > first).any())  # a run that goes on in the next column touches top and bottom
    top = 0 if whole else int((starts % height).min())
    bottom = height if whole else int(((stops - 1) % height).max()) + 1
    left, right = int(first.min()), int(last.max()) + 1
    return float(left), float(top), float(right - left), float(bottom - top)


def _unpacked_runs(text: str) -> list[int]:
    """Run lengths as COCO packs them: five bits a character; from the fourth run on, differences to the last but one.

    Source: maskApi.c of the COCO API, rleFrString.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("a packed mask is damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs
