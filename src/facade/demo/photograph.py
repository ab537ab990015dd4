"""One photograph of the demo: people at several distances, partly hidden, before a backdrop."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.camera.shake import shake_kernel
from facade.dataset import Face
from facade.demo.backdrop import draw_backdrop, draw_body, draw_distractor
from facade.heads import (
    Head,
    Light,
    Pose,
    View,
    develop,
    draw_expression,
    draw_head,
    draw_identity,
    draw_light,
    draw_pose,
    exposed,
)  # fmt: skip

# Height of a face in shares of the photograph's longest side: from the far end of a hall to across a table.
SMALLEST, LARGEST = 0.08, 0.38
# People in the largest crowd.
CROWD = 30
# A person is drawn on a square so many face heights wide, the face's middle at this share of it from the top.
TILE, ABOVE = 2.6, 0.46
# Faces lower than this are drawn with four rays a pixel.
FINE_BELOW = 48.0
# A lamp weaker than this makes a dark picture.
DIM = 0.3
# Share of pictures out of focus, and of those taken with a shaking hand.
BLURRED, SHAKEN = 0.15, 0.12
# WIDER FACE's occlusion levels: part of the face hidden, 0 none, 1 some, 2 much (from 30 %).
PARTLY, MUCH = 0.05, 0.30
# With less than this share to be seen, an annotator calls the face invalid, or draws no box at all.
INVALID, UNSEEN = 0.5, 0.2


@dataclass(frozen=True)
class Scene:
    """A drawn photograph: (H, W, 3) uint8, BGR, and the faces in it."""

    pixels: np.ndarray
    faces: tuple[Face, ...]


@dataclass
class _Placed:
    """A face in the scene: its box and landmarks in pixels, and which pixels still show it."""

    bbox: tuple[float, float, float, float]
    keypoints: np.ndarray
    visible: np.ndarray
    area: float
    pose: Pose
    dark: bool


def draw_scene(
    random: np.random.Generator, size: int, with_people: bool, crowd: tuple[float, float] | None = None
) -> Scene:
    """Draw a photograph.

    Args:
        random: Where all chance comes from.
        size: Longest side, in pixels.
        with_people: False draws a photograph without a face.
        crowd: Face heights from least to most, in pixels, of a photograph with up to `CROWD` people. By default the
            demo's: a few people, from the far end of a hall to across a table.
    """
    short = int(size * random.uniform(0.62, 1.0))
    width, height = (size, short) if random.random() < 0.7 else (short, size)
    scene = draw_backdrop(random, width, height)
    light = draw_light(random)
    sizes = np.array([])
    if with_people:
        sizes = _face_heights(random, size) if crowd is None else _crowd_heights(random, *crowd)
    placed: list[_Placed] = []
    # The far ones first, so that the near ones hide them.
    for face_height in np.sort(sizes):
        if random.random() < 0.35:
            _scatter(random, scene, placed, size)
        _draw_person(random, scene, placed, face_height, light)
    for _ in range(random.integers(1, 4) if not with_people else random.integers(0, 3)):
        _scatter(random, scene, placed, size)
    faces = tuple(face for face in map(_label, placed) if face is not None)
    return Scene(_camera(random, scene), faces)


def _face_heights(random: np.random.Generator, size: int) -> np.ndarray:
    count = int(random.integers(1, 8))
    # Uniform in the logarithm: as many small faces as large ones, less the room that a crowd leaves.
    largest = LARGEST if count < 4 else 0.25
    return size * np.exp(random.uniform(np.log(SMALLEST), np.log(largest), count))


def _crowd_heights(random: np.random.Generator, least: float, most: float) -> np.ndarray:
    """Few large faces or many small ones, both uniform in the logarithm."""
    count = round(float(np.exp(random.uniform(0, np.log(CROWD)))))
    most = max(most / np.sqrt(count), least)
    return np.exp(random.uniform(np.log(least), np.log(most), count))


def _draw_person(
    random: np.random.Generator, scene: np.ndarray, placed: list[_Placed], face_height: float, light: Light
) -> None:
    height, width = scene.shape[:2]
    who, look, pose = draw_identity(random), draw_expression(random), draw_pose(random)
    lit = exposed(light, who, random)
    # Nobody stands right in front of another's face: a few tries for a place, then the crowd is full.
    for _ in range(12):
        x = random.uniform(0.02 * width, 0.98 * width)
        y = random.uniform(0.12 * height, 0.80 * height)
        if all(_apart((x, y), face_height, other) for other in placed):
            break
    else:
        return
    tile = int(np.ceil(TILE * face_height))
    left, top = int(x - tile / 2), int(y - ABOVE * tile)
    view = View.of_face(pose, face_height, tile / 2, ABOVE * tile)
    head = draw_head(who, look, view, lit, (tile, tile), rays=2 if face_height < FINE_BELOW else 1)
    before = scene.copy()
    clothes = develop(0.7 * np.array(who.clothes)[None, None])[0, 0].astype(float)
    draw_body(scene, (x, y + 0.9 * face_height), face_height, clothes)
    _hide(placed, np.abs(scene - before).max(2) > 0.004)
    cover = _paste(scene, head, left, top)
    _hide(placed, cover > 0.5)
    placed.append(_place(head, left, top, (height, width), pose, float(np.mean(light.key)) < DIM))
    if random.random() < 0.18:
        _occlude(random, scene, placed, face_height)


def _apart(centre: tuple[float, float], face_height: float, other: _Placed) -> bool:
    x, y, w, h = other.bbox
    reach = 0.55 * (face_height + h)
    return abs(centre[0] - (x + w / 2)) > 0.8 * reach or abs(centre[1] - (y + h / 2)) > reach


def _paste(scene: np.ndarray, head: Head, left: int, top: int) -> np.ndarray:
    """Draw a head into the scene; returns how much of each pixel it covers, (H, W)."""
    # The tile ends below the shoulders; there the body goes on.
    fade = np.clip((1 - np.arange(head.alpha.shape[0]) / head.alpha.shape[0]) / 0.06, 0, 1)[:, None]
    cover = _onto((head.alpha * fade).astype(np.float32), left, top, scene.shape[:2])
    pixels = _onto(develop(head.linear), left, top, scene.shape[:2])
    scene[:] = scene * (1 - cover[..., None]) + pixels * cover[..., None]
    return cover


def _onto(tile: np.ndarray, left: int, top: int, shape: tuple[int, int]) -> np.ndarray:
    """A tile on an empty sheet of the scene's shape; what reaches over the border is cut."""
    sheet = np.zeros((*shape, *tile.shape[2:]), np.float32)
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + tile.shape[0], shape[0]), min(left + tile.shape[1], shape[1])
    if y1 > y0 and x1 > x0:
        sheet[y0:y1, x0:x1] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
    return sheet


