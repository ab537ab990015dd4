"""What every source of synthetic faces is asked for, and what it gives."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from facade.heads.light import Light
from facade.heads.pose import View


@dataclass(frozen=True)
class Setting:
    """A place in a photograph that waits for a synthetic face.

    Of the person a source sees what the gap leaves, edges of cheeks, jaw and forehead: no brow, eye, nose or mouth.

    Attributes:
        who: Decides who comes. It depends on the key, the photograph and the number of the face, on nothing else.
        pixels: (h, w, 3) float32, BGR, 0 to 1: the place and its surroundings, gaps filled from what lies round them.
        gap: (h, w) float32, 0 to 1: where a face was erased, and the synthetic one must cover.
        view: How the person holds the head, and where it lies in `pixels`.
        keypoints: (5, 2) float32, x y in pixels: where eyes, nose tip and corners of the mouth should come to lie.
        bbox: x, y, width, height of the face, in pixels.
        light: What falls on the person.
        tone: Median colour of the person's skin, linear RGB, or None: then the pseudonym's own is shown.
    """

    who: np.random.Generator
    pixels: np.ndarray
    gap: np.ndarray
    view: View
    keypoints: np.ndarray
    bbox: tuple[float, float, float, float]
    light: Light
    tone: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Layer:
    """A synthetic face, laid out for its place.

    Attributes:
        pixels: (h, w, 3) float32, BGR, 0 to 1, as a screen shows it; as large as the setting's.
        alpha: (h, w) float32, 0 to 1: how much of each pixel the synthetic face covers; its edge is hard or soft.
        skin: (h, w) bool: bare, evenly lit skin (cheeks, chin), where tones may be compared. May be empty.
    """

    pixels: np.ndarray
    alpha: np.ndarray
    skin: np.ndarray


class FaceSource(Protocol):
    """Gives synthetic faces."""

    def layers(self, settings: Iterable[Setting]) -> Iterator[Layer]:
        """A face for each setting, in their order, each depending on its own setting alone."""
        ...
