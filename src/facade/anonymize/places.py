"""Places of a photograph where no face is."""

from collections.abc import Iterable

import numpy as np

from facade.anonymize.region import widened
from facade.dataset import Photograph
from facade.dataset.records import Box

# Faces are kept away from by this percentage of their boxes: hair and necks are no background.
AWAY = 60
# So many places are tried before there is none; a size is a third smaller then, once.
TRIES = 60
SMALLER = 0.67


def free_places(
    photograph: Photograph, sizes: Iterable[tuple[float, float]], random: np.random.Generator
) -> list[Box | None]:
    """A place for each size that touches no labelled face, no border, and no other place.

    Args:
        photograph: Its labels say where faces are, the ignored ones too.
        sizes: Width and height of each place, pixels.
        random: Decides which.

    Returns:
        Boxes x y w h, whole pixels, in the order of the sizes; None where no place was found.
    """
    taken = [widened(face.bbox, AWAY) for face in photograph.faces]
    places: list[Box | None] = []
    for size in sizes:
        place = next(
            (found for factor in (1, SMALLER) if (found := _try(photograph, size, factor, taken, random))), None
        )
        places.append(place)
        if place is not None:
            taken.append(place)
    return places


def _try(
    photograph: Photograph, size: tuple[float, float], factor: float, taken: list[Box], random: np.random.Generator
) -> Box | None:
    w, h = (max(2, round(side * factor)) for side in size)
    if w > photograph.width or h > photograph.height:
        return None
    for _ in range(TRIES):
        x, y = int(random.integers(photograph.width - w + 1)), int(random.integers(photograph.height - h + 1))
        if not any(x < a + c and a < x + w and y < b + d and b < y + h for a, b, c, d in taken):
            return (float(x), float(y), float(w), float(h))
    return None
