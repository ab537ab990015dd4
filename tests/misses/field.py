"""A field pool, and fake detectors that miss the faces that a test chooses."""

from dataclasses import dataclass

import numpy as np

from facade.dataset.duplicates import perceptual_hash
from facade.dataset.records import Face
from facade.demo.photograph import draw_scene
from facade.misses.harvest import GoldenHashes
from facade.misses.runs import CalibratedRuns
from facade.seeds import generator


def scenes(count: int, size: int = 160) -> list[tuple[np.ndarray, tuple[Face, ...]]]:
    """Drawn photographs with a face of twenty pixels or more."""
    found = []
    for number in range(100):
        scene = draw_scene(generator("field", number), size, with_people=True)
        if any(face.bbox[3] >= 20 and not face.ignore for face in scene.faces):
            found.append((scene.pixels, scene.faces))
        if len(found) == count:
            return found
    raise AssertionError("too few photographs with a face")


def wider_lines(faces: tuple[Face, ...]) -> list[str]:
    order = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
    return [
        " ".join([*(f"{round(value)}" for value in face.bbox), *(str(face.attributes.get(name, 0)) for name in order)])
        for face in faces
    ]


@dataclass(frozen=True)
class FakeDetector:
    """Detects a single box, or nothing."""

    box: tuple[float, ...] | None = None
    score: float = 0.9

    preload = ()

    def faces(self, name: str, first: int, images: list[np.ndarray]) -> list[np.ndarray]:
        del name, first
        rows = [] if self.box is None else [[*self.box, self.score]]
        return [np.array(rows, float).reshape(-1, 5) for _ in images]


def runs(*detectors: FakeDetector, arm: str = "pseudo") -> CalibratedRuns:
    return CalibratedRuns(arm, "0" * 16, tuple(range(len(detectors))), detectors, (0.5,) * len(detectors))


def golden(*pictures: np.ndarray) -> GoldenHashes:
    return GoldenHashes(tuple(map(perceptual_hash, pictures)), 4)
