"""Estimate a face's outline, yaw and areas of bare skin from five landmarks."""

from dataclasses import dataclass, replace

import numpy as np

# Size of the frontal face in units of the distance from the eye line to the mouth line (about 7 cm in adults): half the
# width ear to ear (13.7 cm); height of the hairline above the eyes (6.3 cm); of the mouth above the chin (4.8 cm).
# Means of adults (Farkas, Anthropometry of the Head and Face, 1994), rounded.
HALF_WIDTH, ABOVE, BELOW = 0.98, 0.90, 0.68
# Depths in the same units: of the plane of eyes and mouth in front of the ears, of the tip of the nose in front of that
# plane, and of the face's contour, seen from the side, in front of the ears.
PLANE, NOSE, PROFILE = 1.0, 0.5, 1.15
# Exponent of the superellipse below the center: jaws are narrower than half an ellipse.
JAW = 1.75
# Ellipses of skin that is bare in most people: center x, y and half axes of one cheek (the other is mirrored) and of
# the chin, in the same units from the midpoint between eyes and mouth, in frontal view.
CHEEK = (0.56, 0.10, 0.16, 0.20)
CHIN = (0.0, 0.93, 0.22, 0.10)
# Maximum level of the landmarks: eyes and mouth are never at the very edge of a face.
MAX_LANDMARK_LEVEL = 0.85
# Sine of the yaw from which the far cheek is left out.
TURNED = 0.3


@dataclass(frozen=True)
class Outline:
    """The outline of a face, hairline to chin and ear to ear.

    Attributes:
        middle: (2,) the midpoint between eyes and mouth, x y in pixels.
        across: (2,) unit vector along the eye line, to the right of the picture in an upright face.
        down: (2,) unit vector from the eyes to the mouth.
        unit: Distance from the eye line to the mouth line, pixels.
        turn: Sine of the yaw, -1 to 1; positive looks to the right.
        left: Extent of the face to the left of its midpoint, in units.
        right: Extent to the right.
        nod: Distance of the tip of the nose below the eye line, in units; about .5 in frontal view, less with a raised
            chin.
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
        """Level of points: 0 at the midpoint, 1 on the outline.

        Args:
            points: (..., 2), x y in pixels.
        """
        x, y = self._to_face_axes(points)
        across = np.abs(x) / np.where(x < 0, self.left, self.right)
        down = np.abs(y) / np.where(y < 0, 0.5 + ABOVE, 0.5 + BELOW)
        return np.asarray(np.where(y < 0, np.hypot(across, down), (across**JAW + down**JAW) ** (1 / JAW)))

    def ring(self, level: float, count: int) -> np.ndarray:
        """(count, 2) points around the face at a level, x y in pixels."""
        angles = 2 * np.pi * np.arange(count) / count
        rays = np.cos(angles)[:, None] * self.across + np.sin(angles)[:, None] * self.down
        reach = level / self.level(self.middle + rays)
        return np.asarray(self.middle + rays * reach[:, None])

    def skin(self, points: np.ndarray) -> np.ndarray:
        """Whether points lie on cheeks or chin, (...) bool. The far cheek of a turned face does not count.

        Args:
            points: (..., 2), x y in pixels.
        """
        x, y = self._to_face_axes(points)
        # Foreshortening of the plane of the landmarks.
        narrowed = max(float(np.sqrt(1 - self.turn**2)), 0.2)
        spots = [CHIN]
        spots += [(CHEEK[0], *CHEEK[1:])] * (self.turn < TURNED) + [(-CHEEK[0], *CHEEK[1:])] * (self.turn > -TURNED)
        within = [
            np.hypot((x - cx * narrowed) / (half_x * narrowed), (y - cy) / half_y) < 1
            for cx, cy, half_x, half_y in spots
        ]
        return np.asarray(np.any(within, axis=0) & (self.level(points) < 0.9))

    def _to_face_axes(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x, y of points in the face's own axes, in units."""
        away = (points - self.middle) / self.unit
        return away @ self.across, away @ self.down

    def _widened_for(self, keypoints: np.ndarray) -> "Outline":
        """The outline, widened where a landmark would lie beyond the level `MAX_LANDMARK_LEVEL`."""
        x, y = self._to_face_axes(keypoints)
        down = np.abs(y) / np.where(y < 0, 0.5 + ABOVE, 0.5 + BELOW)
        power = np.where(y < 0, 2, JAW)
        room = np.maximum(1 - (down / MAX_LANDMARK_LEVEL) ** power, 0.1) ** (1 / power) * MAX_LANDMARK_LEVEL
        left, right = float((-x / room).max()), float((x / room).max())
        return replace(self, left=max(self.left, left), right=max(self.right, right))


def outline(keypoints: np.ndarray) -> Outline:
    """Estimate the outline of a face.

    Args:
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth, as seen in the picture.
    """
    eyes, mouth, nose = keypoints[:2].mean(0), keypoints[3:].mean(0), keypoints[2]
    unit = max(float(np.linalg.norm(mouth - eyes)), 1e-3)
    # The line from eyes to mouth, not the eye line: in profile the eyes coincide.
    down = (mouth - eyes) / unit if unit > 1e-3 else np.array([0.0, 1.0])
    across = np.array([down[1], -down[0]])
    middle = (eyes + mouth) / 2
    turn = float(np.clip((nose - middle) @ across / unit / NOSE, -0.98, 0.98))
    # On the far side, the face extends to the contour of an ellipsoid; on the near side, to the ear.
    sine, cosine = abs(turn), float(np.sqrt(1 - turn**2))
    near = HALF_WIDTH * cosine + PLANE * sine
    far = max(float(np.hypot(HALF_WIDTH * cosine, PROFILE * sine)) - PLANE * sine, 0.1)
    left, right = (near, far) if turn > 0 else (far, near)
    nod = float((nose - eyes) @ down / unit)
    return Outline(middle, across, down, unit, turn, left, right, nod)._widened_for(keypoints)
