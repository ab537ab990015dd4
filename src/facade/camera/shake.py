"""Motion blur of a camera that moves during the exposure."""

import cv2
import numpy as np

from facade.color import decode_gamma, encode_gamma


def motion_blur_kernel(length: float, angle: float) -> np.ndarray:
    """Centered kernel of a linear camera movement during the exposure.

    Args:
        length: Length of the movement, pixels.
        angle: Direction of the movement, radians.

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


def motion_blur(pixels: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Apply motion blur in linear light, so that lamps leave bright streaks.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        length: Length of the movement, pixels.
        angle: Direction of the movement, radians.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    light = decode_gamma(pixels / np.float32(255)).astype(np.float32)
    blurred = cv2.filter2D(light, -1, motion_blur_kernel(length, angle), borderType=cv2.BORDER_REPLICATE)
    return (encode_gamma(blurred.clip(0, 1)) * 255 + 0.5).astype(np.uint8)
