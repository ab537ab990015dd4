"""Render heads to measure, by Facade or by another renderer, each on a square tile over a background."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from facade.heads import develop, expose, render_head, sample_expression, sample_identity, sample_light, sample_pose
from facade.heads.pose import Pose, View

# Height of a face, hairline to chin, as a fraction of its tile: leaves room for hair and neck.
FACE_FRACTION = 0.62
# Maps the sampled yaw of a head to the one that is rendered; degrees.
Turn = Callable[[float], float]


@dataclass(frozen=True)
class Tile:
    """A head over a background.

    Attributes:
        pixels: (size, size, 3) float32, BGR, 0 to 1.
        keypoints: (5, 2), x y in pixels: eyes, nose tip, corners of the mouth.
        visible: (5,) bool: landmarks that are not hidden.
        bbox: x, y, width, height of the face, in pixels.
    """

    pixels: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    bbox: tuple[float, float, float, float]


class Renderer(Protocol):
    """Renders a random head in the middle of a background."""

    def __call__(self, random: np.random.Generator, back: np.ndarray, turn: Turn, rays: int) -> Tile:
        """Render a head.

        Args:
            random: Draws identity, expression, pose and light.
            back: (size, size, 3) float32, BGR, 0 to 1.
            turn: Maps the sampled yaw.
            rays: Rays along each side of a pixel.
        """
        ...


def facade_tile(random: np.random.Generator, back: np.ndarray, turn: Turn, rays: int) -> Tile:
    """Facade's own procedural head; see `Renderer`."""
    size = len(back)
    identity, expression, pose = sample_identity(random), sample_expression(random), sample_pose(random)
    light = expose(sample_light(random), identity, random)
    pose = Pose(turn(pose.yaw), pose.pitch, pose.roll)
    view = View.of_face(pose, face_height=FACE_FRACTION * size, x=size / 2, y=size / 2)
    head = render_head(identity, expression, view, light, (size, size), rays=rays)
    alpha = head.alpha[..., None]
    pixels = np.clip(develop(head.linear) * alpha + back * (1 - alpha), 0, 1).astype(np.float32)
    return Tile(pixels, head.keypoints, head.visible, head.bbox)


def backdrop(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A neutral background: smooth noise at five scales in muted colors.

    Returns:
        (height, width, 3) float32, BGR, 0 to 1.
    """
    noise = np.zeros((height, width, 3))
    for cells in (2, 4, 8, 16, 32):
        octave = random.random((cells, cells, 3))
        noise += cv2.resize(octave, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.6
    noise = (noise - noise.min()) / np.ptp(noise)
    tinted = np.clip(0.6 * noise + 0.4 * random.uniform(0.2, 0.8, 3), 0, 1)
    gray = tinted.mean(2, keepdims=True)
    return np.clip(gray + (tinted - gray) * random.uniform(0.2, 1), 0, 1).astype(np.float32)
