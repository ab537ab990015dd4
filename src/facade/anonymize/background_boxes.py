"""Random boxes in the background of a photograph, where no face is."""

from collections.abc import Iterable

import numpy as np

from facade.anonymize.region import affected_box, widen_box
from facade.dataset import Photograph
from facade.dataset.records import Box

# Face boxes are widened by this percentage and kept free: hair and necks are not background.
FACE_MARGIN = 60
# Positions tried for each size; then once more at a size smaller by this factor.
TRIES = 60
SHRINK = 0.67


def sample_background_boxes(
    photograph: Photograph,
    sizes: Iterable[tuple[float, float]],
    random: np.random.Generator,
    widen: float = 0.0,
    feather: float = 0.0,
) -> list[Box | None]:
    """A random box of each size where a treatment touches no labelled face, no border, and no other box.

    Args:
        photograph: Its labels say where faces are, including the ignored ones.
        sizes: Width and height of each box, pixels.
        random: Draws the positions.
        widen: Percent by which the treatment is wider and higher than its box.
        feather: Width of its soft outer edge, in percent of the diagonal of the box.

    Returns:
        Boxes x y w h, whole pixels, in the order of the sizes; None where there is no room.
    """
    taken = [widen_box(face.bbox, FACE_MARGIN) for face in photograph.faces]
    boxes: list[Box | None] = []
    for size in sizes:
        tries = (_try(photograph, size, factor, taken, random, (widen, feather)) for factor in (1, SHRINK))
        box = next((candidate for candidate in tries if candidate), None)
        boxes.append(box)
        if box is not None:
            taken.append(affected_box(box, widen, feather))
    return boxes


def _try(
    photograph: Photograph,
    size: tuple[float, float],
    factor: float,
    taken: list[Box],
    random: np.random.Generator,
    spill: tuple[float, float],
) -> Box | None:
    w, h = (max(2, round(side * factor)) for side in size)
    if w > photograph.width or h > photograph.height:
        return None
    for _ in range(TRIES):
        x, y = int(random.integers(photograph.width - w + 1)), int(random.integers(photograph.height - h + 1))
        box = (float(x), float(y), float(w), float(h))
        left, top, wide, high = affected_box(box, *spill)
        within = left >= 0 and top >= 0 and left + wide <= photograph.width and top + high <= photograph.height
        if within and not any(
            left < a + c and a < left + wide and top < b + d and b < top + high for a, b, c, d in taken
        ):
            return box
    return None
