"""Build a head: from identity and expression to the parameters and tables of the distance field."""

from dataclasses import dataclass

import numpy as np

from facade.heads.expression import Expression
from facade.heads.field.hair import LINE_STEPS
from facade.heads.field.relief import build_relief
from facade.heads.field.skull import FINEST, LOFT_LOW, LOFT_ROWS, LOFT_STEP, RELIEF_COLUMNS, RELIEF_ROWS
from facade.heads.field.solids import MARGIN
from facade.heads.identity import HEADWEAR, SPECTACLES, Identity
from facade.heads.lofting import build_loft

# Parameters copied from the identity and from the expression.
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
        ("stance", np.float64, (3, 3)),  # from head axes to body axes
        ("line", np.float64, (LINE_STEPS,)),  # height of the hairline by azimuth, cm; see `hair.hairline`
        ("lofts", np.float32, (LOFT_ROWS, 5)),  # see `lofting.build_loft`
        ("relief", np.float32, (RELIEF_ROWS, RELIEF_COLUMNS, 2)),  # see `relief.build_relief`
    ]
)

EYE_RADIUS = 1.2
# Cell size of the relief table as a fraction of a pixel, and its maximum, cm; the lips need the finest (`FINEST`).
CELL_FRACTION, COARSEST = 0.7, 0.25
# Azimuth at which the face ends, degrees: in front of the ears. With more, boxes of turned heads include hair.
FACE_AZIMUTH = 72.0
# Landmarks follow human annotations, and the detectors trained on them: the corner of the mouth where the red of the
# lips appears to end, at this fraction of the half width; the tip of the nose inside its ball, at this fraction of the
# radius, because in a turned head annotators do not mark the foremost point.
CORNER, NOSE = 0.92, 0.5
# Extent of hair beyond its thickness where it is curly, or hangs down, cm.
CURLY_REACH, CURTAIN_REACH = 4.5, 6.0


@dataclass(frozen=True)
class Anatomy:
    """A head ready to render.

    Attributes:
        head: (1,) of `HEAD`: its parameters and tables.
        landmarks: (5, 3) eyes, tip of the nose, corners of the mouth, cm.
        outline: (N, 3) points of the skin, hairline to chin and ear to ear, cm.
        chin_y: Height of the chin, cm.
    """

    head: np.ndarray
    landmarks: np.ndarray
    outline: np.ndarray
    chin_y: float


def build(identity: Identity, expression: Expression, pixel: float, with_body: bool = True) -> Anatomy:
    """Build a head.

    Args:
        identity: The person.
        expression: The facial expression.
        pixel: Size of a pixel on the head, cm; limits the resolution of the tables.
        with_body: False omits neck and clothes.
    """
    head = np.zeros(1, HEAD)
    values = {name: getattr(identity, name) for name in _FROM_IDENTITY}
    values |= {name: getattr(expression, name) for name in _FROM_EXPRESSION}
    values |= _derived(identity, pixel, with_body)
    values["corner_rise"] = _corner_rise(identity, expression)
    # The parameters come first, in the order of `_NUMBERS`; setting them by name takes ten times as long.
    np.frombuffer(head, np.float64, len(_NUMBERS))[:] = [values[name] for name in _NUMBERS]
    head["stance"] = np.eye(3)
    if head["hair_top"] > 0:
        head["line"] = _hairline(identity)
    lofts = build_loft(_sections(identity))
    head["lofts"] = lofts
    build_relief(head, _bumps(identity, expression))
    return Anatomy(
        head=head,
        landmarks=_landmarks(identity, expression, lofts),
        outline=_outline(identity, expression, lofts),
        chin_y=identity.chin_y - expression.jaw,
    )


