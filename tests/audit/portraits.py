"""Drawn photographs with a large face, as input of attacks."""

from functools import cache

import numpy as np

from facade.dataset import Face
from facade.demo.photograph import Scene, draw_scene
from facade.seeds import generator


@cache
def scene(size: int, number: int) -> Scene:
    """Rendering takes half a second, and several tests look at the same photographs."""
    return draw_scene(generator("portrait", number), size, with_people=True)


def portrait(size: int = 320, height: float = 90) -> tuple[np.ndarray, Face]:
    """A photograph, (H, W, 3) uint8, BGR, and a face in it that is higher than `height` pixels."""
    for number in range(100):
        drawn = scene(size, number)
        face = max(drawn.faces, key=lambda one: one.bbox[3], default=None)
        if face is not None and face.bbox[3] > height and not face.attributes.get("occlusion"):
            return drawn.pixels.copy(), face
    raise AssertionError("no large face was drawn")
