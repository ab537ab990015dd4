"""Identity of a procedural head: random parameters that cover the range of people and belong to no real person.

Lengths are in cm and colours in linear RGB. Means and spreads follow Farkas, Anthropometry of the Head and Face (1994),
rounded. Sex, age, build and skin color are correlated with shape and hair as they are in people.
"""

from dataclasses import dataclass, replace

import numpy as np

from facade.heads.light import Color

HAIR_COLORS = {
    "black": (0.008, 0.006, 0.005), "dark brown": (0.018, 0.011, 0.008), "brown": (0.05, 0.026, 0.014),
    "light brown": (0.11, 0.058, 0.028), "dark blond": (0.22, 0.13, 0.06), "blond": (0.40, 0.28, 0.14),
    "red": (0.19, 0.062, 0.022), "white": (0.55, 0.54, 0.52),
}  # fmt: skip
DARK_IRIS: tuple[Color, ...] = ((0.030, 0.015, 0.008), (0.060, 0.029, 0.012))
LIGHT_IRIS: tuple[Color, ...] = ((0.11, 0.065, 0.025), (0.11, 0.12, 0.06), (0.09, 0.15, 0.22), (0.15, 0.18, 0.20))
HAIR_STYLES = ("bald", "buzz", "short", "side", "curly", "receding", "long", "fringe", "bob", "tied")
HEADWEAR = ("none", "beanie", "cap", "hat", "scarf")
SPECTACLES = ("none", "clear", "dark")
# Thickness of hair above the crown, and length of a fringe over the forehead: mean and standard deviation, cm.
THICKNESS = {"buzz": (0.35, 0.05), "short": (1.7, 0.4), "side": (2.0, 0.35), "curly": (3.4, 1.0),
             "receding": (0.55, 0.1), "long": (1.4, 0.2), "fringe": (1.5, 0.2), "bob": (1.6, 0.2),
             "tied": (0.7, 0.1)}  # fmt: skip
FRINGE = {"short": (0.0, 1.0), "side": (1.6, 0.7), "long": (0.5, 0.6), "fringe": (3.6, 0.8), "bob": (1.5, 1.2)}
SIDES = {"buzz": 0.2, "short": 0.5, "receding": 0.45, "curly": 2.6, "tied": 0.4}
LENGTHS = {"long": 19.0, "fringe": 18.0, "bob": 10.0}
# Melanin of five skin groups from light to dark, mean and standard deviation in units of the pigment's optical depth;
# and their probabilities.
MELANIN = ((0.24, 0.07), (0.42, 0.10), (0.65, 0.15), (1.05, 0.20), (1.55, 0.25))
MELANIN_ODDS = (0.28, 0.23, 0.17, 0.16, 0.16)

# Age, 0 to 1, up to which a face goes with hair and clothes of any age: it has no deep wrinkles.
MAX_AGE = 0.4


