"""From a person and an expression to the numbers and tables that the field is made of."""

from dataclasses import dataclass

import numpy as np

from facade.heads.expression import Expression
from facade.heads.field.hair import LINE_STEPS
from facade.heads.field.relief import build_relief
from facade.heads.field.skull import FINEST, LOFT_LOW, LOFT_ROWS, LOFT_STEP, RELIEF_COLUMNS, RELIEF_ROWS
from facade.heads.field.solids import MARGIN
from facade.heads.identity import HEADWEAR, SPECTACLES, Identity
from facade.heads.lofting import build_loft

# Numbers that come from the person and from the expression as they are.
_FROM_IDENTITY = (
    "lean", "slant", "eye_x", "eye_z", "eye_half_width", "eye_upper", "eye_lower", "eye_tilt", "lid_fold", "pupil",
    "bridge_z", "bridge_radius", "nose_tip_y", "nose_tip_z", "nose_tip_radius", "nose_half_width", "nose_turned_up",
    "nose_hump", "nose_bend", "mouth_y", "mouth_half_width", "upper_lip", "lower_lip", "lip_forward", "teeth",
    "fold", "brow_y", "brow_arch", "brow_thickness", "brow_density", "brow_tilt", "ear_size", "ear_out",
    "neck_radius", "shoulder_width", "melanin", "blood", "oil", "freckles", "blotches", "age", "flush", "eye_bags",
    "lip_red", "lip_dark", "makeup", "mole_x", "mole_y", "hair_top", "hair_side", "hair_length", "hair_wave",
    "hair_mess", "hair_part", "beard", "moustache", "stubble", "texture",
)  # fmt: skip
_FROM_EXPRESSION = ("smile", "open", "jaw", "brow_raise", "lid", "gaze_x", "gaze_y")
_DERIVED = (
    "relief_cell", "eye_radius", "corner_rise", "ear_x", "ears", "torso", "hair_reach", "hair_front", "hair_lift",
    "curls", "bun", "spectacles", "lens_width", "lens_height", "lens_roundness", "rim", "headwear", "headwear_y",
    "brim", "hair_r", "hair_g", "hair_b", "brow_r", "brow_g", "brow_b", "iris_r", "iris_g", "iris_b", "clothes_r",
    "clothes_g", "clothes_b", "frame_r", "frame_g", "frame_b", "cloth_r", "cloth_g", "cloth_b", "stripes",
)  # fmt: skip
_NUMBERS = (*_FROM_IDENTITY, *_FROM_EXPRESSION, *_DERIVED)
HEAD = np.dtype(
    [
        *((name, np.float64) for name in _NUMBERS),
        ("stance", np.float64, (3, 3)),  # from the head's axes to the body's
        ("line", np.float64, (LINE_STEPS,)),  # height of the hairline by azimuth, cm; see `hair.hairline`
        ("lofts", np.float32, (LOFT_ROWS, 5)),  # see `lofting.build_loft`
        ("relief", np.float32, (RELIEF_ROWS, RELIEF_COLUMNS, 2)),  # see `relief.build_relief`
    ]
)

EYE_RADIUS = 1.2
# Cells of the relief's table are about this share of a pixel, within these bounds, in cm: the lips need the finest.
CELL_SHARE, COARSEST = 0.7, 0.25
# The face ends so far round the head, degrees: in front of the ears. Farther, boxes of turned heads hold hair.
WIDEST = 72.0
# Landmarks are where people, and the detectors that learn from them, mark them: the corner of the mouth where the red
# of the lips ends to the eye, a share of the way to its end; the tip of the nose inside its ball, by a share of the
# radius: in a turned head the foremost point is not what they take for the tip.
CORNER, NOSE = 0.92, 0.5
# Hair reaches so much farther than it is thick where it is curly, or hangs, cm.
CURLY_REACH, CURTAIN_REACH = 4.5, 6.0


@dataclass(frozen=True)
class Anatomy:
    """A head ready to be drawn.

    Attributes:
        head: (1,) of `HEAD`: its numbers and tables.
        landmarks: (5, 3) eyes, tip of the nose, corners of the mouth, cm.
        outline: (N, 3) points of the skin from hairline to chin and ear to ear, cm.
        chin_y: Height of the chin, cm.
    """

    head: np.ndarray
    landmarks: np.ndarray
    outline: np.ndarray
    chin_y: float


