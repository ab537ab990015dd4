"""The light on a head."""

from dataclasses import dataclass

import numpy as np

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """A key light, the sky above and the ground below.

    Attributes:
        direction: Towards the key light, in camera axes: x right, y up, z towards the camera. Any length.
        key: Irradiance of the key light on a surface that faces it, linear RGB; 1 makes a white surface white.
        sky: Ambient light from above, linear RGB.
        ground: Ambient light reflected from below, linear RGB.
    """

    direction: tuple[float, float, float] = (0.3, 0.5, 0.8)
    key: Color = (0.6, 0.6, 0.6)
    sky: Color = (0.45, 0.45, 0.45)
    ground: Color = (0.25, 0.25, 0.25)

    def numbers(self) -> np.ndarray:
        """(12,) unit direction, key, sky and ground, as the renderer takes them."""
        direction = np.array(self.direction) / max(float(np.linalg.norm(self.direction)), 1e-9)
        return np.concatenate([direction, self.key, self.sky, self.ground])

    def brightened(self, factor: float) -> "Light":
        """The same light, scaled by a factor."""
        key, sky, ground = (tuple(factor * part for part in color) for color in (self.key, self.sky, self.ground))
        return Light(self.direction, key, sky, ground)  # type: ignore[arg-type]


# Kinds of light in photographs of people, with probabilities: a flash or a window in front; the sun or a lamp from the
# side; an overcast sky.
KINDS = ("front", "side", "overcast")
ODDS = (0.4, 0.4, 0.2)


def sample_light(random: np.random.Generator) -> Light:
    """Sample a light of the strength that exposes a mid-gray surface well."""
    kind = random.choice(KINDS, p=ODDS)
    if kind == "front":
        across, up, share = random.normal(0, 14), random.normal(18, 10), random.uniform(0.55, 0.85)
    elif kind == "side":
        across, up, share = random.normal(0, 45), np.clip(random.normal(42, 15), 5, 75), random.uniform(0.4, 0.8)
    else:
        across, up, share = random.normal(0, 60), random.normal(50, 20), random.uniform(0.1, 0.4)
    azimuth, height = np.radians([across, up])
    direction = (np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height))
    warmth = 0.08 * random.standard_normal()
    key = share * np.array([1 + warmth, 1, 1 - 1.2 * warmth])
    cool = -0.5 * warmth + 0.04 * random.standard_normal()
    sky = (1 - share) * np.array([1 + cool, 1, 1 - cool])
    ground = sky * random.uniform(0.3, 0.7) * (1.05, 1.0, 0.95)
    return Light(*(tuple(float(v) for v in part) for part in (direction, key, sky, ground)))  # type: ignore[arg-type]