@dataclass(frozen=True)
class Identity:
    """A synthetic person."""

    # The skull.
    forehead_height: float  # fraction of the mean
    forehead_slope: float
    skull_width: float  # fraction of the mean, as are the next three
    cheek_width: float
    jaw_width: float
    chin_width: float
    chin_y: float
    chin_forward: float
    # Relief of the face, heights of bumps.
    brow_ridge: float
    socket: float
    socket_inner: float
    cheekbone: float
    cheek: float
    hollow: float
    fat: float
    fold: float
    chin_boss: float
    chin_cleft: float
    muzzle: float
    temple: float
    eye_bags: float
    lean: float
    slant: float
    # Eyes.
    eye_x: float
    eye_z: float
    eye_half_width: float
    eye_upper: float
    eye_lower: float
    eye_tilt: float
    lid_fold: float
    iris: Color
    pupil: float
    # Nose.
    bridge_z: float
    bridge_radius: float
    nose_tip_y: float
    nose_tip_z: float
    nose_tip_radius: float
    nose_half_width: float
    nose_turned_up: float
    nose_hump: float
    nose_bend: float
    # Mouth.
    mouth_y: float
    mouth_half_width: float
    upper_lip: float
    lower_lip: float
    lip_forward: float
    mouth_corner: float
    teeth: float
    # Brows.
    brow_y: float
    brow_arch: float
    brow_thickness: float
    brow_density: float
    brow_tilt: float
    # Ears, neck, shoulders.
    ear_size: float
    ear_out: float
    neck_radius: float
    shoulder_width: float
    # Skin.
    melanin: float
    blood: float
    oil: float
    freckles: float
    blotches: float
    age: float
    flush: float
    lip_red: float
    lip_dark: float
    makeup: float
    mole_x: float
    mole_y: float
    # Hair.
    style: str
    hair: Color
    hairline: float
    hair_top: float
    hair_side: float
    hair_length: float
    hair_wave: float
    hair_mess: float
    hair_part: float
    fringe: float
    recession: float
    beard: float
    moustache: float
    stubble: float
    # Glasses, headwear and clothes.
    spectacles: str
    spectacles_size: float
    spectacles_roundness: float
    spectacles_rim: float
    spectacles_color: Color
    headwear: str
    headwear_color: Color
    clothes: Color
    # Seed of the patterns of skin and hair.
    texture: float

    def bare(self) -> "Identity":
        """The same person without hair, beard, headwear or glasses."""
        return replace(
            self, style="bald", beard=0.0, moustache=0.0, stubble=0.0, spectacles="none", headwear="none"
        )  # fmt: skip

    def ageless(self) -> "Identity":
        """The same person without what tells age or sex at first sight: beard, makeup, wrinkles, a child's skin."""
        return replace(
            self, beard=0.0, moustache=0.0, stubble=0.0, makeup=0.0, age=min(self.age, MAX_AGE),
            fold=min(self.fold, 0.14), eye_bags=min(self.eye_bags, 0.65), hollow=min(self.hollow, 0.25),
        )  # fmt: skip


class _Sampler:
    """Hands out pre-drawn random numbers: single draws from a generator take as long as rendering a small head."""

    def __init__(self, normal: np.ndarray, uniform: np.ndarray) -> None:
        # Clipped at 2.3 standard deviations: beyond, faces look like masks.
        self._normal = iter(np.clip(normal, -2.3, 2.3).tolist())
        self._uniform = iter(uniform.tolist())

    def around(self, middle: float, spread: float, low: float = -np.inf, high: float = np.inf) -> float:
        return min(max(middle + spread * next(self._normal), low), high)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * next(self._uniform)

    def happens(self, odds: float) -> bool:
        return next(self._uniform) < odds

    def one_of(self, odds: dict[str, float]) -> str:
        at = next(self._uniform) * sum(odds.values())
        for name, share in odds.items():
            at -= share
            if at < 0:
                return name
        return name

    def color(self) -> Color:
        """A color of cloth: mostly dark, sometimes gray."""
        dyes = [0.02 + 0.6 * next(self._uniform) ** 1.7 for _ in range(3)]
        gray = sum(dyes) / 3
        pale = next(self._uniform)
        return (gray + pale * (dyes[0] - gray), gray + pale * (dyes[1] - gray), gray + pale * (dyes[2] - gray))


def sample_identity(random: np.random.Generator) -> Identity:
    """Sample a person over the full range of skin tones, ages and face shapes."""
    return _identity(_Sampler(random.standard_normal(96), random.random(48)))


def mean_identity() -> Identity:
    """The person with the mean of every parameter, without hair, headwear or glasses."""
    return _identity(_Sampler(np.zeros(96), np.full(48, 0.5))).bare()


