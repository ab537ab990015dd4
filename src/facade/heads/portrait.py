"""What every source of synthetic faces gives: a picture of a face, cut out, with its landmarks."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Portrait:
    """A synthetic face, ready to be put into a photograph.

    Attributes:
        pixels: (H, W, 3) float32, BGR, 0 to 1, as a screen shows it.
        head: (H, W) float32, 0 to 1: where the head, hair and neck are.
        face: (H, W) float32, 0 to 1: where the face is, hairline to chin and ear to ear.
        keypoints: (5, 2) float32, x y in pixels: left eye, right eye, nose tip, corners of the mouth.
        bbox: x, y, width, height of the face, in pixels.
    """

    pixels: np.ndarray
    head: np.ndarray
    face: np.ndarray
    keypoints: np.ndarray
    bbox: tuple[float, float, float, float]
