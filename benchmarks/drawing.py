"""Heads to measure: Facade's, or those of another renderer, each on a square tile over a background."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from facade.heads import develop, draw_expression, draw_head, draw_identity, draw_light, draw_pose, exposed
from facade.heads.pose import Pose, View

# A face's height, hairline to chin, as a share of its tile: leaves room for hair and neck.
FACE_SHARE = 0.62
# What a head's yaw, drawn at random, becomes; degrees.
Turn = Callable[[float], float]


@dataclass(frozen=True)
class Tile:
    """A head over a background.

    Attributes:
        pixels: (size, size, 3) float32, BGR, 0 to 1.
        keypoints: (5, 2), x y in pixels: eyes, nose tip, corners of the mouth.
        visible: (5,) bool: landmarks that nothing hides.
        bbox: x, y, width, height of the face, in pixels.
    """

    pixels: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    bbox: tuple[float, float, float, float]


class Renderer(Protocol):
    """Draws somebody at random in the middle of a background."""

    def __call__(self, random: np.random.Generator, back: np.ndarray, turn: Turn, rays: int) -> Tile:
        """Draw.

        Args:
            random: Decides who, doing what, held how, in what light.
            back: (size, size, 3) float32, BGR, 0 to 1.
            turn: Changes the yaw that was drawn.
            rays: Along each side of a pixel.
        """
        ...


def facade_tile(random: np.random.Generator, back: np.ndarray, turn: Turn, rays: int) -> Tile:
    """Facade's own procedural head; see `Renderer`."""
    size = len(back)
    who, look, pose = draw_identity(random), draw_expression(random), draw_pose(random)
    light = exposed(draw_light(random), who, random)
    pose = Pose(turn(pose.yaw), pose.pitch, pose.roll)
    view = View.of_face(pose, face_height=FACE_SHARE * size, x=size / 2, y=size / 2)
    head = draw_head(who, look, view, light, (size, size), rays=rays)
    alpha = head.alpha[..., None]
    pixels = np.clip(develop(head.linear) * alpha + back * (1 - alpha), 0, 1).astype(np.float32)
    return Tile(pixels, head.keypoints, head.visible, head.bbox)


def backdrop(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A background of nothing in particular: smooth noise of five sizes in muted colours.

    Returns:
        (height, width, 3) float32, BGR, 0 to 1.
    """
    noise = np.zeros((height, width, 3))
    for cells in (2, 4, 8, 16, 32):
        octave = random.random((cells, cells, 3))
        noise += cv2.resize(octave, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.6
    noise = (noise - noise.min()) / np.ptp(noise)
    tinted = np.clip(0.6 * noise + 0.4 * random.uniform(0.2, 0.8, 3), 0, 1)
    grey = tinted.mean(2, keepdims=True)
    return np.clip(grey + (tinted - grey) * random.uniform(0.2, 1), 0, 1).astype(np.float32)