def _identity(draw: _Sampler) -> Identity:
    masculine = draw.between(0, 1)
    child = draw.happens(0.1)
    age = 0.0 if child else draw.between(0, 1) ** 1.4
    if child:
        masculine *= 0.4
    sex = -0.4 if child else 2 * masculine - 1
    young = 1.0 if child else 0.0
    group = int(np.searchsorted(np.cumsum(MELANIN_ODDS), draw.between(0, 1)).clip(0, len(MELANIN) - 1))
    melanin = draw.around(*MELANIN[group], 0.05, 2.1)
    dark = min(max((melanin - 0.3) / 1.2, 0.0), 1.0)
    # Strength of features common in East Asia: the shapes of lid, nose bridge and brow are correlated.
    eastern = draw.between(0.5, 1.0) if draw.happens(0.45) and 0.2 < melanin < 0.65 else 0.0
    fat = draw.around(0.0, 0.35, -0.7, 1.0) + 0.25 * young
    nose_tip_y = draw.around(-3.45 - 0.15 * sex + 0.5 * young, 0.22)
    hair = _hair_colour(draw, melanin, eastern, age)
    style = _hair_style(draw, masculine, dark, age)
    beard, moustache, stubble = _facial_hair(draw, masculine, child)
    hairline = (
        draw.around(6.9 + 0.3 * sex + 0.6 * age * masculine, 0.4) if style != "receding" else draw.around(8.6, 0.5)
    )
    has_makeup = masculine < 0.45 and not child and draw.happens(0.5)
    headwear = draw.one_of({"none": 0.86, "beanie": 0.03, "cap": 0.04, "hat": 0.03, "scarf": 0.08 * (masculine < 0.5)})
    return Identity(
        forehead_height=draw.around(1.0, 0.03) + 0.03 * young,
        forehead_slope=draw.around(0.25 + 0.25 * sex, 0.3),
        skull_width=draw.around(0.99, 0.025) + 0.03 * young,
        cheek_width=draw.around(0.985 + 0.01 * sex + 0.02 * eastern, 0.025) + 0.03 * fat,
        jaw_width=draw.around(0.97 + 0.05 * sex, 0.045) + 0.05 * max(fat, 0.0),
        chin_width=draw.around(1.0 + 0.10 * sex, 0.09),
        chin_y=min(-9.9, draw.around(-11.3 - 0.3 * sex + 1.0 * young, 0.35)),
        chin_forward=draw.around(0.1 * sex - 0.3 * young, 0.3),
        brow_ridge=max(0.02, draw.around(0.22 + 0.18 * sex, 0.08)) * (1 - 0.6 * eastern) * (1 - 0.6 * young),
        socket=draw.around(0.78 + 0.1 * sex - 0.2 * eastern, 0.1),
        socket_inner=draw.around(0.06 - 0.06 * eastern, 0.06),
        cheekbone=draw.around(0.30, 0.12, 0.05),
        cheek=draw.around(0.35 + 0.1 * fat + 0.15 * young, 0.1),
        hollow=draw.around(0.08 + 0.15 * age, 0.12),
        fat=fat,
        fold=max(0.0, draw.around(0.07 + 0.14 * age, 0.02)) * (1 - 0.8 * young),
        chin_boss=draw.around(0.42 + 0.08 * sex, 0.12),
        chin_cleft=max(0.0, draw.around(-0.05 + 0.05 * sex, 0.07)),
        muzzle=draw.around(0.65 + 0.25 * dark, 0.12),
        temple=draw.around(0.15 + 0.1 * age, 0.08),
        eye_bags=max(0.0, draw.around(0.3 + 0.7 * age, 0.2)),
        lean=draw.around(0.0, 0.010),
        slant=draw.around(0.0, 0.010),
        eye_x=draw.around(3.15, 0.13, 2.85, 3.5) - 0.1 * young,
        eye_z=draw.around(-2.72 + 0.15 * eastern, 0.12),
        eye_half_width=draw.around(1.50 - 0.03 * sex + 0.03 * young, 0.07),
        eye_upper=draw.around(0.54 - 0.04 * sex - 0.08 * eastern - 0.06 * age, 0.05, 0.32, 0.70) + 0.08 * young,
        eye_lower=draw.around(0.42 - 0.03 * sex - 0.03 * eastern, 0.04, 0.26, 0.55),
        eye_tilt=draw.around(0.08 - 0.03 * sex + 0.10 * eastern - 0.06 * age, 0.07),
        lid_fold=draw.around(0.8 - 0.65 * eastern, 0.25, 0.0, 1.0),
        iris=_iris(draw, melanin > 0.45 or eastern > 0),
        pupil=draw.around(0.22, 0.04, 0.13, 0.32),
        bridge_z=draw.around(-0.22 + 0.18 * sex - 0.45 * eastern - 0.35 * dark - 0.3 * young, 0.15),
        bridge_radius=draw.around(0.47 + 0.04 * sex, 0.05),
        nose_tip_y=nose_tip_y,
        nose_tip_z=draw.around(2.05 + 0.2 * sex - 0.3 * eastern - 0.25 * dark - 0.5 * young, 0.2, 1.2, 2.7),
        nose_tip_radius=draw.around(0.72 + 0.06 * sex + 0.12 * dark, 0.06),
        nose_half_width=draw.around(1.66 + 0.1 * sex + 0.12 * eastern + 0.36 * dark - 0.15 * young, 0.1, 1.35, 2.4),
        nose_turned_up=draw.around(0.1 - 0.1 * sex + 0.25 * young, 0.3),
        nose_hump=draw.around(0.04 + 0.10 * sex - 0.12 * eastern - 0.10 * dark - 0.15 * young, 0.14),
        nose_bend=draw.around(0.0, 0.09),
        mouth_y=draw.around(-6.3 + 0.35 * (nose_tip_y + 3.45) + 0.4 * young, 0.12),
        mouth_half_width=draw.around(2.6 + 0.1 * sex + 0.12 * dark - 0.3 * young, 0.15, 1.9, 3.0),
        upper_lip=draw.around(0.66 - 0.08 * sex + 0.2 * dark - 0.2 * age, 0.12, 0.25, 1.1),
        lower_lip=draw.around(0.84 - 0.08 * sex + 0.2 * dark - 0.2 * age, 0.12, 0.4, 1.25),
        lip_forward=draw.around(0.40 + 0.15 * dark, 0.06),
        mouth_corner=draw.around(0.02 - 0.08 * age, 0.08),
        teeth=draw.around(0.92, 0.06, 0.7, 1.0),
        brow_y=draw.around(1.72 - 0.2 * sex, 0.16),
        brow_arch=draw.around(0.28 - 0.14 * sex, 0.12),
        brow_thickness=draw.around(0.36 + 0.10 * sex, 0.07, 0.16, 0.6),
        brow_density=draw.around(0.82, 0.14, 0.3, 1.0),
        brow_tilt=draw.around(0.1, 0.15),
        ear_size=draw.around(0.98 + 0.04 * sex + 0.07 * age, 0.06),
        ear_out=draw.around(0.38, 0.14, 0.1, 0.8),
        neck_radius=draw.around(4.75 + 0.6 * sex - 1.0 * young, 0.3) + 0.5 * fat,
        shoulder_width=draw.around(19.5 + 2.0 * sex - 3 * young, 1.2),
        melanin=melanin,
        blood=draw.around(0.40 - 0.1 * eastern, 0.1, 0.1),
        oil=draw.around(0.15, 0.07, 0.03, 0.35) * (1 + 0.6 * dark),
        freckles=max(0.0, draw.around(-0.3, 0.6)) if melanin < 0.35 else 0.0,
        blotches=abs(draw.around(0.25, 0.12)),
        age=age,
        flush=abs(draw.around(0.20, 0.10)),
        lip_red=draw.around(0.80, 0.2, 0.35),
        lip_dark=max(0.0, draw.around(0.03 + 0.12 * dark, 0.08)),
        makeup=draw.around(0.3, 0.4, 0.0, 0.85) if has_makeup else 0.0,
        mole_x=draw.between(-6, 6),
        mole_y=draw.between(-9, 5),
        style=style,
        hair=hair,
        hairline=hairline * (0.5 + 0.5 * draw.around(1.0, 0.02)),
        hair_top=_thickness(draw, style),
        hair_side=draw.around(SIDES.get(style, 0.9), 0.15, 0.15),
        hair_length=draw.around(LENGTHS[style], 3.0) if style in LENGTHS else 0.0,
        hair_wave=abs(draw.around(0.4, 0.4)),
        hair_mess=abs(draw.around(0.35, 0.25)),
        hair_part=0.0 if style in ("buzz", "curly", "fringe", "receding", "tied") else draw.around(0.0, 1.0, -1.0, 1.0),
        fringe=_fringe(draw, style, hairline),
        recession=max(0.0, draw.around({"receding": 2.2}.get(style, 0.2 * masculine + 0.9 * age * masculine), 0.4)),
        beard=beard,
        moustache=moustache,
        stubble=stubble,
        spectacles=draw.one_of({"none": 1.0 if child else 0.84, "clear": 0.12, "dark": 0.04 * (1 - young)}),
        spectacles_size=draw.around(2.55, 0.15),
        spectacles_roundness=draw.between(0.3, 0.98),
        spectacles_rim=draw.between(0.06, 0.17),
        spectacles_color=((0.01, 0.01, 0.01), (0.08, 0.04, 0.02), (0.3, 0.25, 0.12), (0.3, 0.3, 0.3))[
            int(draw.between(0, 4))
        ],
        headwear=headwear,
        headwear_color=draw.color(),
        clothes=draw.color(),
        texture=draw.between(0, 1000),
    )


