"""Places of a photograph where no face is."""

from collections.abc import Iterable

import numpy as np

from facade.anonymize.region import reached, widened
from facade.dataset import Photograph
from facade.dataset.records import Box

# Faces are kept away from by this percentage of their boxes: hair and necks are no background.
AWAY = 60
# So many places are tried before there is none; a size is a third smaller then, once.
TRIES = 60
SMALLER = 0.67


def free_places(
    photograph: Photograph,
    sizes: Iterable[tuple[float, float]],
    random: np.random.Generator,
    widen: float = 0.0,
    feather: float = 0.0,
) -> list[Box | None]:
    """A place for each size where a treatment touches no labelled face, no border, and no other place.

    Args:
        photograph: Its labels say where faces are, the ignored ones too.
        sizes: Width and height of each place, pixels.
        random: Decides which.
        widen: Percent by which the treatment is wider and higher than its place.
        feather: Width of its soft edge outside, in percent of the diagonal of the place.

    Returns:
        Boxes x y w h, whole pixels, in the order of the sizes; None where no place was found.
    """
    taken = [widened(face.bbox, AWAY) for face in photograph.faces]
    places: list[Box | None] = []
    for size in sizes:
        tries = (_try(photograph, size, factor, taken, random, (widen, feather)) for factor in (1, SMALLER))
        place = next((found for found in tries if found), None)
        places.append(place)
        if place is not None:
            taken.append(reached(place, widen, feather))
    return places


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
        place = (float(x), float(y), float(w), float(h))
        left, top, wide, high = reached(place, *spill)
        within = left >= 0 and top >= 0 and left + wide <= photograph.width and top + high <= photograph.height
        if within and not any(
            left < a + c and a < left + wide and top < b + d and b < top + high for a, b, c, d in taken
        ):
            return place
    return None
