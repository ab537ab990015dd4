"""A procedural head as a picture: its camera, its colours and its light.

The head is a formula. No photograph, no weights and nobody's face go into it.
"""

from dataclasses import dataclass

import numpy as np

from facade.heads.anatomy import hair_solids, landmarks, skin_solids
from facade.heads.field import compiled, distances, trace
from facade.heads.identity import Identity
from facade.heads.portrait import Portrait

# Rays along each side of a pixel.
FINE = 2
# Half the side of the tile, in half head heights, on which a head is drawn with its neck, or its face alone.
WHOLE, FACE_ALONE = 1.55, 1.15
# A face, hairline to chin, in half head heights.
FACE = 1.6


@dataclass(frozen=True)
class Pose:
    """How a head is held, in degrees: yaw turns it to the right of the picture, pitch raises the chin, roll tilts it
    clockwise.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def rotation(self) -> np.ndarray:
        """(3, 3) matrix from the head's axes to the camera's."""
        yaw, pitch, roll = np.radians([self.yaw, -self.pitch, -self.roll])
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return about_z @ about_x @ about_y


@dataclass(frozen=True)
class Light:
    """One lamp and the sky: the direction to the lamp in the camera's axes, and shares of the brightness."""

    direction: tuple[float, float, float] = (0.3, 0.5, 0.8)
    lamp: float = 0.75
    sky: float = 0.45


def draw_light(random: np.random.Generator) -> Light:
    """A light at random: mostly from above and the front, now and then from the side."""
    direction = (random.uniform(-1, 1), random.uniform(-0.1, 1), random.uniform(0.35, 1.2))
    lamp = random.uniform(0.3, 0.9)
    return Light(direction, lamp, 1.15 - lamp)


