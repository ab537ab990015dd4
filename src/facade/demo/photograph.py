"""One demo photograph: people at several distances, some occluded, in front of a background."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.camera.shake import motion_blur_kernel
from facade.dataset import Face
from facade.demo.backdrop import draw_backdrop, draw_body, draw_distractor
from facade.heads import (
    Head,
    Light,
    Pose,
    View,
    develop,
    expose,
    render_head,
    sample_expression,
    sample_identity,
    sample_light,
    sample_pose,
)  # fmt: skip

# Range of face heights as shares of the longest side of the photograph.
MIN_HEIGHT, MAX_HEIGHT = 0.08, 0.38
# Maximum number of people in a crowd.
CROWD = 30
# Side of the square that a person is rendered on, in face heights, and vertical center of the face in it as a share.
TILE, CENTER_Y = 2.6, 0.46
# Faces below this height, pixels, are rendered with four rays per pixel.
FINE_BELOW = 48.0
# Key light below this intensity makes a dark picture.
DIM = 0.3
# Share of photographs that are out of focus, and of those with motion blur.
DEFOCUSED, SHAKEN = 0.15, 0.12
# WIDER FACE's occlusion levels by occluded share of the face: 0 none, 1 partial, 2 heavy (from 30 %).
PARTIAL_OCCLUSION, HEAVY_OCCLUSION = 0.05, 0.30
# Minimum visible share of a face for a valid label, and for any label.
MIN_VISIBLE_VALID, MIN_VISIBLE = 0.5, 0.2


@dataclass(frozen=True)
class Scene:
    """A rendered photograph, (H, W, 3) uint8, BGR, and its labelled faces."""

    pixels: np.ndarray
    faces: tuple[Face, ...]


@dataclass
class _PlacedFace:
    """A face in the scene: its box and landmarks in pixels, and the mask of pixels where it is visible."""

    bbox: tuple[float, float, float, float]
    keypoints: np.ndarray
    visible: np.ndarray
    area: float
    pose: Pose
    dark: bool


def draw_scene(
    random: np.random.Generator, size: int, with_people: bool, crowd: tuple[float, float] | None = None
) -> Scene:
    """Render a photograph.

    Args:
        random: Source of all random numbers.
        size: Longest side, pixels.
        with_people: False renders a photograph without faces.
        crowd: Minimum and maximum face height, pixels, of a photograph with up to `CROWD` people. By default a few
            people with the face heights of the demo.
    """
    short = int(size * random.uniform(0.62, 1.0))
    width, height = (size, short) if random.random() < 0.7 else (short, size)
    scene = draw_backdrop(random, width, height)
    light = sample_light(random)
    sizes = np.array([])
    if with_people:
        sizes = _face_heights(random, size) if crowd is None else _crowd_heights(random, *crowd)
    placed: list[_PlacedFace] = []
    # From far to near, so that near people occlude far ones.
    for face_height in np.sort(sizes):
        if random.random() < 0.35:
            _add_distractor(random, scene, placed, size)
        _draw_person(random, scene, placed, face_height, light)
    for _ in range(random.integers(1, 4) if not with_people else random.integers(0, 3)):
        _add_distractor(random, scene, placed, size)
    faces = tuple(face for face in map(_label, placed) if face is not None)
    return Scene(_camera(random, scene), faces)


def _face_heights(random: np.random.Generator, size: int) -> np.ndarray:
    count = int(random.integers(1, 8))
    # Log-uniform, so that small faces are as frequent as large ones; crowds leave less space for large faces.
    largest = MAX_HEIGHT if count < 4 else 0.25
    return size * np.exp(random.uniform(np.log(MIN_HEIGHT), np.log(largest), count))


def _crowd_heights(random: np.random.Generator, min_height: float, max_height: float) -> np.ndarray:
    """A few large faces or many small ones; number and heights are log-uniform."""
    count = round(float(np.exp(random.uniform(0, np.log(CROWD)))))
    max_height = max(max_height / np.sqrt(count), min_height)
    return np.exp(random.uniform(np.log(min_height), np.log(max_height), count))


def _draw_person(
    random: np.random.Generator, scene: np.ndarray, placed: list[_PlacedFace], face_height: float, light: Light
) -> None:
    height, width = scene.shape[:2]
    identity, expression, pose = sample_identity(random), sample_expression(random), sample_pose(random)
    lit = expose(light, identity, random)
    # People do not stand directly in front of another face. After a few failed attempts the person is left out.
    for _ in range(12):
        x = random.uniform(0.02 * width, 0.98 * width)
        y = random.uniform(0.12 * height, 0.80 * height)
        if all(_is_clear_of((x, y), face_height, other) for other in placed):
            break
    else:
        return
    tile = int(np.ceil(TILE * face_height))
    left, top = int(x - tile / 2), int(y - CENTER_Y * tile)
    view = View.of_face(pose, face_height, tile / 2, CENTER_Y * tile)
    head = render_head(identity, expression, view, lit, (tile, tile), rays=2 if face_height < FINE_BELOW else 1)
    before = scene.copy()
    clothes = develop(0.7 * np.array(identity.clothes)[None, None])[0, 0].astype(float)
    draw_body(scene, (x, y + 0.9 * face_height), face_height, clothes)
    _occlude_by(placed, np.abs(scene - before).max(2) > 0.004)
    cover = _paste(scene, head, left, top)
    _occlude_by(placed, cover > 0.5)
    placed.append(_placed_face(head, left, top, (height, width), pose, float(np.mean(light.key)) < DIM))
    if random.random() < 0.18:
        _occlude(random, scene, placed, face_height)


def _is_clear_of(center: tuple[float, float], face_height: float, other: _PlacedFace) -> bool:
    x, y, w, h = other.bbox
    reach = 0.55 * (face_height + h)
    return abs(center[0] - (x + w / 2)) > 0.8 * reach or abs(center[1] - (y + h / 2)) > reach


def _paste(scene: np.ndarray, head: Head, left: int, top: int) -> np.ndarray:
    """Draw a head into the scene; returns its coverage of each pixel, (H, W)."""
    # The tile ends below the shoulders, where it fades into the body.
    fade = np.clip((1 - np.arange(head.alpha.shape[0]) / head.alpha.shape[0]) / 0.06, 0, 1)[:, None]
    cover = _paste_tile((head.alpha * fade).astype(np.float32), left, top, scene.shape[:2])
    pixels = _paste_tile(develop(head.linear), left, top, scene.shape[:2])
    scene[:] = scene * (1 - cover[..., None]) + pixels * cover[..., None]
    return cover


def _paste_tile(tile: np.ndarray, left: int, top: int, shape: tuple[int, int]) -> np.ndarray:
    """Place a tile on an empty image of the shape of the scene; parts outside are cropped."""
    canvas = np.zeros((*shape, *tile.shape[2:]), np.float32)
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + tile.shape[0], shape[0]), min(left + tile.shape[1], shape[1])
    if y1 > y0 and x1 > x0:
        canvas[y0:y1, x0:x1] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
    return canvas


def _placed_face(head: Head, left: int, top: int, shape: tuple[int, int], pose: Pose, dark: bool) -> _PlacedFace:
    x, y, w, h = head.bbox
    visible = _paste_tile(head.face.astype(np.float32), left, top, shape) > 0.5
    area = float(head.face.sum())
    return _PlacedFace((x + left, y + top, w, h), head.keypoints + np.array([left, top]), visible, area, pose, dark)


def _occlude_by(placed: list[_PlacedFace], cover: np.ndarray) -> None:
    for face in placed:
        face.visible &= ~cover


def _occlude(random: np.random.Generator, scene: np.ndarray, placed: list[_PlacedFace], face_height: float) -> None:
    """Occlude the face that was drawn last: with a bar, a sheet, a mask or a hand-sized blob."""
    x, y, w, h = placed[-1].bbox
    before = scene.copy()
    color = tuple(random.uniform(0.03, 0.9, 3))
    kind = random.choice(["bar", "sheet", "mask", "blot"])
    if kind == "bar":
        at = x + random.uniform(0.1, 0.9) * w
        end = (int(at + random.uniform(-0.3, 0.3) * h), scene.shape[0])
        cv2.line(scene, (int(at), 0), end, color, max(2, int(0.14 * face_height)), cv2.LINE_AA)
    elif kind == "sheet":
        side = x + random.uniform(0.45, 0.75) * w
        cv2.rectangle(scene, (int(side), int(y - h)), (int(side + 2 * w), int(y + 2 * h)), color, -1)
    elif kind == "mask":
        cv2.ellipse(
            scene,
            (int(x + w / 2), int(y + 0.76 * h)),
            (int(0.48 * w), int(0.27 * h)),
            0,
            0,
            360,
            color,
            -1,
            cv2.LINE_AA,
        )
    else:
        center = (int(x + random.uniform(0, 1) * w), int(y + random.uniform(0.4, 1) * h))
        cv2.circle(scene, center, max(2, int(0.26 * face_height)), (0.4, 0.5, 0.68), -1, cv2.LINE_AA)
    _occlude_by(placed, np.abs(scene - before).max(2) > 0.004)


def _add_distractor(random: np.random.Generator, scene: np.ndarray, placed: list[_PlacedFace], size: int) -> None:
    height, width = scene.shape[:2]
    radius = size * random.uniform(0.03, 0.13)
    before = scene.copy()
    draw_distractor(random, scene, (random.uniform(0, width), random.uniform(0, height)), radius)
    _occlude_by(placed, np.abs(scene - before).max(2) > 0.004)


def _label(face: _PlacedFace) -> Face | None:
    """The label an annotator would give, in whole pixels; None if the face is hardly visible."""
    hidden = 1 - face.visible.sum() / max(face.area, 1)
    if face.area < 4 or hidden > 1 - MIN_VISIBLE:
        return None
    x, y, w, h = (round(value) for value in face.bbox)
    attributes = {
        "blur": 0,
        "expression": 0,
        "illumination": int(face.dark),
        "invalid": int(hidden > 1 - MIN_VISIBLE_VALID),
        "occlusion": 2 if hidden > HEAVY_OCCLUSION else int(hidden > PARTIAL_OCCLUSION),
        "pose": int(abs(face.pose.yaw) > 50 or abs(face.pose.roll) > 30),
    }
    points = tuple((round(float(px), 1), round(float(py), 1)) for px, py in face.keypoints)
    return Face((x, y, w, h), points, False, attributes)


def _camera(random: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Simulate a camera: exposure, white balance, defocus, motion blur, noise, and its JPEG compression."""
    balance = random.uniform(0.75, 1.15) * (1 + 0.04 * random.standard_normal(3)).clip(0.9, 1.1)
    picture = (scene * balance).astype(np.float32)
    defocus = random.uniform(0.9, 1.8) if random.random() < DEFOCUSED else random.uniform(0.3, 0.8)
    picture = cv2.GaussianBlur(picture, (0, 0), defocus)
    if random.random() < SHAKEN:
        picture = cv2.filter2D(picture, -1, motion_blur_kernel(random.uniform(2, 5), random.uniform(0, np.pi)))
    # Shot noise grows with brightness; sensor noise is the same everywhere.
    grain = random.standard_normal(scene.shape).astype(np.float32)
    level = random.uniform(0.003, 0.02) + random.uniform(0.0, 0.02) * np.sqrt(picture.clip(0, 1))
    sensed = ((picture + cv2.GaussianBlur(grain, (0, 0), 0.4) * 1.6 * level).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", sensed, (cv2.IMWRITE_JPEG_QUALITY, int(random.integers(72, 96))))
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
