"""How a head is held, and where it comes to lie in a picture."""

import math
from dataclasses import dataclass

import numpy as np

# Distance from the camera to the head, in cm: farther than anybody stands for a portrait, nearer than infinity, as a
# compromise between a close telephone camera and a lens across a square.
DISTANCE = 120.0
# The point of the head about which it turns, in its own axes, cm: in the middle of the neck's upper joint.
PIVOT = np.array([0.0, -1.0, -8.0])

# The mean face from hairline to chin, cm, and its middle, in the head's axes.
FACE_HEIGHT = 18.3
FACE_MIDDLE = np.array([0.0, -2.2, -3.5])


@dataclass(frozen=True)
class Pose:
    """How a head is held, in degrees: yaw turns it to the right of the picture, pitch raises the chin, roll tilts it
    clockwise.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def rotation(self) -> np.ndarray:
        """(3, 3) matrix from the head's axes to the camera's: x right, y up, z towards the camera."""
        turns = (math.radians(self.yaw), math.radians(-self.pitch), math.radians(-self.roll))
        # First about the upright axis (y), then about the one across (x), then about the line of sight (z).
        (cy, cx, cz), (sy, sx, sz) = map(math.cos, turns), map(math.sin, turns)
        return np.array([
            [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
            [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
            [-cx * sy, sx, cx * cy],
        ])  # fmt: skip


@dataclass(frozen=True)
class View:
    """A head in a picture: its pose, its size, and where its pivot lies.

    Attributes:
        pose: How the head is held.
        scale: Pixels to a centimetre, at the pivot.
        x: Pivot, pixels from the left edge of the picture.
        y: Pivot, pixels from the top edge of the picture.
    """

    pose: Pose
    scale: float
    x: float
    y: float

    @classmethod
    def of_face(cls, pose: Pose, face_height: float, x: float, y: float) -> "View":
        """A view in which the middle of the face lies at x, y and the face is about `face_height` pixels high."""
        at_origin = cls(pose, face_height / FACE_HEIGHT, 0.0, 0.0)
        middle = at_origin.project(FACE_MIDDLE[None])[0]
        return cls(pose, at_origin.scale, x - float(middle[0]), y - float(middle[1]))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Where points of the head come to lie in the picture.

        Args:
            points: (N, 3) in the head's axes, cm.

        Returns:
            (N, 2), x y in pixels.
        """
        seen = (points - PIVOT) @ self.pose.rotation().T
        nearness = self.scale * DISTANCE / (DISTANCE - seen[:, 2])
        return np.stack([self.x + seen[:, 0] * nearness, self.y - seen[:, 1] * nearness], axis=1)

    def shifted(self, x: float, y: float) -> "View":
        """The same head in a picture whose corner lies at x, y of this one."""
        return View(self.pose, self.scale, self.x - x, self.y - y)

    def enlarged(self, factor: float) -> "View":
        """The same head in the same picture, enlarged."""
        return View(self.pose, self.scale * factor, self.x * factor, self.y * factor)


def draw_pose(random: np.random.Generator) -> Pose:
    """A pose at random: people in photographs mostly face the camera."""
    yaw, pitch, roll = random.standard_normal(3) * (25, 10, 7)
    return Pose(float(np.clip(yaw, -85, 85)), float(np.clip(pitch, -30, 30)), float(np.clip(roll, -30, 30)))
