"""Backgrounds of demo photographs: walls, windows, foliage, bodies, and round objects that are not faces."""

import cv2
import numpy as np

Color = tuple[float, float, float]


def draw_backdrop(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Render a background without people, (H, W, 3) float32, BGR, 0 to 1."""
    top, bottom = _muted(random, 0.1, 0.9), _muted(random, 0.05, 0.7)
    share = np.linspace(0, 1, height)[:, None, None]
    scene = np.broadcast_to(top * (1 - share) + bottom * share, (height, width, 3)).astype(np.float32).copy()
    for _ in range(random.integers(2, 9)):
        _draw_panel(random, scene)
    for cells, strength in ((4, 0.18), (12, 0.10), (40, 0.06)):
        # Backgrounds vary much in brightness and little in hue.
        field = random.standard_normal((cells, cells, 1)) + 0.3 * random.standard_normal((cells, cells, 3))
        field = field.astype(np.float32)
        scene += strength * random.uniform(0.2, 1) * cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    return scene.clip(0.01, 0.99)


def _muted(random: np.random.Generator, low: float, high: float) -> np.ndarray:
    """A muted color, as of walls and clothes, (3,) BGR."""
    return (random.uniform(low, high) + 0.14 * random.standard_normal(3)).clip(0.02, 0.95)


def _draw_panel(random: np.random.Generator, scene: np.ndarray) -> None:
    """A wall, a row of windows or a striped surface."""
    height, width = scene.shape[:2]
    left, top = random.integers(-width // 4, width), random.integers(-height // 4, height)
    wide, high = random.integers(width // 8, width), random.integers(height // 8, height)
    color = tuple(_muted(random, 0.05, 0.85))
    cv2.rectangle(scene, (int(left), int(top)), (int(left + wide), int(top + high)), color, -1)
    if random.random() < 0.5:
        step = int(random.integers(6, 24))
        line = tuple(random.uniform(0.02, 0.95, 3))
        for x in range(int(left), int(left + wide), step):
            cv2.line(scene, (x, int(top)), (x, int(top + high)), line, int(random.integers(1, 4)))
        if random.random() < 0.5:
            for y in range(int(top), int(top + high), step):
                cv2.line(scene, (int(left), y), (int(left + wide), y), line, 1)


def draw_distractor(random: np.random.Generator, scene: np.ndarray, center: tuple[float, float], radius: float) -> None:
    """Draw a round object that is not a face into the scene: ball, plate, clock, lamp or a plain oval of skin."""
    kind = random.choice(["ball", "plate", "clock", "lamp", "oval"])
    at = (int(center[0]), int(center[1]))
    color = random.uniform(0.1, 0.95, 3)
    if kind in ("ball", "lamp"):
        _draw_ball(random, scene, center, radius, color, glow=kind == "lamp")
    elif kind == "plate":
        for share, shade in ((1.0, 0.9), (0.72, 0.7), (0.66, 1.0)):
            cv2.circle(scene, at, max(1, int(radius * share)), tuple(color * shade), -1, cv2.LINE_AA)
    elif kind == "clock":
        cv2.circle(scene, at, int(radius), (0.08, 0.08, 0.08), -1, cv2.LINE_AA)
        cv2.circle(scene, at, max(1, int(0.88 * radius)), (0.93, 0.95, 0.95), -1, cv2.LINE_AA)
        for angle in np.radians([*range(0, 360, 30)]):
            tip = np.array(center) + 0.8 * radius * np.array([np.cos(angle), np.sin(angle)])
            cv2.circle(scene, (int(tip[0]), int(tip[1])), max(1, int(radius / 14)), (0.1, 0.1, 0.1), -1, cv2.LINE_AA)
        for length, angle in ((0.5, random.uniform(0, 6.3)), (0.72, random.uniform(0, 6.3))):
            tip = np.array(center) + length * radius * np.array([np.cos(angle), np.sin(angle)])
            hand = max(1, int(radius / 12))
            cv2.line(scene, at, (int(tip[0]), int(tip[1])), (0.1, 0.1, 0.1), hand, cv2.LINE_AA)
    else:
        skin = np.array([0.45, 0.6, 0.8]) * random.uniform(0.35, 1.1)
        axes = (max(1, int(0.78 * radius)), max(1, int(radius)))
        cv2.ellipse(scene, at, axes, random.uniform(-30, 30), 0, 360, tuple(skin.clip(0, 1)), -1, cv2.LINE_AA)


def _draw_ball(
    random: np.random.Generator,
    scene: np.ndarray,
    center: tuple[float, float],
    radius: float,
    color: np.ndarray,
    glow: bool,
) -> None:
    height, width = scene.shape[:2]
    x, y = np.meshgrid((np.arange(width) - center[0]) / radius, (np.arange(height) - center[1]) / radius)
    away = x * x + y * y
    inside = np.clip((1 - np.sqrt(away)) * radius, 0, 1)[..., None].astype(np.float32)
    depth = np.sqrt(np.clip(1 - away, 0, 1))
    lamp = random.uniform(-0.6, 0.6, 2)
    bright = (0.6 + 0.5 * depth) if glow else np.clip(0.25 + 0.75 * (depth - x * lamp[0] - y * lamp[1]), 0, 1.2)
    band = 1 - 0.5 * (np.abs(x * lamp[1] + y * lamp[0]) < 0.12)
    ball = np.clip(color * (bright * band)[..., None], 0, 1)
    scene[:] = scene * (1 - inside) + ball.astype(np.float32) * inside


def draw_body(scene: np.ndarray, neck: tuple[float, float], face_height: float, color: np.ndarray) -> None:
    """Draw shoulders and chest below a head into the scene.

    Args:
        scene: (H, W, 3) float32, BGR, 0 to 1.
        neck: End of the neck, x y in pixels.
        face_height: Height of the face, pixels.
        color: Color of the clothes, (3,) BGR, 0 to 1.
    """
    x, y = neck
    half = 1.05 * face_height
    outline = np.array(
        [
            (x - 0.28 * face_height, y - 0.05 * face_height), (x + 0.28 * face_height, y - 0.05 * face_height),
            (x + 0.8 * half, y + 0.18 * face_height), (x + half, y + 0.6 * face_height),
            (x + 1.05 * half, y + 3.2 * face_height), (x - 1.05 * half, y + 3.2 * face_height),
            (x - half, y + 0.6 * face_height), (x - 0.8 * half, y + 0.18 * face_height),
        ]
    )  # fmt: skip
    cv2.fillPoly(scene, [outline.astype(np.int32)], tuple(color), cv2.LINE_AA)
    cv2.line(
        scene, (int(x), int(y)), (int(x), int(y + 3 * face_height)), tuple(color * 0.6), max(1, int(face_height / 25))
    )
