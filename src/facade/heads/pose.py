"""Head pose, and its projection into a picture."""

import math
from dataclasses import dataclass

import numpy as np

# Distance from the camera to the head, cm: a compromise between a phone at arm's length and a telephoto lens.
DISTANCE = 120.0
# Center of rotation of the head in its own axes, cm: the upper joint of the neck.
PIVOT = np.array([0.0, -1.0, -8.0])

# Height of the mean face, hairline to chin, and its center in head axes, cm.
FACE_HEIGHT = 18.3
FACE_MIDDLE = np.array([0.0, -2.2, -3.5])


@dataclass(frozen=True)
class Pose:
    """Head pose in degrees: yaw to the right of the picture, pitch up, roll clockwise."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def rotation(self) -> np.ndarray:
        """(3, 3) matrix from head axes to camera axes: x right, y up, z towards the camera."""
        turns = (math.radians(self.yaw), math.radians(-self.pitch), math.radians(-self.roll))
        # First about the vertical axis (y), then the horizontal (x), then the line of sight (z).
        (cy, cx, cz), (sy, sx, sz) = map(math.cos, turns), map(math.sin, turns)
        return np.array([
            [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
            [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
            [-cx * sy, sx, cx * cy],
        ])  # fmt: skip


@dataclass(frozen=True)
class View:
    """A head in a picture: its pose, scale and position.

    Attributes:
        pose: Head pose.
        scale: Pixels per centimeter at the pivot.
        x: Position of the pivot, pixels from the left edge of the picture.
        y: Position of the pivot, pixels from the top edge.
    """

    pose: Pose
    scale: float
    x: float
    y: float

    @classmethod
    def of_face(cls, pose: Pose, face_height: float, x: float, y: float) -> "View":
        """A view with the center of the face at x, y, and a face about `face_height` pixels high."""
        at_origin = cls(pose, face_height / FACE_HEIGHT, 0.0, 0.0)
        middle = at_origin.project(FACE_MIDDLE[None])[0]
        return cls(pose, at_origin.scale, x - float(middle[0]), y - float(middle[1]))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points of the head into the picture.

        Args:
            points: (N, 3) in head axes, cm.

        Returns:
            (N, 2), x y in pixels.
        """
        in_camera = (points - PIVOT) @ self.pose.rotation().T
        nearness = self.scale * DISTANCE / (DISTANCE - in_camera[:, 2])
        return np.stack([self.x + in_camera[:, 0] * nearness, self.y - in_camera[:, 1] * nearness], axis=1)

    def shifted(self, x: float, y: float) -> "View":
        """The same head in a crop whose top left corner is x, y."""
        return View(self.pose, self.scale, self.x - x, self.y - y)

    def enlarged(self, factor: float) -> "View":
        """The same head in the same picture, resized by a factor."""
        return View(self.pose, self.scale * factor, self.x * factor, self.y * factor)


def sample_pose(random: np.random.Generator) -> Pose:
    """Sample a pose: people in photographs mostly face the camera."""
    yaw, pitch, roll = random.standard_normal(3) * (25, 10, 7)
    return Pose(float(np.clip(yaw, -85, 85)), float(np.clip(pitch, -30, 30)), float(np.clip(roll, -30, 30)))
