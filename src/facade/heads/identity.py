"""Who a procedural head is: some thirty numbers, drawn at random, that belong to nobody."""

from dataclasses import dataclass

import numpy as np

# Linear RGB of skin from light to dark, read off the Monk Skin Tone scale (Google, 2022) and undone of gamma.
SKIN_TONES = np.array(
    [(0.92, 0.76, 0.66), (0.83, 0.62, 0.48), (0.68, 0.45, 0.31), (0.47, 0.27, 0.16), (0.26, 0.135, 0.08),
     (0.12, 0.062, 0.04)]
)  # fmt: skip
# Linear RGB of hair: black, dark brown, brown, fair, red, grey.
HAIR_COLOURS = np.array(
    [(0.012, 0.010, 0.009), (0.035, 0.020, 0.012), (0.11, 0.060, 0.032), (0.40, 0.28, 0.14), (0.25, 0.085, 0.03),
     (0.42, 0.41, 0.40)]
)  # fmt: skip
IRIS_COLOURS = np.array([(0.04, 0.018, 0.008), (0.09, 0.04, 0.015), (0.10, 0.15, 0.20), (0.09, 0.12, 0.05)])
HAIR_STYLES = ("bald", "cropped", "short", "curly", "long")


@dataclass(frozen=True)
class Identity:
    """A person who does not exist. Lengths are in half heights of the head (about 11.5 cm).

    Colours are linear RGB, 0 to 1.
    """

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    style: str
    skull_width: float
    jaw_width: float
    jaw_drop: float
    chin: float
    cheek: float
    brow_ridge: float
    eye_spacing: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    brow_height: float
    brow_thickness: float
    nose_length: float
    nose_width: float
    nose_depth: float
    mouth_height: float
    mouth_width: float
    lip_fullness: float
    lip_redness: float
    hairline: float
    hair_volume: float
    beard: float
    glasses: float
    age: float
    texture: int


def draw_identity(random: np.random.Generator) -> Identity:
    """Draw a person at random, over the whole range of skin tones, ages and face shapes."""

    def around(middle: float, spread: float) -> float:
        # Cut at 2.2 standard deviations: beyond, faces look like masks.
        return middle + spread * float(np.clip(random.standard_normal(), -2.2, 2.2))

    masculine = random.random()
    age = random.random()
    tone = random.random() * (len(SKIN_TONES) - 1)
    skin = np.array([np.interp(tone, range(len(SKIN_TONES)), channel) for channel in SKIN_TONES.T])
    skin = skin * (1 + 0.08 * random.standard_normal(3).clip(-1, 1))
    # Fair and red hair, and light eyes, are rare with dark skin.
    fair = max(0.0, 1 - tone / 2.2)
    hair_odds = np.array([0.35, 0.3, 0.15, 0.14 * fair, 0.06 * fair, 0.02 + 0.35 * max(0.0, age - 0.55)])
    hair = HAIR_COLOURS[random.choice(len(HAIR_COLOURS), p=hair_odds / hair_odds.sum())]
    iris_odds = np.array([0.5, 0.3, 0.14 * fair, 0.06 * fair])
    iris = IRIS_COLOURS[random.choice(len(IRIS_COLOURS), p=iris_odds / iris_odds.sum())]
    style_odds = np.array([0.12 * masculine, 0.3 * masculine, 0.35, 0.15, 0.55 * (1 - masculine) + 0.02])
    style = str(random.choice(HAIR_STYLES, p=style_odds / style_odds.sum()))
    return Identity(
        skin=skin.clip(0.02, 0.95),
        hair=hair * (0.7 + 0.6 * random.random()),
        iris=iris,
        style=style,
        skull_width=around(0.735, 0.03),
        jaw_width=around(0.50 + 0.05 * masculine, 0.03),
        jaw_drop=around(-0.52, 0.03),
        chin=around(0.08 + 0.04 * masculine, 0.02),
        cheek=around(0.05, 0.02),
        brow_ridge=around(0.03 + 0.03 * masculine, 0.012),
        eye_spacing=around(0.30, 0.013),
        eye_width=around(0.145, 0.008),
        eye_open=around(0.058 - 0.008 * age, 0.008),
        eye_tilt=around(0.05, 0.06),
        brow_height=around(0.20, 0.02),
        brow_thickness=around(0.028 + 0.014 * masculine, 0.006),
        nose_length=around(-0.24, 0.025),
        nose_width=around(0.125, 0.02),
        nose_depth=around(0.15, 0.025),
        mouth_height=around(-0.52, 0.02),
        mouth_width=around(0.245, 0.022),
        lip_fullness=around(0.060, 0.013),
        lip_redness=around(0.5, 0.2),
        hairline=around(0.60 + 0.06 * masculine * age, 0.04),
        hair_volume=around(0.10, 0.025),
        beard=float(masculine > 0.55 and random.random() < 0.45) * (0.35 + 0.6 * random.random()),
        glasses=float(random.random() < 0.14),
        age=age,
        texture=int(random.integers(2**31)),
    )
