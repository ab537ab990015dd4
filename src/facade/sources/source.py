"""The interface of a source of synthetic faces: what it is given and what it returns."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from facade.heads.light import Light
from facade.heads.pose import View


@dataclass(frozen=True)
class FaceRequest:
    """A crop of a photograph into which a synthetic face is to be rendered.

    Of the person, a source sees only what is left around the erased area: edges of cheeks, jaw and forehead, but no
    brow, eye, nose or mouth.

    Attributes:
        random: Draws the synthetic identity. It is seeded by the key, the photograph and the face's number alone.
        pixels: (h, w, 3) float32, BGR, 0 to 1: the crop, with erased areas filled from their surroundings.
        mask: (h, w) float32, 0 to 1: the erased area, which the synthetic face must cover.
        view: Pose of the person's head and its position in `pixels`.
        keypoints: (5, 2) float32, x y in pixels: target positions of eyes, nose tip and corners of the mouth.
        bbox: x, y, width, height of the face, in pixels.
        light: The light on the person.
        tone: Median color of the person's skin, linear RGB, or None to show the pseudonym's own.
    """

    random: np.random.Generator
    pixels: np.ndarray
    mask: np.ndarray
    view: View
    keypoints: np.ndarray
    bbox: tuple[float, float, float, float]
    light: Light
    tone: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Layer:
    """A synthetic face, rendered for its crop.

    Attributes:
        pixels: (h, w, 3) float32, BGR, 0 to 1, gamma-encoded; as large as the request's.
        alpha: (h, w) float32, 0 to 1: opacity of the synthetic face; its edge is hard or soft.
        skin: (h, w) bool: bare, evenly lit skin (cheeks, chin), where tones can be compared. May be empty.
    """

    pixels: np.ndarray
    alpha: np.ndarray
    skin: np.ndarray


class FaceSource(Protocol):
    """A source of synthetic faces."""

    def render(self, requests: Iterable[FaceRequest]) -> Iterator[Layer]:
        """A face for each request, in order; each depends on its own request alone."""
        ...
