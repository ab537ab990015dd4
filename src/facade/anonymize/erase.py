"""Erase a face: mask the identifying features and fill the mask from its surroundings."""

from functools import cache

import cv2
import numpy as np

from facade.anonymize.region import downscale
from facade.dataset.records import Box
from facade.heads.fit import mean_head
from facade.heads.pose import FACE_HEIGHT, View

# Identifying features on the mean head, cm: brows, eyes, nose and mouth lie in the ellipse with this center and these
# half axes, with about a finger's width to spare.
MIDDLE_Y, HALF_WIDTH, HALF_HEIGHT = -2.6, 5.9, 6.5
# Points that protrude from that ellipse: beyond the tip of the nose, relative to its landmark, which lies inside the
# nose; and the ends of the brows, the brows themselves, the lips and the chin.
NOSE_TIP = np.array([(0.0, 0.0, 1.3), (0.0, -0.9, 0.4), (0.0, 1.2, 0.8)])
CORNERS = np.array([
    (5.9, 3.6, -3.2), (3.6, 2.9, 0.6), (0.0, -5.2, 1.9), (1.8, -6.5, 1.8), (0.0, -7.8, 1.8), (3.3, -8.4, -1.2),
    (0.0, -10.2, 0.8),
])  # fmt: skip
# The ellipse in this fraction of the box is erased as well, whatever pose the landmarks suggest.
CORE = 0.70
# The same for the box of a detector without landmarks: it may end above the mouth or the brows.
BARE_BOX = 1.25
# Margin around the features of a detection, in face heights: landmarks found in a box that cuts a profile are off by as
# much (tests/footage/test_pseudonyms.py).
LANDMARK_MARGIN = 0.08
# Maximum size at which pictures are filled, pixels; the fill is smooth anyway.
MAX_FILL_SIZE = 160


def erased_mask(
    view: View, bbox: Box, shape: tuple[int, int], from_landmarks: bool = True, whole_box: bool = False
) -> np.ndarray:
    """The pixels of a face that must be erased.

    Args:
        view: Pose and position of the head.
        bbox: The labelled face, x y w h in pixels.
        shape: Height and width of the picture.
        from_landmarks: Whether the view comes from landmarks. If not, the pose is unknown, and the box's whole ellipse
            is erased.
        whole_box: Whether box and landmarks are a detector's, which may be wrong: what is erased of the features is
            wider (`LANDMARK_MARGIN`), and so is the ellipse: all of the box if the view comes from landmarks, else more
            (`BARE_BOX`).

    Returns:
        (h, w) bool; never empty if the box overlaps the picture.
    """
    mask = np.zeros(shape, np.uint8)
    points = feature_points(view)
    if whole_box:
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        circle = LANDMARK_MARGIN * FACE_HEIGHT * view.scale * np.column_stack([np.cos(angle), np.sin(angle)])
        points = (points[:, None] + circle).reshape(-1, 2)
    hull = cv2.convexHull(np.round(points * 8).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1, cv2.LINE_8, 3)
    x, y, w, h = bbox
    core = CORE if from_landmarks else 1.0
    if whole_box:
        core = 1.0 if from_landmarks else BARE_BOX
    across = (np.arange(shape[1]) + 0.5 - (x + w / 2)) / max(core * w / 2, 0.75)
    down = (np.arange(shape[0]) + 0.5 - (y + h / 2)) / max(core * h / 2, 0.75)
    return (mask > 0) | (across[None] ** 2 + down[:, None] ** 2 < 1)


def feature_points(view: View) -> np.ndarray:
    """Points whose convex hull contains the brows, eyes, nose, lips and chin of a head in a view, (N, 2), pixels."""
    return view.project(_features())


@cache
def _features() -> np.ndarray:
    """Points of the mean head whose projected convex hull contains every feature, (N, 3), cm."""
    head = mean_head()
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = HALF_WIDTH * np.cos(angle), MIDDLE_Y + HALF_HEIGHT * np.sin(angle)
    skin = head.outline
    # The skin point nearest to each point of the ellipse, seen from the front.
    nearest = [int(np.argmin((skin[:, 0] - px) ** 2 + (skin[:, 1] - py) ** 2)) for px, py in zip(x, y, strict=True)]
    ring = np.stack([x, y, skin[nearest, 2]], axis=1)
    tip = head.landmarks[2] + NOSE_TIP
    return np.concatenate([ring, tip, CORNERS * (-1, 1, 1), CORNERS, head.landmarks])


def pull_push_fill(pixels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the unknown part of a picture smoothly from the known part.

    Pull-push (Gortler et al., "The Lumigraph", 1996): downsample until one pixel holds the mean of all, then upsample
    again, keeping the known pixels at each level.

    Args:
        pixels: (h, w, 3) float32; unknown pixels are never read.
        known: (h, w) bool.

    Returns:
        (h, w, 3) float32; gray where nothing is known.
    """
    height, width = known.shape
    shrink = min(1.0, MAX_FILL_SIZE / max(height, width))
    weight = known.astype(np.float32)
    weighted = np.where(known[..., None], pixels, 0).astype(np.float32)
    weighted, weight = downscale(weighted, shrink), downscale(weight, shrink)
    levels = [(weighted, weight)]
    while max(levels[-1][1].shape) > 1:
        high, wide = levels[-1][1].shape
        half = ((wide + 1) // 2, (high + 1) // 2)
        levels.append(
            tuple(
                cv2.resize(layer, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], *layer.shape[2:])
                for layer in levels[-1]
            )
        )
    filled = np.full((1, 1, 3), 0.5, np.float32)
    for weighted, weight in reversed(levels):
        high, wide = weight.shape
        filled = cv2.resize(filled, (wide, high), interpolation=cv2.INTER_LINEAR).reshape(high, wide, 3)
        own = weighted / np.maximum(weight, 1e-4)[..., None]
        trust = np.clip(4 * weight, 0, 1)[..., None]
        filled = own * trust + filled * (1 - trust)
    return cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR) if shrink < 1 else filled
