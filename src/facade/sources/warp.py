"""Bringing a picture of a face onto landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.similarity import similarity
from facade.sources.outline import outline

# Of the mesh: how far outside the face its border lies (in outlines), and of how many points that is made.
BORDER, POINTS = 1.25, 16
# A triangle of the mesh is stretched or squeezed by no more than this, beside what the similarity does already: more
# makes faces that look drawn by hand.
MOST_STRETCH = 1.8
# How much of the way from the similarity to the landmarks the mesh may go, tried in this order.
SHARES = (1.0, 0.75, 0.5, 0.25)
# A picture is shrunk until it is this much larger than wanted, and the rest is left to interpolation, which would
# speckle it beyond 2 and blurs it a little at 1.
FINER = 1.4


@dataclass(frozen=True)
class Laid:
    """A picture of a face, brought onto landmarks.

    Attributes:
        pixels: (h, w, 3) float32, 0 to 1.
        inside: (h, w) float32, pixels (of the place) to the border of the picture; negative beyond it.
        keypoints: (5, 2) float, where the picture's landmarks came to lie, x y in pixels.
    """

    pixels: np.ndarray
    inside: np.ndarray
    keypoints: np.ndarray


def lay(picture: np.ndarray, keypoints: np.ndarray, onto: np.ndarray, size: tuple[int, int]) -> Laid:
    """Bring a picture of a face onto landmarks.

    A similarity (facexlib's) brings landmarks near landmarks; a mesh of triangles over them and the face's outline
    then moves each exactly onto its own, or part of the way (`SHARES`), so that no triangle folds or is stretched
    beyond `MOST_STRETCH`. Pixel centres lie at halves.

    Args:
        picture: (H, W, 3) uint8.
        keypoints: (5, 2) float, the picture's landmarks, x y in pixels.
        onto: (5, 2) float, where they should come to lie, x y in pixels of the place.
        size: Height and width of the place, pixels.
    """
    onto = np.asarray(onto, float)
    placed = similarity(keypoints, onto)
    scale = float(np.sqrt(abs(np.linalg.det(placed[:, :2]))))
    if scale * FINER < 1:
        height, width = picture.shape[:2]
        shrunk = (max(1, round(width * scale * FINER)), max(1, round(height * scale * FINER)))
        picture = cv2.resize(picture, shrunk, interpolation=cv2.INTER_AREA)
        keypoints = keypoints * np.array([shrunk[0] / width, shrunk[1] / height])
        placed = similarity(keypoints, onto)
        scale = float(np.sqrt(abs(np.linalg.det(placed[:, :2]))))
    back = cv2.invertAffineTransform(placed)
    near = keypoints @ placed[:, :2].T + placed[:, 2]
    sources = np.concatenate([keypoints, outline(keypoints).ring(BORDER, POINTS)])
    came, maps = near, np.broadcast_to(back, (*size, 2, 3))
    for share in SHARES:
        aim = near + share * (onto - near)
        corners, triangles = _mesh(aim)
        affines = _affines(corners, sources, triangles)
        if _gentle(affines, placed):
            came, maps = aim, np.concatenate([back[None], affines])[_labels(corners, triangles, size)]
            break
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    source_x = maps[..., 0, 0] * x + maps[..., 0, 1] * y + maps[..., 0, 2]
    source_y = maps[..., 1, 0] * x + maps[..., 1, 1] * y + maps[..., 1, 2]
    pixels = cv2.remap(
        picture,
        (source_x - 0.5).astype(np.float32),
        (source_y - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    height, width = picture.shape[:2]
    inside = np.minimum.reduce([source_x, width - source_x, source_y, height - source_y]) * scale
    return Laid(pixels.astype(np.float32) / 255, inside.astype(np.float32), came)


def _mesh(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (5 + POINTS, 2), landmarks first, and triangles (T, 3) of their numbers (Delaunay)."""
    corners = np.concatenate([keypoints, outline(keypoints).ring(BORDER, POINTS)]).astype(np.float32)
    low, high = np.floor(corners.min(0)) - 1, np.ceil(corners.max(0)) + 1
    subdivision = cv2.Subdiv2D((int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])))
    for x, y in corners:
        subdivision.insert((float(x), float(y)))
    found = np.asarray(subdivision.getTriangleList(), np.float32).reshape(-1, 3, 1, 2)
    away = np.abs(found - corners).max(-1)
    # It also lists triangles with corners of its own, far outside.
    own = (away.min(-1) < 1e-3).all(-1)
    return corners.astype(float), away[own].argmin(-1)


def _affines(corners: np.ndarray, sources: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 2, 3) maps from the place to the picture, one a triangle; of zeros where a triangle has no area."""
    homogeneous = np.concatenate([corners[triangles], np.ones((len(triangles), 3, 1))], axis=2)
    flat = np.abs(np.linalg.det(homogeneous)) < 1e-6
    homogeneous[flat] = np.eye(3)
    affines = np.linalg.solve(homogeneous, sources[triangles]).transpose(0, 2, 1)
    affines[flat] = 0
    return np.asarray(affines)


def _gentle(affines: np.ndarray, placed: np.ndarray) -> bool:
    """Whether every triangle keeps its side up, and is stretched little, beside what the similarity does."""
    if not len(affines):
        return False
    beside = placed[:, :2] @ affines[:, :, :2]
    stretches = np.linalg.svd(beside, compute_uv=False)
    return bool(
        (np.linalg.det(beside) > 0).all() and stretches.max() < MOST_STRETCH and stretches.min() > 1 / MOST_STRETCH
    )


def _labels(corners: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) which triangle a pixel lies in, from 1; 0 outside the mesh.

    Pixels on an edge may get either neighbour: there both maps agree.
    """
    labels = np.zeros(size, np.int32)
    fixed = np.round((corners - 0.5) * 16).astype(
        np.int32
    )  # sixteenths of a pixel; OpenCV's centres lie at whole numbers
    for number, triangle in enumerate(triangles, 1):
        cv2.fillConvexPoly(labels, fixed[triangle], number, cv2.LINE_8, 4)
    return labels
