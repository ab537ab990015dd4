"""Rendered faces with their true landmarks, to train the network that finds landmarks in a detection."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from facade.demo.backdrop import draw_backdrop, draw_body, draw_distractor
from facade.heads import (
    Pose,
    View,
    develop,
    expose,
    render_head,
    sample_expression,
    sample_identity,
    sample_light,
)

# Side of a tile, and height of the face in its middle, pixels: a square of 1.5 face heights, turned or moved by a
# third, stays inside, and holds about as many pixels as the network sees.
TILE, HEIGHT = 112, 43.0
# Shares of tiles without a face (background, or the back of a head), with a second person, and with something in front.
EMPTY, NEIGHBOR, OCCLUDED = 0.12, 0.12, 0.30
# Share of poses that are uniform over all yaws; the others face the camera, as people in photographs mostly do.
ANY_YAW = 0.5
# Limits of yaw and pitch, degrees. Beyond, landmarks are hidden, and people draw them anywhere.
MAX_YAW, MAX_PITCH = 90.0, 40.0


@dataclass(frozen=True)
class FaceCrop:
    """A rendered tile.

    Attributes:
        pixels: (TILE, TILE) uint8, gray.
        keypoints: (5, 2) float32, x y in pixels, hidden ones included; zero where there is no face.
        bbox: (4,) float32, x y w h in pixels: hairline to chin, ear to ear; of a tile without a face, any box.
        yaw: Degrees, to the right of the picture.
        is_face: Whether the tile shows a face.
    """

    pixels: np.ndarray
    keypoints: np.ndarray
    bbox: np.ndarray
    yaw: float
    is_face: bool


def draw_face_crop(random: np.random.Generator) -> FaceCrop:
    """Render a tile: a person in any pose and light before a background, sometimes occluded or beside another."""
    scene = draw_backdrop(random, TILE, TILE)
    if random.random() < 0.5:
        draw_distractor(random, scene, tuple(random.uniform(0, TILE, 2)), TILE * random.uniform(0.05, 0.3))
    kind = "none" if random.random() < EMPTY else "face"
    if kind == "none" and random.random() < 0.5:
        kind = "back"
    middle = (TILE / 2, TILE / 2)
    keypoints, bbox, yaw = np.zeros((5, 2), np.float32), (TILE / 2 - 17, TILE / 2 - 21, 34.0, 43.0), 0.0
    if random.random() < NEIGHBOR:
        angle = random.uniform(0, 2 * np.pi)
        away = HEIGHT * random.uniform(0.9, 1.5) * np.array([np.cos(angle), 0.6 * np.sin(angle)])
        _draw_head(random, scene, _sample_pose(random), HEIGHT * random.uniform(0.5, 1.2), tuple(middle + away))
    if kind != "none":
        pose = _sample_pose(random)
        if kind == "back":
            pose = replace(pose, yaw=float(random.uniform(125, 235)))
        keypoints, bbox = _draw_head(random, scene, pose, HEIGHT, middle)
        yaw = pose.yaw
    if random.random() < OCCLUDED:
        _draw_occluder(random, scene, bbox)
    gray = (scene @ _gray_weights(random)).clip(0, 1)
    pixels = np.rint(255 * gray).astype(np.uint8)
    return FaceCrop(pixels, keypoints, np.array(bbox, np.float32), yaw, kind == "face")


def _sample_pose(random: np.random.Generator) -> Pose:
    yaw = random.uniform(-MAX_YAW, MAX_YAW) if random.random() < ANY_YAW else random.normal(0, 22)
    pitch, roll = random.normal(-3, 15), random.normal(0, 12)
    return Pose(float(np.clip(yaw, -MAX_YAW, MAX_YAW)), float(np.clip(pitch, -MAX_PITCH, MAX_PITCH)), float(roll))


def _draw_head(
    random: np.random.Generator, scene: np.ndarray, pose: Pose, height: float, middle: tuple[float, float]
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Draw a person into the scene; returns landmarks and box."""
    identity, expression, light = sample_identity(random), sample_expression(random), sample_light(random)
    light = expose(light, identity, random).brightened(float(np.exp(random.normal(0, 0.35))))
    view = View.of_face(pose, height, *middle)
    draw_body(scene, (middle[0], middle[1] + 0.9 * height), height, random.uniform(0.02, 0.9, 3))
    head = render_head(identity, expression, view, light, scene.shape[:2])
    cover = head.alpha[..., None]
    scene[:] = scene * (1 - cover) + develop(head.linear) * cover
    return head.keypoints, head.bbox


def _draw_occluder(random: np.random.Generator, scene: np.ndarray, bbox: tuple[float, float, float, float]) -> None:
    """Something in front of the face: a bar, an edge, a mask over the mouth, or a hand-sized blob."""
    x, y, w, h = bbox
    color = tuple(random.uniform(0.03, 0.95, 3))
    kind = random.choice(["bar", "edge", "mask", "blob"])
    if kind == "bar":
        begin, end = random.uniform((x - w / 2, y), (x + 1.5 * w, y + h), (2, 2)).astype(int)
        cv2.line(scene, tuple(map(int, begin)), tuple(map(int, end)), color, int(random.integers(3, 10)), cv2.LINE_AA)
    elif kind == "edge":
        side = random.choice([-1, 1])
        at = x + w / 2 + side * random.uniform(0.1, 0.5) * w
        far = at + side * 2 * w
        cv2.rectangle(scene, (int(min(at, far)), 0), (int(max(at, far)), TILE), color, -1)
    elif kind == "mask":
        axes = (int(0.5 * w), int(0.28 * h))
        cv2.ellipse(scene, (int(x + w / 2), int(y + 0.76 * h)), axes, 0, 0, 360, color, -1, cv2.LINE_AA)
    else:
        skin = tuple(np.array([0.45, 0.6, 0.8]) * random.uniform(0.2, 1.1))
        axes = (max(2, int(random.uniform(0.1, 0.35) * w)), max(2, int(random.uniform(0.1, 0.35) * h)))
        at = (int(x + random.uniform(-0.1, 1.1) * w), int(y + random.uniform(0.2, 1.1) * h))
        cv2.ellipse(scene, at, axes, random.uniform(0, 180), 0, 360, skin, -1, cv2.LINE_AA)


def _gray_weights(random: np.random.Generator) -> np.ndarray:
    """Weights of blue, green and red in gray, (3,): cameras and lamps differ in color."""
    weights = np.array([0.114, 0.587, 0.299]) * np.exp(random.normal(0, 0.35, 3))
    return (weights / weights.sum()).astype(np.float32)