def build(who: Identity, look: Expression, pixel: float, with_body: bool = True) -> Anatomy:
    """Build a head.

    Args:
        who: The person.
        look: What the face is doing.
        pixel: Size of a pixel on the head, cm; nothing much finer is built.
        with_body: False leaves ears, neck and clothes away.
    """
    head = np.zeros(1, HEAD)
    values = {name: getattr(who, name) for name in _FROM_IDENTITY}
    values |= {name: getattr(look, name) for name in _FROM_EXPRESSION}
    values |= _derived(who, pixel, with_body)
    values["corner_rise"] = _corner_rise(who, look)
    # The numbers come first, as they are listed; set by name they take ten times as long.
    np.frombuffer(head, np.float64, len(_NUMBERS))[:] = [values[name] for name in _NUMBERS]
    head["stance"] = np.eye(3)
    if head["hair_top"] > 0:
        head["line"] = _hairline(who)
    lofts = build_loft(_sections(who))
    head["lofts"] = lofts
    build_relief(head, _bumps(who, look))
    return Anatomy(head, _landmarks(who, look, lofts), _outline(who, look, lofts), who.chin_y - look.jaw)


def _derived(who: Identity, pixel: float, with_body: bool) -> dict[str, float]:
    curls, hangs = who.style == "curly", who.hair_length > 0
    under_hat = who.headwear not in ("none", "scarf")
    thick = min(who.hair_top, 0.6) if under_hat else who.hair_top
    reach = thick + who.hair_mess + MARGIN
    brow = [min(0.55 * channel + 0.004, 0.09) for channel in who.hair]
    return {
        "relief_cell": min(max(CELL_SHARE * pixel, FINEST), COARSEST),
        "eye_radius": EYE_RADIUS,
        "ear_x": 7.05 * (0.5 * who.cheek_width + 0.5 * who.skull_width) - 0.1,
        "ears": float(who.headwear != "scarf"),
        "torso": float(with_body),
        "hair_top": 0.0 if who.style == "bald" or who.headwear == "scarf" else thick,
        "hair_side": min(who.hair_side, 0.6) if under_hat and not hangs else who.hair_side,
        "hair_part": 0.0 if under_hat else who.hair_part,
        "hair_reach": reach + (CURLY_REACH if curls else CURTAIN_REACH if hangs or who.style == "tied" else 0.0),
        "hair_front": -5.6 - 0.5 * who.hair_mess,
        "hair_lift": 0.4 if under_hat or who.style == "buzz" else 0.15 + 0.2 * min(1.0, who.hair_mess),
        "curls": float(curls and not under_hat),
        "bun": float(who.style == "tied"),
        "spectacles": float(SPECTACLES.index(who.spectacles)),
        "lens_width": who.spectacles_size,
        "lens_height": who.spectacles_size * 0.70,
        "lens_roundness": who.spectacles_roundness,
        "rim": who.spectacles_rim,
        "headwear": float(HEADWEAR.index(who.headwear)),
        "headwear_y": min(5.6, who.hairline - 1.4),
        "brim": 1.0,
        "stripes": 1.0 if int(who.texture) % 4 == 0 else 0.0,
        **_rgb("hair", who.hair), **_rgb("brow", brow), **_rgb("iris", who.iris), **_rgb("clothes", who.clothes),
        **_rgb("frame", who.spectacles_colour), **_rgb("cloth", who.headwear_colour),
    }  # fmt: skip


def _rgb(name: str, colour: tuple[float, float, float] | list[float]) -> dict[str, float]:
    return dict(zip((f"{name}_r", f"{name}_g", f"{name}_b"), colour, strict=True))


