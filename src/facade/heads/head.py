"""A procedural head as a picture. The head is a formula: no photograph, no weights and nobody's face go into it."""

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

# How far the body follows when the head turns, looks up and tilts.
FOLLOW = (0.35, 0.1, 0.2)
# Behind this depth lie the ears, cm.
FRONT_OF_EARS = -9.5
# Which parts show a landmark, and which belong to the face, by their numbers.
_BARE, _OF_FACE = (np.isin(np.arange(256), shown) for shown in ((SKIN, EYE), (SKIN, EYE, FRAME, LENS)))
# A landmark is seen if the ray through it meets the head within so many cm of it.
WITHIN = 1.3


@dataclass(frozen=True)
class Head:
    """A drawn head.

    Attributes:
        linear: (h, w, 3) float32, RGB, linear light; 1 is white.
        alpha: (h, w) float32, 0 to 1: how much of each pixel the person covers.
        parts: (h, w) uint8: what is seen, by the numbers in `field.scene`.
        places: (h, w, 3) float32: where on the head that is, cm.
        normals: (h, w, 3) float32: unit vectors in the camera's axes; zero where nothing is.
        face: (h, w) bool: which pixels show the face, hairline to chin and ear to ear, not hidden by hair or a hat.
        keypoints: (5, 2) float32, x y in pixels: left eye, right eye, nose tip, corners of the mouth.
        visible: (5,) bool: which of them can be seen.
        bbox: x, y, width, height of the face in pixels: hairline to chin, ear to ear, as WIDER FACE draws it.
    """

    linear: np.ndarray
    alpha: np.ndarray
    parts: np.ndarray
    places: np.ndarray
    normals: np.ndarray
    face: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    bbox: tuple[float, float, float, float]


def draw_head(
    who: Identity,
    look: Expression,
    view: View,
    light: Light,
    shape: tuple[int, int],
    rays: int = 1,
    with_body: bool = True,
) -> Head:
    """Draw a head.

    Args:
        who: The person.
        look: What the face is doing.
        view: How the head is held, and where it comes to lie in the picture.
        light: What it is lit by.
        shape: Height and width of the picture, pixels.
        rays: Along each side of a pixel; parts, places and normals are those of the middle one.
        with_body: False leaves neck and clothes away.
    """
    return draw_built(build(who, look, 1 / (view.scale * rays), with_body), view, light, shape, rays)


def draw_built(anatomy: Anatomy, view: View, light: Light, shape: tuple[int, int], rays: int = 1) -> Head:
    """Draw a head that is built already; see `draw_head`."""
    fine = (shape[0] * rays, shape[1] * rays)
    picture, parts = np.zeros((*fine, 4), np.float32), np.zeros(fine, np.uint8)
    places, normals = np.zeros((*fine, 3), np.float32), np.zeros((*fine, 3), np.float32)
    depths, misses, work = np.zeros(fine), np.zeros(fine), np.zeros((4, SLOTS))
    rotation = view.pose.rotation()
    held = Pose(
        *(share * angle for share, angle in zip(FOLLOW, (view.pose.yaw, view.pose.pitch, view.pose.roll), strict=True))
    )
    person = anatomy.head.copy()  # a built head may be drawn in many poses
    person["stance"] = held.rotation().T @ rotation
    close = view.enlarged(rays)
    render(picture, parts, places, normals, depths, misses, work,
           close.scale, close.x, close.y, DISTANCE, PIVOT, rotation, light.numbers(), person)  # fmt: skip
    if rays > 1:
        picture = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
        middle = slice(rays // 2, None, rays)
        parts, places, normals = parts[middle, middle], places[middle, middle], normals[middle, middle]
    alpha = picture[..., 3]
    keypoints = view.project(anatomy.landmarks)
    outline = view.project(anatomy.outline)
    low, high = outline.min(0), outline.max(0)
    return Head(
        linear=picture[..., :3] / np.maximum(alpha, 1e-4)[..., None],
        alpha=alpha,
        parts=parts,
        places=places,
        normals=normals,
        face=_shows_face(parts, places, anatomy),
        keypoints=keypoints.astype(np.float32),
        visible=_visible(keypoints, anatomy.landmarks, parts, places),
        bbox=(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
    )


def _visible(keypoints: np.ndarray, landmarks: np.ndarray, parts: np.ndarray, places: np.ndarray) -> np.ndarray:
    height, width = parts.shape
    column, row = np.floor(keypoints).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    near = np.linalg.norm(places[row, column] - landmarks, axis=1) < WITHIN
    return inside & near & _BARE[parts[row, column]]


def _shows_face(parts: np.ndarray, places: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    y, z = places[..., 1], places[..., 2]
    highest = float(anatomy.outline[:, 1].max())
    return _OF_FACE[parts] & (z > FRONT_OF_EARS) & (y < highest) & (y > anatomy.chin_y)
