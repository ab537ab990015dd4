"""Drawn photographs with a large face, as input of attacks."""

import numpy as np

from facade.dataset import Face
from facade.demo.photograph import draw_scene
from facade.seeds import generator


def portrait(size: int = 320, height: float = 90) -> tuple[np.ndarray, Face]:
    """A photograph, (H, W, 3) uint8, BGR, and a face in it that is higher than `height` pixels."""
    for number in range(100):
        scene = draw_scene(generator("portrait", number), size, with_people=True)
        face = max(scene.faces, key=lambda one: one.bbox[3], default=None)
        if face is not None and face.bbox[3] > height and not face.attributes.get("occlusion"):
            return scene.pixels, face
    raise AssertionError("no large face was drawn")
