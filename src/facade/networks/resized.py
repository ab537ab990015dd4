"""Pictures resized before detection."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.networks.protocol import FaceDetector, scale_rows


class ResizedDetector:
    """A detector that sees every picture with the same longest side.

    Args:
        detector: The detector.
        size: Longest side that pictures are resized to, pixels.
        max_factor: Pictures are enlarged by this factor at most.

    Attributes:
        detector: The detector.
    """

    def __init__(self, detector: FaceDetector, size: int, max_factor: float = np.inf) -> None:
        self.name = detector.name
        self.detector = detector
        self._size, self._max_factor = size, max_factor

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        height, width = image.shape[:2]
        factor = min(self._size / max(height, width), self._max_factor)
        resized = resize(image, max(1, round(width * factor)), max(1, round(height * factor)))
        rows = self.detector.detect(resized, min_score)
        return scale_rows(rows, width / resized.shape[1], height / resized.shape[0])


def resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture in another size, in pixels: averaged where it shrinks, interpolated where it grows."""
    if (width, height) == (image.shape[1], image.shape[0]):
        return image
    shrinks = width * height < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Letterbox:
    """A picture in the corner of a network's input.

    Attributes:
        pixels: (H, W, 3), the picture at the upper left, and padding.
        width: Of the picture in it, pixels.
        height: Of the picture in it, pixels.
    """

    pixels: np.ndarray
    width: int
    height: int


def letterbox(
    image: np.ndarray, size: tuple[int, int] | None, multiple: int, padding: tuple[float, float, float]
) -> Letterbox:
    """Fit a picture into the input of a network.

    Args:
        image: (H, W, 3) uint8.
        size: Width and height of the input, pixels: the picture is resized to fit. None: it keeps its size, and is
            padded.
        multiple: If `size` is None, sides of the input are multiples of this.
        padding: Color of the padding.
    """
    height, width = image.shape[:2]
    resized = image
    if size is not None:
        factor = min(size[0] / width, size[1] / height)
        resized = resize(image, max(1, round(width * factor)), max(1, round(height * factor)))
    new_height, new_width = resized.shape[:2]
    full = size or (new_width + -new_width % multiple, new_height + -new_height % multiple)
    bottom, right = full[1] - new_height, full[0] - new_width
    fractional = any(value != round(value) for value in padding)
    pixels = cv2.copyMakeBorder(
        resized.astype(np.float32) if fractional else resized, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=padding
    )
    return Letterbox(pixels, new_width, new_height)