def _sections(who: Identity) -> np.ndarray:
    """Cross-sections of the skull from chin to crown, (N, 5), cm."""
    high, jaw, cheek, skull = who.forehead_height, who.jaw_width, who.cheek_width, who.skull_width
    chin, slope, forward = who.chin_y, who.forehead_slope, who.chin_forward
    angle = chin + 3.4  # height of the angle of the jaw
    return np.array([
        # height             half width                       front                         middle  back
        (chin,               0.0,                             -2.00 + forward,              -3.4,   -5.0),
        (chin + 0.35,        1.7 * who.chin_width,            -1.35 + forward,              -3.9,   -6.6),
        (chin + 1.1,         2.9 * who.chin_width,            -0.95 + forward,              -4.8,   -8.6),
        (chin + 2.4,         4.20 * (0.5 + 0.5 * jaw),        -0.75 + 0.8 * forward,        -6.3,   -10.8),
        (angle,              5.15 * jaw,                      -0.55 + 0.5 * forward,        -8.2,   -13.5),
        ((angle - 4.0) / 2,  5.9 * (0.5 * jaw + 0.5 * cheek), -0.35 + 0.2 * forward,        -9.0,   -15.5),
        (-4.0,               6.6 * cheek,                     -0.60,                        -9.5,   -17.2),
        (-2.0,               7.0 * cheek,                     -0.95,                        -9.8,   -18.4),
        (0.0,                7.2 * (cheek + skull) / 2,       -0.85,                        -9.9,   -19.0),
        (1.6,                7.3 * skull,                     -0.10,                        -9.9,   -19.3),
        (3.2,                7.4 * skull,                      0.00,                        -9.9,   -19.4),
        (5.2,                7.3 * skull,                     -0.25 - 0.3 * slope,          -9.9,   -19.3),
        (7.2 * high,         6.75 * skull,                    -1.15 - 0.9 * slope,          -9.8,   -18.4),
        (9.0 * high,         5.5 * skull,                     -2.90 - 1.4 * slope,          -9.6,   -16.6),
        (10.3 * high,        3.9 * skull,                     -4.90 - 1.6 * slope,          -9.4,   -14.4),
        (11.3 * high,        0.0,                             -8.80,                        -9.2,   -9.6),
    ])  # fmt: skip


def _bumps(who: Identity, look: Expression) -> np.ndarray:
    """The relief of the face, (N, 5): x, y, width, height and rise, cm. Each stands on both sides."""
    low = -look.jaw  # the lower jaw drops with the mouth
    return np.array([
        # x              y             width height rise
        (2.6,            1.95,         1.70, 0.55,  who.brow_ridge),
        (3.15,           0.35,         1.25, 0.85, -who.socket),
        (1.55,           0.35,         0.55, 0.75, -who.socket_inner),
        (5.0,           -2.1,          1.35, 0.90,  who.cheekbone),
        (3.7,           -3.3,          1.30, 1.20,  who.cheek),
        (4.0,           -3.3,          1.20, 1.00,  0.45 * look.smile),
        (5.0,           -5.8 + low / 2, 1.50, 1.60, 0.6 * who.fat - who.hollow),
        (4.3,           -5.6 + low / 2, 1.60, 1.70, 0.35),
        (0.5,          -10.0 + low,    0.95, 0.80,  who.chin_boss),
        (0.0,           -9.9 + low,    0.22, 0.60, -who.chin_cleft),
        (0.0,           -8.55 + low,   1.50, 0.42, -0.30),
        (0.0,           -6.3,          1.75, 1.50,  who.muzzle),
        (2.9,           -7.0 + low / 2, 0.45, 0.50, -0.10),
        (6.3,            3.0,          1.00, 2.00, -who.temple),
        (0.0,           -4.9,          0.25, 0.45, -0.07),
        (3.1,           -1.15,         0.90, 0.28,  0.10 * who.eye_bags),
    ])  # fmt: skip


# The hairline from the front to behind: azimuth in degrees, and height in cm or as a share of the hairline's.
_LINE = ((0, 1.0, 0.0), (24, 0.97, 0.0), (42, 0.80, 0.0), (56, 0.68, 0.0), (66, 0.30, 0.0), (72, 0.0, -1.2),
         (76, 0.0, -2.2), (80, 0.0, -0.5), (86, 0.0, 1.6), (100, 0.0, 1.9), (114, 0.0, 0.6), (124, 0.0, -3.5),
         (140, 0.0, -6.2), (180, 0.0, -7.4))  # fmt: skip
