"""Render a procedural head. No photograph, trained weights or real person's face goes into it."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.heads.anatomy import Anatomy, build
from facade.heads.expression import Expression
from facade.heads.field.material import SLOTS
from facade.heads.field.rays import render
from facade.heads.field.scene import EYE, FRAME, LENS, SKIN
from facade.heads.identity import Identity
from facade.heads.light import Light
from facade.heads.pose import DISTANCE, PIVOT, Pose, View

# Fractions of yaw, pitch and roll that the body follows.
BODY_FOLLOWS = (0.35, 0.1, 0.2)
# The ears lie behind this depth, cm.
FRONT_OF_EARS = -9.5
# Lookup tables by part number: parts that can show a landmark, and parts of the face.
_BARE, _OF_FACE = (np.isin(np.arange(256), shown) for shown in ((SKIN, EYE), (SKIN, EYE, FRAME, LENS)))
# A landmark is visible if the ray through it hits the head within this distance, cm.
VISIBLE_WITHIN = 1.3


@dataclass(frozen=True)
class Head:
    """A rendered head.

    Attributes:
        linear: (h, w, 3) float32, RGB, linear light; 1 is white.
        alpha: (h, w) float32, 0 to 1: coverage of each pixel by the person.
        parts: (h, w) uint8: the visible part, numbered as in `field.scene`.
        positions: (h, w, 3) float32: the visible point in head axes, cm.
        normals: (h, w, 3) float32: unit vectors in camera axes; zero in the background.
        face: (h, w) bool: pixels of the face, hairline to chin and ear to ear, not hidden by hair or headwear.
        keypoints: (5, 2) float32, x y in pixels: left eye, right eye, nose tip, corners of the mouth.
        visible: (5,) bool: which of them are visible.
        bbox: x, y, width, height of the face in pixels: hairline to chin, ear to ear, as annotated in WIDER FACE.
    """

    linear: np.ndarray
    alpha: np.ndarray
    parts: np.ndarray
    positions: np.ndarray
    normals: np.ndarray
    face: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    bbox: tuple[float, float, float, float]


def render_head(
    identity: Identity,
    expression: Expression,
    view: View,
    light: Light,
    shape: tuple[int, int],
    rays: int = 1,
    with_body: bool = True,
) -> Head:
    """Render a head.

    Args:
        identity: The person.
        expression: The facial expression.
        view: Pose, scale and position of the head in the picture.
        light: The light on it.
        shape: Height and width of the picture, pixels.
        rays: Rays along each side of a pixel; parts, positions and normals are those of the central one.
        with_body: False omits neck and clothes.
    """
    return render_anatomy(build(identity, expression, 1 / (view.scale * rays), with_body), view, light, shape, rays)


def render_anatomy(anatomy: Anatomy, view: View, light: Light, shape: tuple[int, int], rays: int = 1) -> Head:
    """Render a head that is already built; see `render_head`."""
    fine = (shape[0] * rays, shape[1] * rays)
    picture, parts = np.zeros((*fine, 4), np.float32), np.zeros(fine, np.uint8)
    positions, normals = np.zeros((*fine, 3), np.float32), np.zeros((*fine, 3), np.float32)
    depths, misses, work = np.zeros(fine), np.zeros(fine), np.zeros((4, SLOTS))
    rotation = view.pose.rotation()
    angles = (view.pose.yaw, view.pose.pitch, view.pose.roll)
    body = Pose(*(share * angle for share, angle in zip(BODY_FOLLOWS, angles, strict=True)))
    person = anatomy.head.copy()  # the same head may be rendered in many poses
    person["stance"] = body.rotation().T @ rotation
    fine_view = view.enlarged(rays)
    render(picture, parts, positions, normals, depths, misses, work,
           fine_view.scale, fine_view.x, fine_view.y, DISTANCE, PIVOT, rotation, light.numbers(), person)  # fmt: skip
    if rays > 1:
        picture = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
        middle = slice(rays // 2, None, rays)
        parts, positions, normals = parts[middle, middle], positions[middle, middle], normals[middle, middle]
    alpha = picture[..., 3]
    keypoints = view.project(anatomy.landmarks)
    outline = view.project(anatomy.outline)
    low, high = outline.min(0), outline.max(0)
    return Head(
        linear=picture[..., :3] / np.maximum(alpha, 1e-4)[..., None],
        alpha=alpha,
        parts=parts,
        positions=positions,
        normals=normals,
        face=_face_mask(parts, positions, anatomy),
        keypoints=keypoints.astype(np.float32),
        visible=_visible(keypoints, anatomy.landmarks, parts, positions),
        bbox=(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
    )


def _visible(keypoints: np.ndarray, landmarks: np.ndarray, parts: np.ndarray, positions: np.ndarray) -> np.ndarray:
    height, width = parts.shape
    column, row = np.floor(keypoints).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    near = np.linalg.norm(positions[row, column] - landmarks, axis=1) < VISIBLE_WITHIN
    return inside & near & _BARE[parts[row, column]]


def _face_mask(parts: np.ndarray, positions: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    y, z = positions[..., 1], positions[..., 2]
    highest = float(anatomy.outline[:, 1].max())
    return _OF_FACE[parts] & (z > FRONT_OF_EARS) & (y < highest) & (y > anatomy.chin_y)
