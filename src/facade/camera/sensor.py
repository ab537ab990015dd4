"""What a sensor makes of light: few pixels, no colour, few electrons."""

import cv2
import numpy as np

from facade.colour import LUMINANCE, decode_gamma, encode_gamma

# Standard deviation of the noise of reading a pixel, electrons: that of a small sensor.
READ_NOISE = 2.0
# What the electronics do not make up for: such a picture is dark, too. Share of the light, least and most.
DIMMED = (0.25, 0.5)
# Values of the converter behind the sensor.
LEVELS = 4095


def grey(pixels: np.ndarray) -> np.ndarray:
    """A photograph by a camera without colour: its luminance.

    Args:
        pixels: (H, W, 3) uint8, BGR.

    Returns:
        (H, W, 3) uint8, three equal channels.
    """
    light = decode_gamma(pixels / np.float32(255)) @ LUMINANCE[::-1]
    shown = (encode_gamma(light) * 255 + 0.5).astype(np.uint8)
    return np.repeat(shown[..., None], 3, axis=2)


def fewer_pixels(pixels: np.ndarray, factor: float) -> np.ndarray:
    """A photograph with so many times fewer pixels a side.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        factor: From 1 up.

    Returns:
        (h, w, 3) uint8, BGR.
    """
    size = (max(1, round(pixels.shape[1] / factor)), max(1, round(pixels.shape[0] / factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def low_light(pixels: np.ndarray, electrons: float, random: np.random.Generator) -> np.ndarray:
    """A photograph in little light: dark, with shot noise and read noise (EMVA 1288's model) under a colour filter.

    Args:
        pixels: (H, W, 3) uint8, BGR; with three equal channels the sensor has no colour filter.
        electrons: That a pixel would hold at white, in full light; there is a quarter to half of it.
        random: The photograph's chance.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    light = decode_gamma(pixels / np.float32(255)) * random.uniform(*DIMMED)
    coloured = not (pixels == pixels[..., :1]).all()
    falls = _mosaic(light) if coloured else light[..., 0]
    held = random.poisson(falls * electrons) + READ_NOISE * random.standard_normal(falls.shape)
    raw = (held / electrons * LEVELS + 0.5).clip(0, LEVELS).astype(np.uint16)
    seen = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2BGR) if coloured else np.repeat(raw[..., None], 3, axis=2)
    return (encode_gamma(seen / LEVELS) * 255 + 0.5).astype(np.uint8)


def _mosaic(light: np.ndarray) -> np.ndarray:
    """What falls on the pixels behind a Bayer filter: red and green in even rows, green and blue in odd ones."""
    falls = light[..., 1].copy()
    falls[0::2, 0::2] = light[0::2, 0::2, 2]
    falls[1::2, 1::2] = light[1::2, 1::2, 0]
    return falls