def _place(head: Head, left: int, top: int, shape: tuple[int, int], pose: Pose, dark: bool) -> _Placed:
    x, y, w, h = head.bbox
    visible = _onto(head.face.astype(np.float32), left, top, shape) > 0.5
    area = float(head.face.sum())
    return _Placed((x + left, y + top, w, h), head.keypoints + np.array([left, top]), visible, area, pose, dark)


def _hide(placed: list[_Placed], cover: np.ndarray) -> None:
    for face in placed:
        face.visible &= ~cover


def _occlude(random: np.random.Generator, scene: np.ndarray, placed: list[_Placed], face_height: float) -> None:
    """Something in front of the face drawn last: a bar, a sheet, a mask or a hand-sized blot."""
    x, y, w, h = placed[-1].bbox
    before = scene.copy()
    colour = tuple(random.uniform(0.03, 0.9, 3))
    kind = random.choice(["bar", "sheet", "mask", "blot"])
    if kind == "bar":
        at = x + random.uniform(0.1, 0.9) * w
        end = (int(at + random.uniform(-0.3, 0.3) * h), scene.shape[0])
        cv2.line(scene, (int(at), 0), end, colour, max(2, int(0.14 * face_height)), cv2.LINE_AA)
    elif kind == "sheet":
        side = x + random.uniform(0.45, 0.75) * w
        cv2.rectangle(scene, (int(side), int(y - h)), (int(side + 2 * w), int(y + 2 * h)), colour, -1)
    elif kind == "mask":
        cv2.ellipse(
            scene,
            (int(x + w / 2), int(y + 0.76 * h)),
            (int(0.48 * w), int(0.27 * h)),
            0,
            0,
            360,
            colour,
            -1,
            cv2.LINE_AA,
        )
    else:
        centre = (int(x + random.uniform(0, 1) * w), int(y + random.uniform(0.4, 1) * h))
        cv2.circle(scene, centre, max(2, int(0.26 * face_height)), (0.4, 0.5, 0.68), -1, cv2.LINE_AA)
    _hide(placed, np.abs(scene - before).max(2) > 0.004)


def _scatter(random: np.random.Generator, scene: np.ndarray, placed: list[_Placed], size: int) -> None:
    height, width = scene.shape[:2]
    radius = size * random.uniform(0.03, 0.13)
    before = scene.copy()
    draw_distractor(random, scene, (random.uniform(0, width), random.uniform(0, height)), radius)
    _hide(placed, np.abs(scene - before).max(2) > 0.004)


def _label(face: _Placed) -> Face | None:
    """The label that an annotator would give, in whole pixels; None if the face is hardly to be seen."""
    hidden = 1 - face.visible.sum() / max(face.area, 1)
    if face.area < 4 or hidden > 1 - UNSEEN:
        return None
    x, y, w, h = (round(value) for value in face.bbox)
    attributes = {
        "blur": 0,
        "expression": 0,
        "illumination": int(face.dark),
        "invalid": int(hidden > 1 - INVALID),
        "occlusion": 2 if hidden > MUCH else int(hidden > PARTLY),
        "pose": int(abs(face.pose.yaw) > 50 or abs(face.pose.roll) > 30),
    }
    points = tuple((round(float(px), 1), round(float(py), 1)) for px, py in face.keypoints)
    return Face((x, y, w, h), points, False, attributes)


def _camera(random: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """What a camera does to a scene: exposure and white balance, defocus, a shaking hand, noise, its own JPEG."""
    balance = random.uniform(0.75, 1.15) * (1 + 0.04 * random.standard_normal(3)).clip(0.9, 1.1)
    picture = (scene * balance).astype(np.float32)
    defocus = random.uniform(0.9, 1.8) if random.random() < BLURRED else random.uniform(0.3, 0.8)
    picture = cv2.GaussianBlur(picture, (0, 0), defocus)
    if random.random() < SHAKEN:
        picture = cv2.filter2D(picture, -1, shake_kernel(random.uniform(2, 5), random.uniform(0, np.pi)))
    # Noise of light is strongest, in absolute terms, where there is much of it; that of the sensor is everywhere.
    grain = random.standard_normal(scene.shape).astype(np.float32)
    level = random.uniform(0.003, 0.02) + random.uniform(0.0, 0.02) * np.sqrt(picture.clip(0, 1))
    sensed = ((picture + cv2.GaussianBlur(grain, (0, 0), 0.4) * 1.6 * level).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", sensed, (cv2.IMWRITE_JPEG_QUALITY, int(random.integers(72, 96))))
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
