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
# Eyes, nose tip and corners of the mouth are never left to be seen, nor what lies within this radius of them, cm.
# Brows lie so far above the eyes.
KEPT_AWAY = 1.7
BROW = 2.0


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
        (h, w) bool. Only what reaches in from outside the face, is no part of it, and hides no landmark.
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
    whole = _numbered(unlike, face)
    hiding = {whole[int(py), int(px)] for px, py in keypoints if 0 <= px < width and 0 <= py < height}
    near = np.zeros((height, width), np.uint8)
    radius = KEPT_AWAY * view.scale
    brows = keypoints[:2] + (keypoints[:2] - keypoints[3:]) * (BROW / 6.4)
    for px, py in (*keypoints, *brows):
        cv2.circle(near, (round(float(px) * 8), round(float(py) * 8)), max(8, round(radius * 8)), 1, -1, cv2.LINE_8, 3)
    unlike[(near > 0) & face] = 0
    labels = _numbered(unlike, face)
    rim = face & (away > 0.8)
    kept = nothing.copy()
    for label in range(1, labels.max() + 1):
        part = labels == label
        # What is cut where it hides a landmark would have half a face drawn over it.
        if part.sum() >= SMALLEST * face.sum() and (part & rim).any() and whole[part][0] not in hiding:
            kept |= part
    return kept


def _numbered(unlike: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(h, w) int32: which connected part of the face that is unlike it a pixel belongs to, from 1 on; 0 is none."""
    return cv2.connectedComponents(np.where(face, unlike, 0).astype(np.uint8))[1]


def _unlike_skin(pixels: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(h, w) uint8, 1 where a pixel's colour is far from those of the inner face."""
    colours = lab(pixels.astype(np.float32) / 255)
    middle = np.median(colours[inner], axis=0)
    spread = np.maximum(1.48 * np.median(np.abs(colours[inner] - middle), axis=0), SKIN_SPREAD)
    return (spreads_away(colours, middle, spread) > UNLIKE).astype(np.uint8)