def _derived(identity: Identity, pixel: float, with_body: bool) -> dict[str, float]:
    curls, hangs = identity.style == "curly", identity.hair_length > 0
    under_hat = identity.headwear not in ("none", "scarf")
    thick = min(identity.hair_top, 0.6) if under_hat else identity.hair_top
    reach = thick + identity.hair_mess + MARGIN
    brow = [min(0.55 * channel + 0.004, 0.09) for channel in identity.hair]
    return {
        "relief_cell": min(max(CELL_FRACTION * pixel, FINEST), COARSEST),
        "eye_radius": EYE_RADIUS,
        "ear_x": 7.05 * (0.5 * identity.cheek_width + 0.5 * identity.skull_width) - 0.1,
        "ears": float(identity.headwear != "scarf"),
        "torso": float(with_body),
        "hair_top": 0.0 if identity.style == "bald" or identity.headwear == "scarf" else thick,
        "hair_side": min(identity.hair_side, 0.6) if under_hat and not hangs else identity.hair_side,
        "hair_part": 0.0 if under_hat else identity.hair_part,
        "hair_reach": reach + (CURLY_REACH if curls else CURTAIN_REACH if hangs or identity.style == "tied" else 0.0),
        "hair_front": -5.6 - 0.5 * identity.hair_mess,
        "hair_lift": 0.4 if under_hat or identity.style == "buzz" else 0.15 + 0.2 * min(1.0, identity.hair_mess),
        "curls": float(curls and not under_hat),
        "bun": float(identity.style == "tied"),
        "spectacles": float(SPECTACLES.index(identity.spectacles)),
        "lens_width": identity.spectacles_size,
        "lens_height": identity.spectacles_size * 0.70,
        "lens_roundness": identity.spectacles_roundness,
        "rim": identity.spectacles_rim,
        "headwear": float(HEADWEAR.index(identity.headwear)),
        "headwear_y": min(5.6, identity.hairline - 1.4),
        "brim": 1.0,
        "stripes": 1.0 if int(identity.texture) % 4 == 0 else 0.0,
        **_rgb("hair", identity.hair), **_rgb("brow", brow), **_rgb("iris", identity.iris),
        **_rgb("clothes", identity.clothes), **_rgb("frame", identity.spectacles_color),
        **_rgb("cloth", identity.headwear_color),
    }  # fmt: skip


def _rgb(name: str, color: tuple[float, float, float] | list[float]) -> dict[str, float]:
    return dict(zip((f"{name}_r", f"{name}_g", f"{name}_b"), color, strict=True))


