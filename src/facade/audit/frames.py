"""Face patches for linkage attacks: aligned, cut out, and as another frame of the same scene would show them."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from facade.dataset.records import Box
from facade.recognition import SIDE, TEMPLATE, align_face
from facade.similarity_transform import similarity_transform

# Ellipse of the face from brows to chin in an aligned picture: center and semi-axes, pixels.
CENTER, SEMI_AXES = (56.0, 68.0), (36.0, 44.0)
# How much wider than the aligned face the patch of a head is: hair, ears, neck and what is around.
HEAD_FACTOR = 1.8
# How another frame differs: rotation in degrees, scale, and shift in fractions of the eye distance, each uniform up to
# this in both directions; gamma and gain of each channel, standard deviation of their logarithms; and the largest
# blur, standard deviation in pixels of the aligned picture.
ROTATION, SCALE, SHIFT = 5.0, 0.05, 0.05
GAMMA, GAIN, BLUR = 0.2, 0.06, 1.5


class Patch(NamedTuple):
    """A face cut out of a photograph.

    Attributes:
        pixels: (112, 112, 3) uint8, BGR.
        inside: (112, 112) bool: the pixels that belong to the patch; the others have the median color of those.
        reduced: (side, side) bool: of the pixels that a learner sees of the reduced patch, the same for every face.
    """

    pixels: np.ndarray
    inside: np.ndarray
    reduced: np.ndarray


class Frame(NamedTuple):
    """How a frame differs from the photograph.

    Attributes:
        rotation: Degrees.
        scale: Factor.
        shift: x y, in eye-to-mouth distances.
        gamma: Exponent of all channels.
        gain: Factor of each channel, (3,).
        blur: Standard deviation, pixels.
    """

    rotation: float
    scale: float
    shift: np.ndarray
    gamma: float
    gain: np.ndarray
    blur: float


def sample_frame(random: np.random.Generator) -> Frame:
    """Sample how another frame of a scene differs."""
    return Frame(
        rotation=random.uniform(-ROTATION, ROTATION),
        scale=1 + random.uniform(-SCALE, SCALE),
        shift=random.uniform(-SHIFT, SHIFT, 2),
        gamma=float(np.exp(random.normal(0, GAMMA))),
        gain=np.exp(random.normal(0, GAIN, 3)),
        blur=random.uniform(0, BLUR),
    )


def face_ellipse() -> np.ndarray:
    """Mask of the face in an aligned picture, (112, 112) bool."""
    down, across = np.mgrid[:SIDE, :SIDE]
    return np.asarray(((across - CENTER[0]) / SEMI_AXES[0]) ** 2 + ((down - CENTER[1]) / SEMI_AXES[1]) ** 2 <= 1)


# The pixels of a reduced patch that a learner sees: of the 24 x 24 of an aligned face, those that lie in the ellipse by
# half or more; all 16 x 16 of a head.
FACE_PIXELS = cv2.resize(face_ellipse().astype(np.float32), (24, 24), interpolation=cv2.INTER_AREA) >= 0.5
HEAD_PIXELS = np.ones((16, 16), bool)


def aligned_frame(picture: np.ndarray, keypoints: np.ndarray, frame: Frame | None) -> np.ndarray:
    """An aligned face as another frame shows it, (112, 112, 3) uint8, BGR.

    Args:
        picture: The photograph, (H, W, 3) uint8, BGR.
        keypoints: (5, 2) float, x y in pixels.
        frame: How it differs; None for the photograph itself.
    """
    if frame is None:
        return align_face(picture, keypoints)
    pixels = align_face(picture, _moved(keypoints, frame)).astype(np.float32) / 255
    pixels = (pixels**frame.gamma * frame.gain).astype(np.float32)
    if frame.blur > 0.2:
        pixels = cv2.GaussianBlur(pixels, (0, 0), frame.blur)
    return np.clip(np.rint(255 * pixels), 0, 255).astype(np.uint8)


def face_patch(picture: np.ndarray, keypoints: np.ndarray, bbox: Box, frame: Frame | None = None) -> Patch:
    """A face alone, from brows to chin, and only as far as its label reaches, which every treatment covers.

    In a profile, the ellipse of an aligned face reaches into hair and background. Were they left in the patch,
    untreated pixels would link it: a solid fill would have an ROC AUC of .7. They get the median color of the face, so
    that the shape of the label tells a linear learner nothing either.
    """
    moved = keypoints if frame is None else _moved(keypoints, frame)
    inside = face_ellipse() & _inside_label(moved, bbox)
    pixels = aligned_frame(picture, keypoints, frame)
    if not inside.any():  # landmarks outside of their box
        inside = face_ellipse()
    filled = np.where(inside[..., None], pixels, np.median(pixels[inside], axis=0)).astype(np.uint8)
    return Patch(filled, inside, FACE_PIXELS)


def head_patch(picture: np.ndarray, keypoints: np.ndarray, frame: Frame | None = None) -> Patch:
    """A face with hair, ears, neck and what is around it."""
    center = keypoints.mean(0)
    pixels = aligned_frame(picture, center + HEAD_FACTOR * (keypoints - center), frame)
    return Patch(pixels, np.ones(pixels.shape[:2], bool), HEAD_PIXELS)


def _moved(keypoints: np.ndarray, frame: Frame) -> np.ndarray:
    angle, center = np.radians(frame.rotation), keypoints.mean(0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = float(np.ptp(keypoints, axis=0).max())
    return np.asarray(center + frame.scale * (keypoints - center) @ rotation.T + frame.shift * size)


def _inside_label(keypoints: np.ndarray, bbox: Sequence[float]) -> np.ndarray:
    """Pixels of the aligned picture that lie in the ellipse inscribed in the label, (112, 112) bool."""
    to_picture = cv2.invertAffineTransform(similarity_transform(keypoints, TEMPLATE))
    down, across = np.mgrid[:SIDE, :SIDE]
    x, y = np.tensordot(to_picture, np.stack([across, down, np.ones_like(down)]), 1)
    left, top, width, height = bbox
    return np.asarray(((x - left - width / 2) / (width / 2)) ** 2 + ((y - top - height / 2) / (height / 2)) ** 2 <= 1)
