"""A fisheye lens: how far from the middle something is seen goes with its angle (equidistant projection)."""

from dataclasses import dataclass

import cv2
import numpy as np

# Near the border the lens packs several pixels into one: so many samples a side are averaged.
SAMPLES = 3
# The picture is made in squares of this side, so that large ones need little memory.
TILE = 512
# A point of the photograph cannot be seen farther than this from the axis, radians.
ASIDE = 0.499 * np.pi
# OpenCV's remap takes pictures up to this side.
LONGEST_SIDE = 32_766


@dataclass(frozen=True)
class Fisheye:
    """The lens, in front of it a photograph that is taken for one by a straight lens with as wide a view.

    Nothing of the photograph is lost: the picture is as long, and wider across, where the lens pushes outward. What is
    outside the photograph is black.

    Attributes:
        width: Of the photograph, pixels.
        height: Pixels.
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

    def moved(self, points: np.ndarray) -> np.ndarray:
        """Where points of the photograph are in the picture.

        Args:
            points: (N, 2) float, x y in pixels.

        Returns:
            (N, 2) float, x y in pixels.
        """
        return np.array(self.size) / 2 + self._outward(np.asarray(points, float) - self._middle)

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """The picture of the photograph.

        Args:
            pixels: (H, W, 3) uint8: the photograph.

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
        away = np.stack(np.meshgrid(across, down), axis=-1)
        # Pixels have their middle at half a pixel.
        source = (self._middle + self._inward(away) - 0.5).astype(np.float32)
        fine = cv2.remap(pixels, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)

    @property
    def _middle(self) -> np.ndarray:
        return np.array([self.width, self.height]) / 2

    @property
    def _lengths(self) -> tuple[float, float]:
        """Focal lengths of the straight lens and of the fisheye, pixels."""
        reach, half = max(self.width, self.height) / 2, np.radians(self.degrees) / 2
        return reach / np.tan(half), reach / half

    def _outward(self, away: np.ndarray) -> np.ndarray:
        """From the photograph's distance from the middle to the picture's."""
        straight, bent = self._lengths
        far = np.maximum(np.hypot(away[..., 0], away[..., 1]), 1e-9)[..., None]
        return away * bent * np.arctan(far / straight) / far

    def _inward(self, away: np.ndarray) -> np.ndarray:
        """From the picture's distance from the middle to the photograph's."""
        straight, bent = self._lengths
        far = np.maximum(np.hypot(away[..., 0], away[..., 1]), 1e-9)[..., None]
        return away * straight * np.tan(np.minimum(far / bent, ASIDE)) / far
