"""Color conversions: sRGB and linear light (IEC 61966-2-1), luminance (ITU-R BT.709), CIE Lab."""

import cv2
import numpy as np

# Weights of linear R, G, B in luminance.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)

# Minimum spread of skin colors in CIE Lab: a small face in even light has nearly none, and every pixel would count as
# an outlier.
SKIN_SPREAD = np.array([9.0, 5.0, 5.0], np.float32)


def lab(encoded: np.ndarray) -> np.ndarray:
    """Convert a picture, (h, w, 3) float32, BGR, 0 to 1, to CIE Lab."""
    return cv2.cvtColor(np.ascontiguousarray(encoded, np.float32), cv2.COLOR_BGR2LAB)


def distance_in_spreads(colors: np.ndarray, center: np.ndarray, spread: np.ndarray = SKIN_SPREAD) -> np.ndarray:
    """Distance of colors in CIE Lab, (..., 3), from a center, in units of the spread, (...)."""
    return np.sqrt((((colors - center) / spread) ** 2).sum(-1))


def encode_gamma(linear: np.ndarray) -> np.ndarray:
    """Linear light, 0 to 1, to sRGB."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def decode_gamma(encoded: np.ndarray) -> np.ndarray:
    """sRGB, 0 to 1, to linear light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
