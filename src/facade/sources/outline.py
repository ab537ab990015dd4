"""What five landmarks tell of a face in a picture: its outline, how it is turned, where its skin is bare."""

from dataclasses import dataclass, replace

import numpy as np

# Points of the middle of the face, seen from in front, in distances from the line of the eyes to that of the mouth
# (about 7 cm in adults). To each side, ear to ear (13.7 cm); above the eyes, to the hairline (6.3 cm); below the
# mouth, to the chin (4.8 cm): means of adults (Farkas, Anthropometry of the Head and Face, 1994), rounded.
HALF_WIDTH, ABOVE, BELOW = 0.98, 0.90, 0.68
# How far the plane of eyes and mouth lies in front of the ears, the tip of the nose in front of that plane, and the
# face's contour, seen from the side, in front of the ears; in the same distances.
PLANE, NOSE, PROFILE = 1.0, 0.5, 1.15
# Jaws are narrower than the lower half of an ellipse: exponent of the superellipse below the middle.
JAW = 1.75
# Where skin is bare in most people: x, y of the middle and half axes of a cheek (the other lies opposite) and of the
# chin, in the same distances from the middle between eyes and mouth, seen from in front.
CHEEK = (0.56, 0.10, 0.16, 0.20)
CHIN = (0.0, 0.93, 0.22, 0.10)
# The landmarks lie inside this level: eyes and mouth are never at the very edge of a face.
LANDMARKS = 0.85
# From this sine of the yaw on, the far cheek is left out.
TURNED = 0.3


@dataclass(frozen=True)
class Outline:
    """The outline of a face, hairline to chin and ear to ear.

    Attributes:
        middle: (2,) the middle between eyes and mouth, x y in pixels.
        across: (2,) unit vector along the line of the eyes, to the right of the picture in an upright face.
        down: (2,) unit vector from the eyes to the mouth.
        unit: From the line of the eyes to that of the mouth, pixels.
        turn: Sine of the yaw, -1 to 1; positive looks to the right.
        left: How far the face reaches to the left of its middle, in units.
        right: How far it reaches to the right.
        nod: How far below the eyes the tip of the nose lies, in units; about .5 from in front, less with a raised chin.
    """

    middle: np.ndarray
    across: np.ndarray
    down: np.ndarray
    unit: float
    turn: float
    left: float
    right: float
    nod: float

    def level(self, points: np.ndarray) -> np.ndarray:
        """How far out points lie: 0 in the middle, 1 on the outline.

        Args:
            points: (..., 2), x y in pixels.
        """
        x, y = self._own(points)
        across = np.abs(x) / np.where(x < 0, self.left, self.right)
        down = np.abs(y) / np.where(y < 0, 0.5 + ABOVE, 0.5 + BELOW)
        return np.asarray(np.where(y < 0, np.hypot(across, down), (across**JAW + down**JAW) ** (1 / JAW)))

    def ring(self, level: float, count: int) -> np.ndarray:
        """(count, 2) points about the face, at a level, x y in pixels."""
        angles = 2 * np.pi * np.arange(count) / count
        rays = np.cos(angles)[:, None] * self.across + np.sin(angles)[:, None] * self.down
        reach = level / self.level(self.middle + rays)
        return np.asarray(self.middle + rays * reach[:, None])

    def skin(self, points: np.ndarray) -> np.ndarray:
        """Whether points lie on cheeks or chin, (...) bool. The far cheek of a turned face does not count.

        Args:
            points: (..., 2), x y in pixels.
        """
        x, y = self._own(points)
        # The plane of the landmarks narrows as it turns away.
        narrowed = max(float(np.sqrt(1 - self.turn**2)), 0.2)
        spots = [CHIN]
        spots += [(CHEEK[0], *CHEEK[1:])] * (self.turn < TURNED) + [(-CHEEK[0], *CHEEK[1:])] * (self.turn > -TURNED)
        within = [
            np.hypot((x - cx * narrowed) / (half_x * narrowed), (y - cy) / half_y) < 1
            for cx, cy, half_x, half_y in spots
        ]
        return np.asarray(np.any(within, axis=0) & (self.level(points) < 0.9))

    def _own(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x, y of points in the face's own upright axes, in units."""
        away = (points - self.middle) / self.unit
        return away @ self.across, away @ self.down

    def _holding(self, keypoints: np.ndarray) -> "Outline":
        """The outline, made wider where a landmark would lie beyond the level `LANDMARKS`."""
        x, y = self._own(keypoints)
        down = np.abs(y) / np.where(y < 0, 0.5 + ABOVE, 0.5 + BELOW)
        power = np.where(y < 0, 2, JAW)
        room = np.maximum(1 - (down / LANDMARKS) ** power, 0.1) ** (1 / power) * LANDMARKS
        left, right = float((-x / room).max()), float((x / room).max())
        return replace(self, left=max(self.left, left), right=max(self.right, right))


def outline(keypoints: np.ndarray) -> Outline:
    """The outline of a face.

    Args:
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth, as seen in the picture.
    """
    eyes, mouth, nose = keypoints[:2].mean(0), keypoints[3:].mean(0), keypoints[2]
    unit = max(float(np.linalg.norm(mouth - eyes)), 1e-3)
    # The line from eyes to mouth, not that of the eyes: in profile the eyes fall into one.
    down = (mouth - eyes) / unit if unit > 1e-3 else np.array([0.0, 1.0])
    across = np.array([down[1], -down[0]])
    middle = (eyes + mouth) / 2
    turn = float(np.clip((nose - middle) @ across / unit / NOSE, -0.98, 0.98))
    # On the side that is turned away the face reaches to the contour of an ellipsoid, on the other to the ear.
    sine, cosine = abs(turn), float(np.sqrt(1 - turn**2))
    near = HALF_WIDTH * cosine + PLANE * sine
    far = max(float(np.hypot(HALF_WIDTH * cosine, PROFILE * sine)) - PLANE * sine, 0.1)
    left, right = (near, far) if turn > 0 else (far, near)
    nod = float((nose - eyes) @ down / unit)
    return Outline(middle, across, down, unit, turn, left, right, nod)._holding(keypoints)
