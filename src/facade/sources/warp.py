"""Warp a picture of a face onto target landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.similarity_transform import similarity_transform
from facade.sources.outline import outline

# Border of the mesh: its level outside the face (1 is the outline), and its number of points.
BORDER, POINTS = 1.25, 16
# Maximum stretch or compression of a triangle of the mesh beyond the similarity transform; with more, faces look
# distorted.
MAX_STRETCH = 1.8
# Fractions of the way from the similarity transform to the exact landmarks, tried in this order.
FRACTIONS = (1.0, 0.75, 0.5, 0.25)
# A picture is downscaled to this multiple of the target resolution before interpolation, which aliases beyond 2 and
# blurs slightly at 1.
OVERSAMPLING = 1.4


@dataclass(frozen=True)
class WarpedFace:
    """A picture of a face, warped onto landmarks.

    Attributes:
        pixels: (h, w, 3) float32, 0 to 1.
        inside: (h, w) float32: distance to the border of the picture, in target pixels; negative beyond it.
        keypoints: (5, 2) float, the warped landmarks, x y in pixels.
    """

    pixels: np.ndarray
    inside: np.ndarray
    keypoints: np.ndarray


def warp_face(picture: np.ndarray, keypoints: np.ndarray, onto: np.ndarray, size: tuple[int, int]) -> WarpedFace:
    """Warp a picture of a face onto target landmarks.

    A similarity transform (facexlib's) aligns the landmarks approximately; a triangle mesh over them and the face's
    outline then moves each exactly onto its target, or part of the way (`FRACTIONS`), so that no triangle folds or
    stretches beyond `MAX_STRETCH`. Pixel centers lie at half-integers.

    Args:
        picture: (H, W, 3) uint8.
        keypoints: (5, 2) float, the picture's landmarks, x y in pixels.
        onto: (5, 2) float, target landmarks, x y in pixels of the result.
        size: Height and width of the result, pixels.
    """
    onto = np.asarray(onto, float)
    transform = similarity_transform(keypoints, onto)
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if scale * OVERSAMPLING < 1:
        height, width = picture.shape[:2]
        shrunk = (max(1, round(width * scale * OVERSAMPLING)), max(1, round(height * scale * OVERSAMPLING)))
        picture = cv2.resize(picture, shrunk, interpolation=cv2.INTER_AREA)
        keypoints = keypoints * np.array([shrunk[0] / width, shrunk[1] / height])
        transform = similarity_transform(keypoints, onto)
        scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    back = cv2.invertAffineTransform(transform)
    near = keypoints @ transform[:, :2].T + transform[:, 2]
    sources = np.concatenate([keypoints, outline(keypoints).ring(BORDER, POINTS)])
    warped, maps = near, np.broadcast_to(back, (*size, 2, 3))
    for fraction in FRACTIONS:
        target = near + fraction * (onto - near)
        corners, triangles = _mesh(target)
        affines = _affines(corners, sources, triangles)
        if _is_gentle(affines, transform):
            warped, maps = target, np.concatenate([back[None], affines])[_labels(corners, triangles, size)]
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
    return WarpedFace(pixels.astype(np.float32) / 255, inside.astype(np.float32), warped)


def _mesh(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (5 + POINTS, 2), landmarks first, and Delaunay triangles (T, 3) as vertex indices."""
    corners = np.concatenate([keypoints, outline(keypoints).ring(BORDER, POINTS)]).astype(np.float32)
    low, high = np.floor(corners.min(0)) - 1, np.ceil(corners.max(0)) + 1
    subdivision = cv2.Subdiv2D((int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])))
    for x, y in corners:
        subdivision.insert((float(x), float(y)))
    found = np.asarray(subdivision.getTriangleList(), np.float32).reshape(-1, 3, 1, 2)
    away = np.abs(found - corners).max(-1)
    # OpenCV also lists triangles with auxiliary vertices far outside.
    own = (away.min(-1) < 1e-3).all(-1)
    return corners.astype(float), away[own].argmin(-1)


def _affines(corners: np.ndarray, sources: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 2, 3) affine maps from the result to the picture, one per triangle; zero where a triangle has no area."""
    homogeneous = np.concatenate([corners[triangles], np.ones((len(triangles), 3, 1))], axis=2)
    flat = np.abs(np.linalg.det(homogeneous)) < 1e-6
    homogeneous[flat] = np.eye(3)
    affines = np.linalg.solve(homogeneous, sources[triangles]).transpose(0, 2, 1)
    affines[flat] = 0
    return np.asarray(affines)


def _is_gentle(affines: np.ndarray, transform: np.ndarray) -> bool:
    """Whether no triangle is flipped or stretched too much, relative to the similarity transform."""
    if not len(affines):
        return False
    relative = transform[:, :2] @ affines[:, :, :2]
    stretches = np.linalg.svd(relative, compute_uv=False)
    return bool(
        (np.linalg.det(relative) > 0).all() and stretches.max() < MAX_STRETCH and stretches.min() > 1 / MAX_STRETCH
    )


def _labels(corners: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) number of the triangle of each pixel, from 1; 0 outside the mesh.

    Pixels on an edge may belong to either neighbor: both maps agree there.
    """
    labels = np.zeros(size, np.int32)
    fixed = np.round((corners - 0.5) * 16).astype(
        np.int32
    )  # sixteenths of a pixel; OpenCV's pixel centers lie at integers
    for number, triangle in enumerate(triangles, 1):
        cv2.fillConvexPoly(labels, fixed[triangle], number, cv2.LINE_8, 4)
    return labels
