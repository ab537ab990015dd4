"""Between what a picture stores and the light that it stands for (sRGB, IEC 61966-2-1; luminance, ITU-R BT.709)."""

import cv2
import numpy as np

# Weights of the linear channels R, G, B in luminance.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)

# Least spread of a skin's colours in CIE Lab: a small face in even light has nearly none, and all would be unlike it.
SKIN_SPREAD = np.array([9.0, 5.0, 5.0], np.float32)


def lab(shown: np.ndarray) -> np.ndarray:
    """A picture, (h, w, 3) float32, BGR, 0 to 1, in CIE Lab."""
    return cv2.cvtColor(np.ascontiguousarray(shown, np.float32), cv2.COLOR_BGR2LAB)


def spreads_away(colours: np.ndarray, middle: np.ndarray, spread: np.ndarray = SKIN_SPREAD) -> np.ndarray:
    """How many spreads colours in CIE Lab, (..., 3), are away from that in the middle, (...)."""
    return np.sqrt((((colours - middle) / spread) ** 2).sum(-1))


def encode_gamma(linear: np.ndarray) -> np.ndarray:
    """Linear light, 0 to 1, as sRGB stores it."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def decode_gamma(shown: np.ndarray) -> np.ndarray:
    """sRGB, 0 to 1, as linear light."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
