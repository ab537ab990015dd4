"""A camera that moves while the shutter is open."""

import cv2
import numpy as np

from facade.colour import decode_gamma, encode_gamma


def shake_kernel(length: float, angle: float) -> np.ndarray:
    """Kernel of a straight movement during the exposure, centred, so that nothing is moved on the whole.

    Args:
        length: Pixels.
        angle: Of the movement, radians.

    Returns:
        (n, n) float32, n odd; its sum is 1.
    """
    size = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((size, size), np.float32)
    middle, reach = size // 2, length / 2
    for t in np.linspace(-reach, reach, max(33, 3 * size)):
        x, y = middle + t * np.cos(angle), middle + t * np.sin(angle)
        left, top = int(np.floor(x)), int(np.floor(y))
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    return kernel / kernel.sum()


def shaken(pixels: np.ndarray, length: float, angle: float) -> np.ndarray:
    """A photograph that was shaken: light is added up, so that lamps draw bright lines.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        length: Of the movement, pixels.
        angle: Radians.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    light = decode_gamma(pixels / np.float32(255)).astype(np.float32)
    smeared = cv2.filter2D(light, -1, shake_kernel(length, angle), borderType=cv2.BORDER_REPLICATE)
    return (encode_gamma(smeared.clip(0, 1)) * 255 + 0.5).astype(np.uint8)
