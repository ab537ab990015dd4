"""Sensor simulation: grayscale, low resolution, and noise in low light."""

import cv2
import numpy as np

from facade.color import LUMINANCE, decode_gamma, encode_gamma

# Standard deviation of the read noise of a small sensor, electrons.
READ_NOISE = 2.0
# Range of the remaining brightness of low-light pictures: the gain does not fully compensate.
DIMMED = (0.25, 0.5)
# Maximum value of the 12-bit analog-to-digital converter.
LEVELS = 4095


def grayscale(pixels: np.ndarray) -> np.ndarray:
    """Convert a photograph to grayscale: its luminance in linear light.

    Args:
        pixels: (H, W, 3) uint8, BGR.

    Returns:
        (H, W, 3) uint8, three equal channels.
    """
    light = decode_gamma(pixels / np.float32(255)) @ LUMINANCE[::-1]
    shown = (encode_gamma(light) * 255 + 0.5).astype(np.uint8)
    return np.repeat(shown[..., None], 3, axis=2)


def downsample(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Reduce the resolution of a photograph.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        factor: Ratio of the old to the new side, at least 1.

    Returns:
        (h, w, 3) uint8, BGR.
    """
    size = (max(1, round(pixels.shape[1] / factor)), max(1, round(pixels.shape[0] / factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def low_light(pixels: np.ndarray, electrons: float, random: np.random.Generator) -> np.ndarray:
    """Simulate low light: a dark photograph with shot and read noise (EMVA 1288 model) behind a Bayer filter.

    Args:
        pixels: (H, W, 3) uint8, BGR; with three equal channels the sensor has no color filter.
        electrons: Electrons per pixel at white in full light; low light has a quarter to half of it (`DIMMED`).
        random: Random generator of the photograph.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    light = decode_gamma(pixels / np.float32(255)) * random.uniform(*DIMMED)
    has_color = not (pixels == pixels[..., :1]).all()
    exposure = _mosaic(light) if has_color else light[..., 0]
    charge = random.poisson(exposure * electrons) + READ_NOISE * random.standard_normal(exposure.shape)
    raw = (charge / electrons * LEVELS + 0.5).clip(0, LEVELS).astype(np.uint16)
    demosaiced = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2BGR) if has_color else np.repeat(raw[..., None], 3, axis=2)
    return (encode_gamma(demosaiced / LEVELS) * 255 + 0.5).astype(np.uint8)


def _mosaic(light: np.ndarray) -> np.ndarray:
    """Light on the pixels behind a Bayer filter: red and green in even rows, green and blue in odd rows."""
    exposure = light[..., 1].copy()
    exposure[0::2, 0::2] = light[0::2, 0::2, 2]
    exposure[1::2, 1::2] = light[1::2, 1::2, 0]
    return exposure
