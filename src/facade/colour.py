"""Between what a picture stores and the light that it stands for (sRGB, IEC 61966-2-1; luminance, ITU-R BT.709)."""

import numpy as np

# Weights of the linear channels R, G, B in luminance.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def encode_gamma(linear: np.ndarray) -> np.ndarray:
    """Linear light, 0 to 1, as sRGB stores it."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def decode_gamma(shown: np.ndarray) -> np.ndarray:
    """sRGB, 0 to 1, as linear light."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