def _sections(identity: Identity) -> np.ndarray:
    """Cross-sections of the skull from chin to crown, (N, 5), cm."""
    high, jaw, cheek, skull = identity.forehead_height, identity.jaw_width, identity.cheek_width, identity.skull_width
    chin, slope, forward = identity.chin_y, identity.forehead_slope, identity.chin_forward
    angle = chin + 3.4  # height of the angle of the jaw
    return np.array([
        # height             half width                       front                         middle  back
        (chin,               0.0,                             -2.00 + forward,              -3.4,   -5.0),
        (chin + 0.35,        1.7 * identity.chin_width,            -1.35 + forward,              -3.9,   -6.6),
        (chin + 1.1,         2.9 * identity.chin_width,            -0.95 + forward,              -4.8,   -8.6),
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


def _bumps(identity: Identity, expression: Expression) -> np.ndarray:
    """Bumps of the face's relief, (N, 5): x, y, width, height and rise, cm. Each is mirrored to the other side."""
    low = -expression.jaw  # the lower jaw follows the open mouth
    return np.array([
        # x              y             width height rise
        (2.6,            1.95,         1.70, 0.55,  identity.brow_ridge),
        (3.15,           0.35,         1.25, 0.85, -identity.socket),
        (1.55,           0.35,         0.55, 0.75, -identity.socket_inner),
        (5.0,           -2.1,          1.35, 0.90,  identity.cheekbone),
        (3.7,           -3.3,          1.30, 1.20,  identity.cheek),
        (4.0,           -3.3,          1.20, 1.00,  0.45 * expression.smile),
        (5.0,           -5.8 + low / 2, 1.50, 1.60, 0.6 * identity.fat - identity.hollow),
        (4.3,           -5.6 + low / 2, 1.60, 1.70, 0.35),
        (0.5,          -10.0 + low,    0.95, 0.80,  identity.chin_boss),
        (0.0,           -9.9 + low,    0.22, 0.60, -identity.chin_cleft),
        (0.0,           -8.55 + low,   1.50, 0.42, -0.30),
        (0.0,           -6.3,          1.75, 1.50,  identity.muzzle),
        (2.9,           -7.0 + low / 2, 0.45, 0.50, -0.10),
        (6.3,            3.0,          1.00, 2.00, -identity.temple),
        (0.0,           -4.9,          0.25, 0.45, -0.07),
        (3.1,           -1.15,         0.90, 0.28,  0.10 * identity.eye_bags),
    ])  # fmt: skip


# The hairline from front to back: azimuth in degrees; height as a fraction of the front hairline, plus an offset in cm.
_LINE = ((0, 1.0, 0.0), (24, 0.97, 0.0), (42, 0.80, 0.0), (56, 0.68, 0.0), (66, 0.30, 0.0), (72, 0.0, -1.2),
         (76, 0.0, -2.2), (80, 0.0, -0.5), (86, 0.0, 1.6), (100, 0.0, 1.9), (114, 0.0, 0.6), (124, 0.0, -3.5),
         (140, 0.0, -6.2), (180, 0.0, -7.4))  # fmt: skip
# The same at every azimuth of the table, padded by two at each end for smoothing; and weights of temples, forehead and
# fringe.
_ANGLE = np.pad(np.linspace(-180, 180, LINE_STEPS), 2, mode="edge")
_SHARE = np.interp(np.abs(_ANGLE), [at for at, _, _ in _LINE], [share for _, share, _ in _LINE])
_RISE = np.interp(np.abs(_ANGLE), [at for at, _, _ in _LINE], [rise for _, _, rise in _LINE])
_TEMPLES, _FOREHEAD = np.exp(-(((np.abs(_ANGLE) - 33) / 15) ** 2)), 0.8 * (np.abs(_ANGLE) < 50)
_FRINGE = np.clip((60 - np.abs(_ANGLE)) / 20, 0, 1)


def _hairline(identity: Identity) -> np.ndarray:
    receding = _TEMPLES + _FOREHEAD if identity.style == "receding" else _TEMPLES
    height = identity.hairline * _SHARE + _RISE + identity.recession * receding
    if identity.headwear in ("none", "scarf"):
        # A fringe hangs lower on the side opposite the parting.
        height -= identity.fringe * _FRINGE * (0.55 + 0.45 * np.clip(identity.hair_part * _ANGLE / 30, -1, 1))
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


def _corner_rise(identity: Identity, expression: Expression) -> float:
    """Height of the corners of the mouth above its center, cm: a smile lifts them, an open jaw lowers them."""
    return identity.mouth_corner + 0.55 * expression.smile - 0.25 * expression.open


def _landmarks(identity: Identity, expression: Expression, lofts: np.ndarray) -> np.ndarray:
    corner_x = CORNER * identity.mouth_half_width * (1 + 0.17 * expression.smile)
    corner_y = identity.mouth_y + _corner_rise(identity, expression) * CORNER**2
    corner_z = float(_front(lofts, np.array([corner_x]), np.array([corner_y]))[0]) + 0.3 * identity.muzzle
    eye_z = identity.eye_z + EYE_RADIUS
    nose_z = identity.nose_tip_z - NOSE * identity.nose_tip_radius
    points = np.array([
        (-identity.eye_x, 0.0, eye_z), (identity.eye_x, 0.0, eye_z), (identity.nose_bend, identity.nose_tip_y, nose_z),
        (-corner_x, corner_y, corner_z), (corner_x, corner_y, corner_z),
    ])  # fmt: skip
    # The field is evaluated at straightened points; this is the inverse of `skull.straight`.
    points[:, 1] -= identity.slant * points[:, 0]
    points[:, 0] -= identity.lean * (points[:, 1] + 3.0)
    return points


_ROUND = np.radians(np.linspace(-FACE_AZIMUTH, FACE_AZIMUTH, 13))
_SINES, _COSINES = np.sin(_ROUND), np.cos(_ROUND)


def _outline(identity: Identity, expression: Expression, lofts: np.ndarray) -> np.ndarray:
    """Points of the skin that bound the face as annotated in WIDER FACE: hairline to chin, ear to ear."""
    top = min(identity.hairline, 8.0)
    heights = np.linspace(identity.chin_y + 0.05, top, 24)
    area, ratio, middle = _ahead(lofts, heights)
    deep = np.sqrt(np.maximum(area, 0))
    x = (deep / np.sqrt(np.maximum(ratio, 1e-6)))[:, None] * _SINES
    z = middle[:, None] + deep[:, None] * _COSINES
    y = heights[:, None] - expression.jaw * np.clip((-5 - heights) / 4, 0, 1)[:, None] + 0 * x
    nose = np.array([[0.0, identity.nose_tip_y, identity.nose_tip_z]])
    return np.concatenate([np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1), nose])