def _hair_colour(draw: _Sampler, melanin: float, eastern: float, age: float) -> Color:
    """Color of the hair; it turns gray with age."""
    if melanin > 0.55 or eastern > 0:
        name = draw.one_of({"black": 0.6, "dark brown": 0.3, "brown": 0.1})
    else:
        name = draw.one_of({"black": 0.10, "dark brown": 0.20, "brown": 0.25, "light brown": 0.20, "dark blond": 0.12,
                            "blond": 0.09, "red": 0.04})  # fmt: skip
    gray = min(max((age - 0.62) * 2.6 + draw.around(0, 0.2), 0.0), 1.0) if age > 0.5 else 0.0
    own, white = HAIR_COLORS[name], HAIR_COLORS["white"]
    gray *= draw.between(0.5, 1.0)
    return (
        own[0] + gray * (white[0] - own[0]),
        own[1] + gray * (white[1] - own[1]),
        own[2] + gray * (white[2] - own[2]),
    )


def _iris(draw: _Sampler, dark: bool) -> Color:
    colors = DARK_IRIS if dark or draw.happens(0.3) else LIGHT_IRIS
    color = colors[int(draw.between(0, len(colors)))]
    bright = draw.between(0.8, 1.2)
    return (color[0] * bright, color[1] * bright, color[2] * bright)


