"""Segment objects in front of a face: a microphone, a cup, a sheet.

An occluder is kept where its color, or a face parsing network, separates it from the face.
"""

import cv2
import numpy as np

from facade.color import SKIN_SPREAD, distance_in_spreads, lab
from facade.dataset.records import Box
from facade.heads.pose import View
from facade.parsing import BACKGROUND, CLOTH, FaceParser

# A pixel is not skin if its color is this many robust standard deviations away from that of the face.
MAX_SKIN_DISTANCE = 4.0
# An occluder covers at least this fraction of the face's ellipse; less is a lock of hair, or noise.
MIN_FRACTION = 0.06
# Eyes, brows, nose and mouth, and everything within this distance of them, cm, are never kept.
FEATURE_MARGIN = 1.7
# Height of the brows above the eyes, cm, and how far they extend beyond the eyes, in eye distances.
BROW_HEIGHT, BROW_EXTENT = 2.0, 0.35
# An object within this distance of a landmark hides it, cm.
HIDING_DISTANCE = 0.6


def occluder_mask(
    pixels: np.ndarray, view: View, keypoints: np.ndarray, bbox: Box, parser: FaceParser | None = None
) -> np.ndarray:
    """Mask of the objects in front of a face.

    Args:
        pixels: (h, w, 3) uint8, BGR.
        view: Pose and position of the head.
        keypoints: (5, 2) float: positions of the landmarks, hidden or not.
        bbox: The labelled face, x y w h in pixels.
        parser: Face parsing network; None segments by color.

    Returns:
        (h, w) bool. Only objects that reach in from outside the face and hide none of the five landmarks; never eyes,
        brows, nose or mouth.
    """
    height, width = pixels.shape[:2]
    x, y, w, h = bbox
    across = (np.arange(width) + 0.5 - (x + w / 2)) / (w / 2)
    down = (np.arange(height) + 0.5 - (y + h / 2)) / (h / 2)
    away = across[None] ** 2 + down[:, None] ** 2
    face, inner = away < 1, away < 0.45
    nothing = np.zeros((height, width), bool)
    if inner.sum() < 64:
        return nothing
    if parser is None:
        unlike = _unlike_skin(pixels, inner)
    else:
        unlike = np.isin(parser.parts(pixels, keypoints), (BACKGROUND, CLOTH)).astype(np.uint8)
    unlike = cv2.morphologyEx(unlike, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    before_cut = _parts(unlike, face)
    at_landmarks = _near([(point, point) for point in keypoints], HIDING_DISTANCE * view.scale, unlike.shape)
    hiding = np.unique(before_cut[at_landmarks])
    unlike[_near(_feature_lines(keypoints), FEATURE_MARGIN * view.scale, unlike.shape) & face] = 0
    parts = _parts(unlike, face)
    rim = face & (away > 0.8)
    kept = nothing.copy()
    for number in range(1, parts.max() + 1):
        part = parts == number
        # An object that hides a landmark is painted over entirely: cut out around the feature, strips of a pseudonym
        # would show through.
        hides = before_cut[part][0] in hiding
        if part.sum() >= MIN_FRACTION * face.sum() and (part & rim).any() and not hides:
            kept |= part
    return kept


def _feature_lines(keypoints: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Line segments along the features: eyes, both brows, nose and mouth; end points are (2,) pixels each."""
    left, right, nose, *mouth = keypoints
    brows = keypoints[:2] + (keypoints[:2] - keypoints[3:]) * (BROW_HEIGHT / 6.4)
    beyond = BROW_EXTENT * (right - left)
    return [
        (left, left),
        (right, right),
        (brows[0] - beyond, brows[1] + beyond),
        ((left + right) / 2, nose),
        tuple(mouth),
    ]


def _near(lines: list[tuple[np.ndarray, np.ndarray]], distance: float, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: pixels within a distance of any of the segments, at least one pixel."""
    near, distance = np.zeros(shape, bool), max(distance, 1.0)
    for begin, end in lines:
        # Only the segment's bounding box: on all of a large face this would take much memory.
        left, top = np.maximum(np.floor(np.minimum(begin, end) - distance), 0).astype(int)
        right, bottom = np.ceil(np.maximum(begin, end) + distance).astype(int) + 1
        part = near[top : max(bottom, top), left : max(right, left)]
        rows, columns = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
        points, along = np.stack([columns, rows], axis=-1), end - begin
        fraction = np.clip((points - begin) @ along / max(float(along @ along), 1e-9), 0, 1)
        part |= np.linalg.norm(points - begin - fraction[..., None] * along, axis=-1) <= distance
    return near


def _parts(unlike: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(h, w) int32: connected components of the non-skin pixels within the face, from 1; 0 is none."""
    return cv2.connectedComponents(np.where(face, unlike, 0).astype(np.uint8))[1]


def _unlike_skin(pixels: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(h, w) uint8, 1 where the color is far from that of the inner face."""
    colors = lab(pixels.astype(np.float32) / 255)
    middle = np.median(colors[inner], axis=0)
    spread = np.maximum(1.48 * np.median(np.abs(colors[inner] - middle), axis=0), SKIN_SPREAD)
    return (distance_in_spreads(colors, middle, spread) > MAX_SKIN_DISTANCE).astype(np.uint8)