class _Surface:
    """The field of one head."""

    def __init__(self, who: Identity) -> None:
        self._field = (
            compiled(skin_solids(who)),
            compiled(hair_solids(who)),
            who.hairline,
            float(who.texture % 628) / 100,
        )

    def trace(self, screen: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return trace(*self._field, screen, rotation)

    def distances(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return distances(*self._field, points)

    def normals(self, points: np.ndarray, is_hair: np.ndarray) -> np.ndarray:
        """Unit vectors out of the skin, or out of the hair, (N, 3)."""
        slopes = []
        for step in np.eye(3) * 0.01:
            ahead, behind = self.distances(points + step), self.distances(points - step)
            slopes.append(np.where(is_hair, ahead[1] - behind[1], ahead[0] - behind[0]))
        normals = np.stack(slopes, axis=1)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def draw_portrait(who: Identity, pose: Pose, light: Light, face_height: float, margin: float = WHOLE) -> Portrait:
    """Draw a head, with four rays a pixel.

    Args:
        who: The person.
        pose: How the head is held.
        light: What it is lit by.
        face_height: About how many pixels the face is to be high.
        margin: Half the side of the tile, in half head heights; `FACE_ALONE` takes half the time of `WHOLE`.

    Returns:
        The head in the middle of a square tile.
    """
    unit = face_height / FACE
    size = max(8, int(np.ceil(2 * margin * unit)))
    centre = size / 2
    axis = (np.arange(size * FINE) + 0.5) / FINE
    screen_x, screen_y = np.meshgrid((axis - centre) / unit, (centre - axis) / unit)
    rotation = pose.rotation()
    surface = _Surface(who)
    met, points = surface.trace(np.column_stack([screen_x.ravel(), screen_y.ravel()]), rotation)
    colour, face = np.zeros((met.size, 3)), np.zeros(met.size)
    if met.any():
        colour[met], face[met] = _shade(surface, points[met], rotation, who, light)
    # Averaged as light is, then shown with gamma; colour is weighted by coverage, so edges do not darken.
    cover = _per_pixel(met.astype(float), size)
    linear = _per_pixel(colour, size) / np.maximum(cover, 1e-6)
    face_cover = _per_pixel(face, size)
    spots = landmarks(who) @ rotation.T
    keypoints = np.stack([centre + spots[:, 0] * unit, centre - spots[:, 1] * unit], axis=1)
    return Portrait(
        pixels=(np.clip(linear, 0, 1) ** (1 / 2.2))[..., ::-1].astype(np.float32),
        head=cover[..., 0].astype(np.float32),
        face=face_cover[..., 0].astype(np.float32),
        keypoints=keypoints.astype(np.float32),
        bbox=_extent(face_cover[..., 0]),
    )


def _per_pixel(rays: np.ndarray, size: int) -> np.ndarray:
    """Mean over the rays of each pixel, (size, size, channels)."""
    return rays.reshape(size, FINE, size, FINE, -1).mean((1, 3))


def _extent(cover: np.ndarray) -> tuple[float, float, float, float]:
    rows = np.flatnonzero(cover.max(1) > 0.5)
    columns = np.flatnonzero(cover.max(0) > 0.5)
    if not rows.size or not columns.size:
        return (0.0, 0.0, 0.0, 0.0)
    left, top = float(columns[0]), float(rows[0])
    return (left, top, float(columns[-1] + 1) - left, float(rows[-1] + 1) - top)


def _smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _mix(colour: np.ndarray, paint: np.ndarray, amount: np.ndarray) -> np.ndarray:
    return colour * (1 - amount[:, None]) + paint * amount[:, None]


def _shade(
    surface: _Surface, points: np.ndarray, rotation: np.ndarray, who: Identity, light: Light
) -> tuple[np.ndarray, np.ndarray]:
    """Linear RGB (N, 3) of points on the head, and how much each belongs to the face (N,)."""
    to_skin, to_hair = surface.distances(points)
    is_hair = to_hair < to_skin
    normals = surface.normals(points, is_hair)
    colour, shine = _skin_colour(points, who)
    colour = np.where(is_hair[:, None], _hair_colour(points, who), colour)
    shine = np.where(is_hair, 0.10, shine)
    seen = normals @ rotation.T
    lamp = np.array(light.direction) / np.linalg.norm(light.direction)
    # Light scatters inside skin and softens the border of the shadow; hair keeps it hard.
    wrap = np.where(is_hair, 0.0, 0.25)
    diffuse = np.clip((seen @ lamp + wrap) / (1 + wrap), 0, 1)
    sky = 0.62 + 0.38 * seen[:, 1]
    halfway = lamp + np.array([0, 0, 1])
    glint = np.clip(seen @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 24
    lit = colour * (light.lamp * diffuse + light.sky * sky)[:, None] + (shine * light.lamp * glint)[:, None]
    # The face as WIDER FACE draws it: hairline to chin, ear to ear, without neck and ears.
    x, y, z = points.T
    jawline = -0.96 + 0.55 * np.clip(0.35 - z, 0, 2)
    face = ~is_hair & (y > jawline) & (y < who.hairline + 0.05) & (z > -0.12) & (np.abs(x) < who.skull_width + 0.02)
    return lit, face.astype(float)


def _grain(points: np.ndarray, seed: int, fineness: float) -> np.ndarray:
    """Smooth irregular values from -1 to 1 on the head's surface: a few crossed waves with seeded phases."""
    random = np.random.default_rng(seed)
    total = np.zeros(len(points))
    for _ in range(6):
        direction = random.standard_normal(3)
        total += np.sin(points @ (direction * fineness) + random.uniform(0, 6.28))
    return total / 6


def _hair_colour(points: np.ndarray, who: Identity) -> np.ndarray:
    strands = _grain(points * np.array([1, 0.25, 1]), who.texture, 42.0)
    return who.hair * (1 + 0.45 * strands)[:, None]


def _skin_colour(points: np.ndarray, who: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (N, 3) and gloss (N,) of the skin, with eyes, brows, lips, beard and glasses painted on."""
    x, y, z = points.T
    front = z > 0.15
    side = np.abs(x)
    colour = who.skin * (1 + 0.07 * _grain(points, who.texture + 1, 9.0))[:, None]
    shine = np.full(len(points), 0.05)
    # Blood shows in cheeks, nose and ears.
    flush = np.exp(-((side - 0.38) ** 2 / 0.03 + (y + 0.22) ** 2 / 0.03)) + np.exp(
        -(x**2 / 0.02 + (y - who.nose_length) ** 2 / 0.02)
    )
    colour = colour * (1 - 0.14 * (front * flush)[:, None] * np.array([0.1, 1.0, 0.9]))
    colour = _mix(colour, who.hair * 0.8 + 0.01, who.beard * front * _beard_area(x, y, who))
    # Lips, parted by a dark line.
    across = side / who.mouth_width
    bow = who.mouth_height + 0.012 * np.cos(across * 9) * (across < 0.4)
    lips = (
        front
        * (across < 1)
        * _smooth(1.0, 0.7, np.abs(y - bow) / (who.lip_fullness * np.sqrt(np.clip(1 - across**2, 0.05, 1))))
    )
    lip_colour = who.skin * np.array([0.85, 0.55 - 0.2 * who.lip_redness, 0.52 - 0.12 * who.lip_redness])
    colour = _mix(colour, lip_colour, 0.85 * lips)
    parting = front * (across < 0.95) * _smooth(0.016, 0.006, np.abs(y - who.mouth_height))
    colour = _mix(colour, who.skin * 0.12, 0.85 * parting)
    nostril = front * _smooth(
        1.0, 0.5, ((side - 0.6 * who.nose_width) / 0.035) ** 2 + ((y - who.nose_length + 0.075) / 0.022) ** 2
    )
    colour = _mix(colour, who.skin * 0.10, 0.9 * nostril)
    colour, shine = _paint_eyes(colour, shine, side, y, front, who)
    return np.clip(colour, 0.003, 1), shine


def _beard_area(x: np.ndarray, y: np.ndarray, who: Identity) -> np.ndarray:
    below = _smooth(-0.28, -0.42, y + 0.25 * np.abs(x)) * _smooth(-1.02, -0.92, y)
    mouth = _smooth(1.4, 0.8, (x / who.mouth_width) ** 2 + ((y - who.mouth_height) / (1.3 * who.lip_fullness)) ** 2)
    return below * (1 - mouth)


def _paint_eyes(
    colour: np.ndarray, shine: np.ndarray, side: np.ndarray, y: np.ndarray, front: np.ndarray, who: Identity
) -> tuple[np.ndarray, np.ndarray]:
    across = (side - who.eye_spacing) / who.eye_width
    height = y - 0.04 - who.eye_tilt * (side - who.eye_spacing)
    lid = who.eye_open * np.sqrt(np.clip(1 - across**2, 0, 1))
    gap = front * (np.abs(across) < 1) * _smooth(lid.max() * 0.15, -lid.max() * 0.15, np.abs(height) - lid)
    # The hollow between eye and nose, and the fold above the lid, lie in shadow.
    hollow = front * np.exp(-(((across + 0.55) / 0.9) ** 2 + ((height - 0.035) / 0.085) ** 2))
    colour = colour * (1 - 0.32 * hollow)[:, None]
    iris_distance = np.hypot(side - who.eye_spacing, height - 0.006)
    eye = np.full_like(colour, 0.52) * np.array([1, 0.95, 0.92])
    eye = _mix(eye, who.iris, _smooth(0.062, 0.052, iris_distance))
    eye = _mix(eye, np.full(3, 0.006), _smooth(0.03, 0.022, iris_distance))
    eye = eye * (1 - 0.45 * _smooth(0.0, 0.05, height))[:, None]  # the upper lid shades the eyeball
    colour = _mix(colour, eye, gap)
    shine = np.where(gap > 0.5, 0.25, shine)
    lash = front * (np.abs(across) < 1.05) * _smooth(0.022, 0.006, np.abs(height - lid))
    colour = _mix(colour, who.skin * 0.06, 0.9 * lash)
    brow_y = 0.04 + who.brow_height - 0.06 * across**2 + 0.02 * across
    brow = (
        front
        * (np.abs(across) < 1.35)
        * _smooth(1.0, 0.55, np.abs(y - brow_y) / (who.brow_thickness * (1.3 - 0.5 * across.clip(0, 1.4))))
    )
    colour = _mix(colour, np.minimum(who.hair, 0.12) * 0.8, 0.85 * brow)
    if who.glasses:
        ring = np.abs(np.hypot((side - who.eye_spacing) / 0.20, (y - 0.02) / 0.16) - 1)
        frame = front * np.maximum(_smooth(0.16, 0.08, ring), (side < 0.10) * _smooth(0.03, 0.015, np.abs(y - 0.08)))
        colour = _mix(colour, np.full(3, 0.02), frame)
    return colour, shine
