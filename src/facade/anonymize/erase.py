"""Erasing a face: the part of the picture by which a person is known, and what is put there before anybody else is."""

from functools import cache

import cv2
import numpy as np

from facade.anonymize.region import shrunk
from facade.dataset.records import Box
from facade.heads.fit import mean_head
from facade.heads.pose import View

# What tells who somebody is, on the mean head, cm: brows, eyes, nose and mouth lie in the ellipse round this middle
# with these half axes, with a finger's width to spare.
MIDDLE_Y, HALF_WIDTH, HALF_HEIGHT = -2.6, 5.9, 6.5
# What stands out of it: beyond the tip of the nose, relative to its landmark, which lies inside; and the ends of the
# brows, the brows themselves, the lips and the chin.
STANDS_OUT = np.array([(0.0, 0.0, 1.3), (0.0, -0.9, 0.4), (0.0, 1.2, 0.8)])
CORNERS = np.array([
    (5.9, 3.6, -3.2), (3.6, 2.9, 0.6), (0.0, -5.2, 1.9), (1.8, -6.5, 1.8), (0.0, -7.8, 1.8), (3.3, -8.4, -1.2),
    (0.0, -10.2, 0.8),
])  # fmt: skip
# The ellipse in this share of the box is erased too, wherever the landmarks say that the face looks.
CORE = 0.70
# Pictures are filled at no more than this size; what is carried over is smooth anyway.
LARGEST_FILL = 160


def gap_of(view: View, bbox: Box, shape: tuple[int, int], sure: bool = True) -> np.ndarray:
    """Where a person must vanish.

    Args:
        view: How the head is held.
        bbox: The labelled face, x y w h in pixels.
        shape: Height and width of the picture.
        sure: Whether landmarks told the view. If not, the person may look anywhere: the box's whole ellipse is erased.

    Returns:
        (h, w) bool; never empty if the box lies in the picture.
    """
    mask = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(np.round(features_in(view) * 8).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1, cv2.LINE_8, 3)
    x, y, w, h = bbox
    core = CORE if sure else 1.0
    across = (np.arange(shape[1]) + 0.5 - (x + w / 2)) / max(core * w / 2, 0.75)
    down = (np.arange(shape[0]) + 0.5 - (y + h / 2)) / max(core * h / 2, 0.75)
    return (mask > 0) | (across[None] ** 2 + down[:, None] ** 2 < 1)


def features_in(view: View) -> np.ndarray:
    """Points of a picture whose outline holds brows, eyes, nose, lips and chin of a head in a view, (N, 2), pixels."""
    return view.project(_features())


@cache
def _features() -> np.ndarray:
    """Points of the mean head whose outline in a picture holds every feature, (N, 3), cm."""
    head = mean_head()
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = HALF_WIDTH * np.cos(angle), MIDDLE_Y + HALF_HEIGHT * np.sin(angle)
    skin = head.outline
    # The nearest point of the skin in front of each point of the ellipse.
    nearest = [int(np.argmin((skin[:, 0] - px) ** 2 + (skin[:, 1] - py) ** 2)) for px, py in zip(x, y, strict=True)]
    ring = np.stack([x, y, skin[nearest, 2]], axis=1)
    tip = head.landmarks[2] + STANDS_OUT
    return np.concatenate([ring, tip, CORNERS * (-1, 1, 1), CORNERS, head.landmarks])


def fill(pixels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Carry the known part of a picture smoothly over the rest.

    Pull-push (Gortler et al., "The Lumigraph", 1996): halved until one pixel knows the mean of all, then enlarged
    again, each size keeping what it knows itself.

    Args:
        pixels: (h, w, 3) float32; what is not known is never looked at.
        known: (h, w) bool.

    Returns:
        (h, w, 3) float32; grey where nothing is known.
    """
    height, width = known.shape
    shrink = min(1.0, LARGEST_FILL / max(height, width))
    weight = known.astype(np.float32)
    weighted = np.where(known[..., None], pixels, 0).astype(np.float32)
    weighted, weight = shrunk(weighted, shrink), shrunk(weight, shrink)
    sizes = [(weighted, weight)]
    while max(sizes[-1][1].shape) > 1:
        high, wide = sizes[-1][1].shape
        half = ((wide + 1) // 2, (high + 1) // 2)
        sizes.append(
            tuple(
                cv2.resize(layer, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], *layer.shape[2:])
                for layer in sizes[-1]
            )
        )
    filled = np.full((1, 1, 3), 0.5, np.float32)
    for weighted, weight in reversed(sizes):
        high, wide = weight.shape
        filled = cv2.resize(filled, (wide, high), interpolation=cv2.INTER_LINEAR).reshape(high, wide, 3)
        own = weighted / np.maximum(weight, 1e-4)[..., None]
        trust = np.clip(4 * weight, 0, 1)[..., None]
        filled = own * trust + filled * (1 - trust)
    return cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR) if shrink < 1 else filled
