"""Exposure and tone mapping: from linear light to a picture."""

import numpy as np

from facade.color import encode_gamma
from facade.heads.identity import Identity
from facade.heads.light import Light

# Linear value at which the shoulder of the tone curve begins: highlights roll off instead of clipping.
SHOULDER = 0.7
CONTRAST = 1.15


def develop(linear: np.ndarray, contrast: float = CONTRAST) -> np.ndarray:
    """Tone-map linear light: a soft shoulder, sRGB gamma, and an S-curve on brightness alone.

    Args:
        linear: (h, w, 3) float, RGB, 1 is white.
        contrast: Contrast of the S-curve; 1 is none.

    Returns:
        (h, w, 3) float32, BGR, 0 to 1.
    """
    light = np.maximum(linear, 0).astype(np.float32)
    light = np.where(
        light > SHOULDER, SHOULDER + (1 - SHOULDER) * (1 - np.exp((SHOULDER - light) / (1 - SHOULDER))), light
    )
    shown = encode_gamma(light)
    bright = shown @ np.array([0.3, 0.6, 0.1], np.float32)
    curved = np.clip(bright + (contrast - 1) * 6.4 * (bright - 0.5) * bright * (1 - bright), 0, 1)
    # Preserve saturation: scaled fully with brightness, skin would turn orange in the highlights.
    stretch = np.minimum(np.sqrt(curved / np.maximum(bright, 1e-3)), 1.25)[..., None]
    return np.clip(curved[..., None] + 0.95 * stretch * (shown - bright[..., None]), 0, 1)[..., ::-1].astype(np.float32)


def expose(light: Light, identity: Identity, random: np.random.Generator) -> Light:
    """Scale a light to a photographer's exposure: dark skin appears darker, but not in proportion to its albedo."""
    albedo = 0.70 * np.exp(-1.2 * identity.melanin)
    front = max(light.numbers()[2], 0.35)
    falling = 0.75 * (np.mean(light.key) * front + np.mean(light.sky))
    wanted = random.uniform(0.22, 0.50) * (albedo / 0.5) ** 0.62
    return light.brightened(float(wanted / (albedo * falling)))