# The same at every azimuth of the table, with two more beyond its ends for the smoothing, and where temples,
# forehead and fringe lie.
_ANGLE = np.pad(np.linspace(-180, 180, LINE_STEPS), 2, mode="edge")
_SHARE = np.interp(np.abs(_ANGLE), [at for at, _, _ in _LINE], [share for _, share, _ in _LINE])
_RISE = np.interp(np.abs(_ANGLE), [at for at, _, _ in _LINE], [rise for _, _, rise in _LINE])
_TEMPLES, _FOREHEAD = np.exp(-(((np.abs(_ANGLE) - 33) / 15) ** 2)), 0.8 * (np.abs(_ANGLE) < 50)
_FRINGE = np.clip((60 - np.abs(_ANGLE)) / 20, 0, 1)


def _hairline(who: Identity) -> np.ndarray:
    receding = _TEMPLES + _FOREHEAD if who.style == "receding" else _TEMPLES
    height = who.hairline * _SHARE + _RISE + who.recession * receding
    if who.headwear in ("none", "scarf"):
        # A fringe hangs lower on the side away from the parting.
        height -= who.fringe * _FRINGE * (0.55 + 0.45 * np.clip(who.hair_part * _ANGLE / 30, -1, 1))
    return np.convolve(height, np.full(5, 0.2), "valid")


def _front(lofts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth of the skull's front at x and y, cm."""
    area, ratio, middle = _ahead(lofts, y)
    return middle + np.sqrt(np.maximum(area - ratio * x * x, 0.0))


def _ahead(lofts: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Area, ratio and middle of the skull's front half at heights y; see `skull.loft`."""
    row = np.clip((y - LOFT_LOW) / LOFT_STEP, 0, LOFT_ROWS - 1.001)
    whole = row.astype(int)
    rows = (lofts[whole] + (row - whole)[:, None] * (lofts[whole + 1] - lofts[whole])).T
    return rows[0], rows[2], rows[4]


def _corner_rise(who: Identity, look: Expression) -> float:
    """How far the corners of the mouth lie above its middle: a smile lifts them, a falling jaw takes them along, cm."""
    return who.mouth_corner + 0.55 * look.smile - 0.25 * look.open


def _landmarks(who: Identity, look: Expression, lofts: np.ndarray) -> np.ndarray:
    corner_x = CORNER * who.mouth_half_width * (1 + 0.17 * look.smile)
    corner_y = who.mouth_y + _corner_rise(who, look) * CORNER**2
    corner_z = float(_front(lofts, np.array([corner_x]), np.array([corner_y]))[0]) + 0.3 * who.muzzle
    eye_z = who.eye_z + EYE_RADIUS
    nose_z = who.nose_tip_z - NOSE * who.nose_tip_radius
    points = np.array([
        (-who.eye_x, 0.0, eye_z), (who.eye_x, 0.0, eye_z), (who.nose_bend, who.nose_tip_y, nose_z),
        (-corner_x, corner_y, corner_z), (corner_x, corner_y, corner_z),
    ])  # fmt: skip
    # The field is asked at points that are put straight first; this is the way back from `skull.straight`.
    points[:, 1] -= who.slant * points[:, 0]
    points[:, 0] -= who.lean * (points[:, 1] + 3.0)
    return points


_ROUND = np.radians(np.linspace(-WIDEST, WIDEST, 13))
_SINES, _COSINES = np.sin(_ROUND), np.cos(_ROUND)


def _outline(who: Identity, look: Expression, lofts: np.ndarray) -> np.ndarray:
    """Points of the skin that bound the face as WIDER FACE draws it: hairline to chin, ear to ear."""
    top = min(who.hairline, 8.0)
    heights = np.linspace(who.chin_y + 0.05, top, 24)
    area, ratio, middle = _ahead(lofts, heights)
    deep = np.sqrt(np.maximum(area, 0))
    x = (deep / np.sqrt(np.maximum(ratio, 1e-6)))[:, None] * _SINES
    z = middle[:, None] + deep[:, None] * _COSINES
    y = heights[:, None] - look.jaw * np.clip((-5 - heights) / 4, 0, 1)[:, None] + 0 * x
    nose = np.array([[0.0, who.nose_tip_y, who.nose_tip_z]])
    return np.concatenate([np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1), nose])
