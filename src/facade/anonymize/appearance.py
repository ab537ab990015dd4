"""What a pseudonym takes from the pixels of a face: light, skin tone, sharpness, grain.

In a photograph it is measured where the face is replaced. In a video it is measured in each frame first, and smoothed
along the track, so that a pseudonym does not flicker.
"""

from dataclasses import dataclass

import numpy as np

from facade.anonymize.harmonize import detail, estimate_noise, tonal_range
from facade.anonymize.illumination import estimate_light, face_masks
from facade.heads.light import Color, Light
from facade.heads.pose import View

# Number of values of an appearance as a row: key light towards the eye (3) and its share, even light from above and
# below, skin tone (3), tones in CIE Lab (9), detail, grain.
LENGTH = 20


@dataclass(frozen=True)
class Appearance:
    """The appearance of a face in a photograph.

    Attributes:
        light: The light on the face, white, of strength about one.
        tone: Median color of the skin, linear RGB; None where too little skin is visible.
        tones: (3, 3) float: percentiles 15, 50 and 85 of L, a and b of the skin.
        detail: Mean absolute Laplacian of the face, see `facade.anonymize.harmonize.detail`.
        noise: Standard deviation of the photograph's noise.
    """

    light: Light
    tone: Color | None
    tones: np.ndarray
    detail: float
    noise: float

    def row(self) -> np.ndarray:
        """(LENGTH,) float, values that may be averaged over frames. NaN where unknown."""
        direction = self.light.numbers()[:3] * self.light.key[0]
        tone = (np.nan,) * 3 if self.tone is None else self.tone
        even = (self.light.sky[0], self.light.ground[0])
        return np.array([*direction, self.light.key[0], *even, *tone, *self.tones.ravel(), self.detail, self.noise])

    @classmethod
    def from_row(cls, row: tuple[float, ...]) -> "Appearance":
        """The appearance that a row holds."""
        x, y, z, key, sky, ground, red, green, blue, *tones, detail, noise = row
        light = Light((x, y, max(z, 1e-3)), (key,) * 3, (sky,) * 3, (ground,) * 3)
        tone = None if np.isnan([red, green, blue]).any() else (red, green, blue)
        return cls(light, tone, np.array(tones).reshape(3, 3), detail, noise)


def measure_appearance(pixels: np.ndarray, view: View) -> Appearance:
    """Measure the appearance of a face.

    Args:
        pixels: (h, w, 3) uint8, BGR: crop around the face.
        view: Pose and position of the head in it.
    """
    light, tone = estimate_light(pixels, view)
    original = pixels.astype(np.float32) / 255
    face, skin = face_masks(view, pixels.shape[:2])
    tones = tonal_range(original, skin if skin.any() else face)
    return Appearance(light, tone, tones, detail(original, face), estimate_noise(original))
