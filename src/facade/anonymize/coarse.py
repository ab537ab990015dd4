"""Attributes of a person that a pseudonym keeps by class only: within its class, the value is sampled.

What a pseudonym keeps exactly links it to its source: six numbers of color alone link half of the faces of WIDER FACE
in the same photograph. A class keeps what a detector needs (a face turned left, lit from the right, dark), and leaves
few bits.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from facade.anonymize.illumination import MAX_KEY, MIN_KEY
from facade.color import decode_gamma, encode_gamma, lab
from facade.heads.light import Light
from facade.heads.pose import Pose

# Width of a class: degrees of yaw, pitch and roll; units of L, a and b.
POSE_STEPS, TONE_STEPS = (30.0, 30.0, 20.0), (20.0, 16.0, 16.0)
# Directions of light, degrees to the right: from the left, from the front, from the right; heights of the light.
SIDES, HEIGHTS = ((-70.0, -20.0), (-20.0, 20.0), (20.0, 70.0)), (5.0, 60.0)
Color = tuple[float, float, float]


def coarse_pose(pose: Pose, random: np.random.Generator) -> Pose:
    """A pose of the same class: steps of 30 degrees of yaw and pitch, 20 of roll."""
    return Pose(*_sampled((pose.yaw, pose.pitch, pose.roll), POSE_STEPS, random))


def coarse_tone(tone: Color, random: np.random.Generator) -> Color:
    """A skin color of the same class, linear RGB: steps of 20 in L, 16 in a and b."""
    exact = lab(encode_gamma(np.array([[tone]], np.float32))[..., ::-1])[0, 0]
    wanted = np.array(_sampled(exact, TONE_STEPS, random))
    wanted[0] = np.clip(wanted[0], 5, 95)
    blue_green_red = np.clip(cv2.cvtColor(wanted.astype(np.float32)[None, None], cv2.COLOR_LAB2BGR)[0, 0], 0, 1)
    red, green, blue = (float(value) for value in decode_gamma(blue_green_red[::-1]))
    return red, green, blue


def coarse_light(light: Light, random: np.random.Generator) -> Light:
    """A light of the same class: from the left, the front or the right; with a weak, middling or strong key."""
    x, _, z = light.direction
    azimuth = float(np.degrees(np.arctan2(x, max(z, 1e-6))))
    low, high = next((side for side in SIDES if side[0] <= azimuth < side[1]), SIDES[0 if azimuth < 0 else -1])
    across, up = np.radians([random.uniform(low, high), random.uniform(*HEIGHTS)])
    third = (MAX_KEY - MIN_KEY) / 3
    number = np.clip((light.key[0] / 1.2 - MIN_KEY) // third, 0, 2)
    key = MIN_KEY + third * (number + random.uniform(0, 1))
    direction = (float(np.sin(across) * np.cos(up)), float(np.sin(up)), float(np.cos(across) * np.cos(up)))
    return Light(direction, (1.2 * key,) * 3, (0.95 * (1 - key),) * 3, (0.65 * (1 - key),) * 3)


def _sampled(values: Iterable[float], steps: Iterable[float], random: np.random.Generator) -> list[float]:
    """Values sampled from the classes, centered on multiples of the steps, in which values lie."""
    return [
        float(step * (np.round(value / step) + random.uniform(-0.5, 0.5)))
        for value, step in zip(values, steps, strict=True)
    ]
