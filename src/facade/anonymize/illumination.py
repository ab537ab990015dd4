"""What a person in a photograph is lit by, read off the brightness of the face."""

import numpy as np

from facade.anonymize.align import face_height
from facade.anonymize.region import shrunk
from facade.colour import LUMINANCE, decode_gamma, lab
from facade.heads.field.scene import SKIN
from facade.heads.fit import mean_head
from facade.heads.head import Head, draw_built
from facade.heads.light import Light
from facade.heads.pose import View

# The mean head stands in for the person's, drawn so high: enough for some hundred normals, and quick.
PROXY_HEIGHT = 36.0
# With fewer pixels of skin than this a direction is noise.
FEWEST = 24
# Hues and chromas of skin in white light, degrees and units of CIE Lab: those of drawn skin (50 to 61, 11 to 32), and
# room for cameras, blood and shadow. Where a smaller share of what should be skin has them, the light is coloured, or
# the photograph grey.
HUES, CHROMAS, LEAST_SHARE = (15.0, 90.0), (5.0, 46.0), 0.06
# Rounds of the robust regression, and the error, in standard deviations, at which a pixel counts half.
ROUNDS, DOUBT = 8, 1.5
# Share of the lamp in all light: never all of it, and never nothing, or faces would look cut from paper.
LEAST_KEY, MOST_KEY = 0.10, 0.80
_UNLIT = Light(key=(0.0, 0.0, 0.0))
_FRONT = Light((0.1, 0.35, 1.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (0.33, 0.33, 0.33))


def read_light(pixels: np.ndarray, view: View, hidden: bool = False) -> tuple[Light, tuple[float, float, float] | None]:
    """The light that explains the brightness of a face best, and the colour of its skin.

    Linear luminance is regressed on the normals of the mean head in the same pose, robustly: eyes, beards and what
    hides the face do not fit, and count little.

    Args:
        pixels: (h, w, 3) uint8, BGR: the place of the face.
        view: How the head is held in it.
        hidden: Whether something may be in front of the face, whose colour is not the skin's.

    Returns:
        A light of strength about one, whose colour is left to the match of tones; and the median of the skin, linear
        RGB, or None where hardly any can be seen.
    """
    shrink = min(1.0, PROXY_HEIGHT / face_height(view))
    small = shrunk(pixels, shrink)
    proxy = draw_built(mean_head(), view.enlarged(shrink), _UNLIT, small.shape[:2])
    skin = bare_skin(proxy)
    if hidden:
        skin = skin_coloured(small, skin)
    if skin.sum() < FEWEST:
        return _FRONT, None
    colours = decode_gamma(small[..., ::-1][skin] / 255.0)
    luminance = colours @ LUMINANCE
    matrix = np.column_stack([np.ones(len(luminance)), proxy.normals[skin]])
    weights = np.ones(len(luminance))
    for _ in range(ROUNDS):
        weighted = matrix * weights[:, None]
        # A little pull towards even light keeps dark or flat faces from any direction at all.
        solved = np.linalg.solve(
            weighted.T @ matrix + 1e-3 * np.diag([0, 1, 1, 1]) * weights.sum(), weighted.T @ luminance
        )
        errors = luminance - matrix @ solved
        spread = 1.48 * np.median(np.abs(errors)) + 1e-6
        weights = 1 / (1 + (errors / (DOUBT * spread)) ** 2)
    even, towards = max(float(solved[0]), 1e-3), solved[1:]
    towards[2] = max(towards[2], 0.05)  # from in front: a light from behind does not shade the face
    strength = float(np.linalg.norm(towards))
    key = float(np.clip(strength / (even + strength), LEAST_KEY, MOST_KEY))
    rest = 1 - key
    x, y, z = (float(v) for v in towards / strength)
    red, green, blue = (float(v) for v in np.median(colours, axis=0))
    return Light((x, y, z), (1.2 * key,) * 3, (0.95 * rest,) * 3, (0.65 * rest,) * 3), (red, green, blue)


def skin_coloured(pixels: np.ndarray, *places: np.ndarray) -> np.ndarray:
    """Of the pixels that should show skin, those of a colour that skin has.

    Args:
        pixels: (h, w, 3) uint8, BGR.
        places: (h, w) bool each: where skin should show. The first one counts in which enough pixels have its colour.

    Returns:
        (h, w) bool. All of the first place, where there are hardly such pixels in any.
    """
    _, green_red, blue_yellow = np.moveaxis(lab(pixels.astype(np.float32) / 255), -1, 0)
    hue, chroma = np.degrees(np.arctan2(blue_yellow, green_red)), np.hypot(green_red, blue_yellow)
    like = (HUES[0] < hue) & (hue < HUES[1]) & (CHROMAS[0] < chroma) & (chroma < CHROMAS[1])
    for where in places:
        if (where & like).sum() >= max(FEWEST, LEAST_SHARE * where.sum()):
            return where & like
    return places[0]


def bare_skin(head: Head) -> np.ndarray:
    """(h, w) bool: cheeks, nose, chin and the lower forehead, without brows, eyes and mouth."""
    x, y, z = np.abs(head.places[..., 0]), head.places[..., 1], head.places[..., 2]
    skin = (head.parts == SKIN) & (z > -6.0) & (y < 5.0) & (y > -10.5)
    eyes = (np.abs(x - 3.1) < 1.9) & (np.abs(y) < 1.2)
    mouth = (x < 3.0) & (np.abs(y + 6.6) < 1.5)
    brows = (y > 1.2) & (y < 3.2)
    return skin & ~eyes & ~mouth & ~brows
