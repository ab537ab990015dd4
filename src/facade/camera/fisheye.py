"""A fisheye lens with equidistant projection: the distance from the image center is proportional to the angle."""

from dataclasses import dataclass

import cv2
import numpy as np

# Samples per pixel and side (supersampling): near the border the lens compresses several pixels into one.
SAMPLES = 3
# Side of the tiles in which the picture is computed, to bound memory, pixels.
TILE = 512
# Maximum angle from the optical axis at which a point of the photograph can appear, radians.
MAX_ANGLE = 0.499 * np.pi
# Maximum side of pictures for OpenCV's remap, pixels.
LONGEST_SIDE = 32_766


@dataclass(frozen=True)
class Fisheye:
    """The lens, applied to a photograph that is assumed to have rectilinear projection and the same angle of view.

    The whole photograph remains visible: the longer side keeps its length, and the shorter side becomes longer. Pixels
    outside the photograph are black.

    Attributes:
        width: Width of the photograph, pixels.
        height: Height of the photograph, pixels.
        degrees: Angle of view along the longer side, above 0 and below 180.
    """

    width: int
    height: int
    degrees: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, pixels."""
        across = self._outward(np.array([[self.width / 2, 0.0]]))[0, 0]
        down = self._outward(np.array([[0.0, self.height / 2]]))[0, 1]
        return max(1, round(2 * across)), max(1, round(2 * down))

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Map points of the photograph to the fisheye picture.

        Args:
            points: (N, 2) float, x y in pixels.

        Returns:
            (N, 2) float, x y in pixels.
        """
        return np.array(self.size) / 2 + self._outward(np.asarray(points, float) - self._center)

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """The fisheye picture of the photograph.

        Args:
            pixels: The photograph, (H, W, 3) uint8.

        Returns:
            (h, w, 3) uint8, of `size`.
        """
        width, height = self.size
        picture = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                tile = picture[top : top + TILE, left : left + TILE]
                tile[...] = self._tile(pixels, left, top, tile.shape[1], tile.shape[0])
        return picture

    def _tile(self, pixels: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
        across = left + (np.arange(width * SAMPLES) + 0.5) / SAMPLES - self.size[0] / 2
        down = top + (np.arange(height * SAMPLES) + 0.5) / SAMPLES - self.size[1] / 2
        offset = np.stack(np.meshgrid(across, down), axis=-1)
        # Pixel centers are at half-integer coordinates.
        source = (self._center + self._inward(offset) - 0.5).astype(np.float32)
        fine = cv2.remap(pixels, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)

    @property
    def _center(self) -> np.ndarray:
        return np.array([self.width, self.height]) / 2

    @property
    def _focal_lengths(self) -> tuple[float, float]:
        """Focal lengths of the rectilinear lens and of the fisheye, pixels."""
        reach, half = max(self.width, self.height) / 2, np.radians(self.degrees) / 2
        return reach / np.tan(half), reach / half

    def _outward(self, offset: np.ndarray) -> np.ndarray:
        """Map offsets from the image center: photograph to fisheye picture."""
        rectilinear, fisheye = self._focal_lengths
        distance = np.maximum(np.hypot(offset[..., 0], offset[..., 1]), 1e-9)[..., None]
        return offset * fisheye * np.arctan(distance / rectilinear) / distance

    def _inward(self, offset: np.ndarray) -> np.ndarray:
        """Map offsets from the image center: fisheye picture to photograph."""
        rectilinear, fisheye = self._focal_lengths
        distance = np.maximum(np.hypot(offset[..., 0], offset[..., 1]), 1e-9)[..., None]
        return offset * rectilinear * np.tan(np.minimum(distance / fisheye, MAX_ANGLE)) / distance
