"""Estimate the light on a face in a photograph from its shading."""

import cv2
import numpy as np

from facade.anonymize.head_pose import projected_face_height
from facade.anonymize.region import downscale
from facade.color import LUMINANCE, decode_gamma, lab
from facade.heads.field.scene import SKIN
from facade.heads.fit import mean_head
from facade.heads.head import Head, render_anatomy
from facade.heads.light import Light
from facade.heads.pose import View

# Height at which the mean head is rendered as a proxy, pixels: enough for a few hundred normals, and fast.
PROXY_HEIGHT = 36.0
# With fewer skin pixels than this, the estimated direction is noise.
MIN_SKIN_PIXELS = 24
# Hue (degrees) and chroma (units of CIE Lab) of skin in white light: the range of rendered skin (50 to 61, 11 to 32),
# widened for cameras, blood and shadow. Where a smaller fraction of the expected skin lies within, the light is colored
# or the photograph is grayscale.
HUES, CHROMAS, MIN_SKIN_FRACTION = (15.0, 90.0), (5.0, 46.0), 0.06
# Iterations of the robust regression, and the error, in standard deviations, at which a pixel gets half weight.
ROUNDS, HALF_WEIGHT_ERROR = 8, 1.5
# Fraction of the key light in all light; outside these limits faces look like paper cutouts.
MIN_KEY, MAX_KEY = 0.10, 0.80
_UNLIT = Light(key=(0.0, 0.0, 0.0))
_FRONT = Light((0.1, 0.35, 1.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (0.33, 0.33, 0.33))


def estimate_light(
    pixels: np.ndarray, view: View, occluded: bool = False
) -> tuple[Light, tuple[float, float, float] | None]:
    """The light that best explains the shading of a face, and its skin tone.

    A robust regression of linear luminance on the normals of the mean head in the same pose: eyes, beards and occluders
    do not fit and get little weight.

    Args:
        pixels: (h, w, 3) uint8, BGR: crop around the face.
        view: Pose and position of the head in it.
        occluded: Whether something in front of the face may have another color than skin.

    Returns:
        A white light of strength about one (tone matching adds the color); and the median skin color, linear RGB, or
        None where too little skin is visible.
    """
    shrink = min(1.0, PROXY_HEIGHT / projected_face_height(view))
    small = downscale(pixels, shrink)
    proxy = render_anatomy(mean_head(), view.enlarged(shrink), _UNLIT, small.shape[:2])
    skin = bare_skin_mask(proxy)
    if occluded:
        skin = skin_colored_mask(small, skin)
    if skin.sum() < MIN_SKIN_PIXELS:
        return _FRONT, None
    colors = decode_gamma(small[..., ::-1][skin] / 255.0)
    luminance = colors @ LUMINANCE
    matrix = np.column_stack([np.ones(len(luminance)), proxy.normals[skin]])
    weights = np.ones(len(luminance))
    for _ in range(ROUNDS):
        weighted = matrix * weights[:, None]
        # A slight prior for even light: dark or flat faces must not get an arbitrary direction.
        solved = np.linalg.solve(
            weighted.T @ matrix + 1e-3 * np.diag([0, 1, 1, 1]) * weights.sum(), weighted.T @ luminance
        )
        errors = luminance - matrix @ solved
        spread = 1.48 * np.median(np.abs(errors)) + 1e-6
        weights = 1 / (1 + (errors / (HALF_WEIGHT_ERROR * spread)) ** 2)
    even, towards = max(float(solved[0]), 1e-3), solved[1:]
    towards[2] = max(towards[2], 0.05)  # in front of the face: a light behind it does not shade it
    strength = float(np.linalg.norm(towards))
    key = float(np.clip(strength / (even + strength), MIN_KEY, MAX_KEY))
    rest = 1 - key
    x, y, z = (float(v) for v in towards / strength)
    red, green, blue = (float(v) for v in np.median(colors, axis=0))
    return Light((x, y, z), (1.2 * key,) * 3, (0.95 * rest,) * 3, (0.65 * rest,) * 3), (red, green, blue)


def face_masks(view: View, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where a head in a view shows its face, and where bare skin, (h, w) bool each; neither is ever empty in the face.

    Args:
        view: Pose and position of the head.
        shape: Height and width of the picture, pixels.
    """
    shrink = min(1.0, PROXY_HEIGHT / projected_face_height(view))
    small = (max(1, round(shape[0] * shrink)), max(1, round(shape[1] * shrink)))
    proxy = render_anatomy(mean_head(), view.enlarged(shrink), _UNLIT, small)
    face, skin = proxy.face, bare_skin_mask(proxy)
    if not face.any():
        face = np.ones(small, bool)
    face, skin = (
        cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0 for mask in (face, skin)
    )
    return face, skin


def skin_colored_mask(pixels: np.ndarray, *candidates: np.ndarray) -> np.ndarray:
    """The skin-colored pixels among those that should show skin.

    Args:
        pixels: (h, w, 3) uint8, BGR.
        candidates: (h, w) bool each: where skin is expected. The first with enough skin-colored pixels is used.

    Returns:
        (h, w) bool. All of the first candidate, if none has enough skin-colored pixels.
    """
    _, green_red, blue_yellow = np.moveaxis(lab(pixels.astype(np.float32) / 255), -1, 0)
    hue, chroma = np.degrees(np.arctan2(blue_yellow, green_red)), np.hypot(green_red, blue_yellow)
    like = (HUES[0] < hue) & (hue < HUES[1]) & (CHROMAS[0] < chroma) & (chroma < CHROMAS[1])
    for where in candidates:
        if (where & like).sum() >= max(MIN_SKIN_PIXELS, MIN_SKIN_FRACTION * where.sum()):
            return where & like
    return candidates[0]


def bare_skin_mask(head: Head) -> np.ndarray:
    """(h, w) bool: cheeks, nose, chin and lower forehead, without brows, eyes and mouth."""
    x, y, z = np.abs(head.positions[..., 0]), head.positions[..., 1], head.positions[..., 2]
    skin = (head.parts == SKIN) & (z > -6.0) & (y < 5.0) & (y > -10.5)
    eyes = (np.abs(x - 3.1) < 1.9) & (np.abs(y) < 1.2)
    mouth = (x < 3.0) & (np.abs(y + 6.6) < 1.5)
    brows = (y > 1.2) & (y < 3.2)
    return skin & ~eyes & ~mouth & ~brows