def _hair_style(draw: _Sampler, masculine: float, dark: float, age: float) -> str:
    if masculine > 0.5:
        odds = {
            "bald": 0.08 + 0.08 * age, "buzz": 0.18 + 0.2 * dark, "short": 0.34 * (1 - 0.5 * dark),
            "side": 0.2 * (1 - 0.7 * dark), "curly": 0.04 + 0.12 * dark, "long": 0.04,
            "receding": 0.05 + 0.25 * age * (1 - 0.6 * dark),
        }  # fmt: skip
    else:
        odds = {
            "short": 0.08, "side": 0.1, "long": 0.30, "fringe": 0.16, "bob": 0.15, "tied": 0.15 + 0.1 * dark,
            "curly": 0.05 + 0.2 * dark,
        }  # fmt: skip
    return draw.one_of(odds)


def _thickness(draw: _Sampler, style: str) -> float:
    return draw.around(*THICKNESS.get(style, (0.0, 0.0)), 0.0)


def _fringe(draw: _Sampler, style: str, hairline: float) -> float:
    """Length of the fringe over the forehead, cm; never over the eyes."""
    return min(max(draw.around(*FRINGE.get(style, (0.0, 0.0))), 0.0), hairline - 2.6)


def _facial_hair(draw: _Sampler, masculine: float, child: bool) -> tuple[float, float, float]:
    """Beard, moustache and stubble, 0 to 1 each."""
    kind = draw.one_of({"none": 0.25, "beard": 0.22, "moustache": 0.08, "stubble": 0.45})
    thick, short = draw.around(0.85, 0.1, 0.5, 1.0), draw.between(0.2, 0.9)
    if masculine < 0.6 or child or kind == "none":
        return 0.0, 0.0, 0.0
    return {"beard": (thick, thick, 0.0), "moustache": (0.0, thick, 0.2 * short), "stubble": (0.0, 0.0, short)}[kind]
