"""What is in front of a face: a microphone, a cup, a sheet.

It stays in front where its colour, or a network that parses faces, tells it from the face.
"""

import cv2
import numpy as np

from facade.colour import SKIN_SPREAD, lab, spreads_away
from facade.dataset.records import Box
from facade.heads.pose import View
from facade.parsing import BACKGROUND, CLOTH, FaceParser

# A pixel is no skin when its colour is so many robust standard deviations away from the face's own.
UNLIKE = 4.0
# An occluder covers at least this share of the face's ellipse; less is a lock of hair, or noise.
SMALLEST = 0.06
# Eyes, brows, nose and mouth are never left to be seen, nor what lies so near to them, cm. Brows lie so far above the
# eyes, and reach so far beyond them, in distances between the eyes.
KEPT_AWAY = 1.7
BROW, BEYOND = 2.0, 0.35
# What covers a landmark, or comes so near to it, hides it, cm.
HIDES = 0.6


def in_front(
    pixels: np.ndarray, view: View, keypoints: np.ndarray, bbox: Box, parser: FaceParser | None = None
) -> np.ndarray:
    """Pixels of the face's place that show something in front of it.

    Args:
        pixels: (h, w, 3) uint8, BGR.
        view: How the head is held.
        keypoints: (5, 2) float: where the landmarks lie, hidden or not.
        bbox: The labelled face, x y w h in pixels.
        parser: Tells what belongs to a head; None goes by colour.

    Returns:
        (h, w) bool. Only what reaches in from outside the face, is no part of it, and hides none of the five landmarks;
        nothing on eyes, brows, nose and mouth.
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
    hiding = np.unique(before_cut[_near([(point, point) for point in keypoints], HIDES * view.scale, unlike.shape)])
    unlike[_near(_feature_lines(keypoints), KEPT_AWAY * view.scale, unlike.shape) & face] = 0
    parts = _parts(unlike, face)
    rim = face & (away > 0.8)
    kept = nothing.copy()
    for number in range(1, parts.max() + 1):
        part = parts == number
        # Cut round an eye that it hides, a wall would show strips of a pseudonym: it is painted over whole.
        hides = before_cut[part][0] in hiding
        if part.sum() >= SMALLEST * face.sum() and (part & rim).any() and not hides:
            kept |= part
    return kept


def _feature_lines(keypoints: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lines along the features: eyes, both brows, nose and mouth; ends are (2,) pixels each."""
    left, right, nose, *mouth = keypoints
    brows = keypoints[:2] + (keypoints[:2] - keypoints[3:]) * (BROW / 6.4)
    beyond = BEYOND * (right - left)
    return [
        (left, left),
        (right, right),
        (brows[0] - beyond, brows[1] + beyond),
        ((left + right) / 2, nose),
        tuple(mouth),
    ]


def _near(lines: list[tuple[np.ndarray, np.ndarray]], distance: float, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: what lies no farther than so many pixels, and one at the least, from any of the lines."""
    near, distance = np.zeros(shape, bool), max(distance, 1.0)
    for begin, end in lines:
        # Looked at is the line's own place: all of a large face would take much memory.
        left, top = np.maximum(np.floor(np.minimum(begin, end) - distance), 0).astype(int)
        right, bottom = np.ceil(np.maximum(begin, end) + distance).astype(int) + 1
        part = near[top : max(bottom, top), left : max(right, left)]
        rows, columns = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
        places, along = np.stack([columns, rows], axis=-1), end - begin
        share = np.clip((places - begin) @ along / max(float(along @ along), 1e-9), 0, 1)
        part |= np.linalg.norm(places - begin - share[..., None] * along, axis=-1) <= distance
    return near


def _parts(unlike: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(h, w) int32: which connected part of the face that is unlike it a pixel belongs to, from 1 on; 0 is none."""
    return cv2.connectedComponents(np.where(face, unlike, 0).astype(np.uint8))[1]


def _unlike_skin(pixels: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(h, w) uint8, 1 where a pixel's colour is far from those of the inner face."""
    colours = lab(pixels.astype(np.float32) / 255)
    middle = np.median(colours[inner], axis=0)
    spread = np.maximum(1.48 * np.median(np.abs(colours[inner] - middle), axis=0), SKIN_SPREAD)
    return (spreads_away(colours, middle, spread) > UNLIKE).astype(np.uint8)
