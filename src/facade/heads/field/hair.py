"""Hair: a shell over the skull, thick on top and thin at its edge, and the hair that hangs down behind the ears."""

import math

from facade.heads.compiled import function
from facade.heads.field.solids import MARGIN, carve, ellipsoid, join, mix, noise, ripple, smooth

# Number of azimuths at which the hairline is tabulated, from the back over the left to the back again.
LINE_STEPS = 128
# Depth of the vertical axis of the azimuths, cm.
AXIS_Z = -9.3


@function
def azimuth(x, z):
    """0 in front, pi / 2 to the right, pi at the back; accurate to 0.005, by a polynomial (Rajan et al., 2006)."""
    ahead = z - AXIS_Z
    side, along = abs(x), abs(ahead)
    t = min(side, along) / (max(side, along) + 1e-9)
    angle = t * (0.7853982 + 0.273 * (1.0 - t))
    if side > along:
        angle = 1.5707963 - angle
    if ahead < 0.0:
        angle = 3.1415927 - angle
    return angle if x > 0.0 else -angle


@function
def hairline(angle, P):
    """Height of the hairline, cm."""
    at = (angle / (2 * math.pi) + 0.5) * (LINE_STEPS - 1)
    at = min(max(at, 0.0), LINE_STEPS - 1.001)
    i = int(at)
    return mix(P.line[i], P.line[i + 1], at - i)


@function
def jag(angle, y, P):
    """Offset of the locks from the hairline, cm."""
    coarse = ripple(angle * 7.0 + P.texture, 0.35 * y) - 0.5
    fine = ripple(angle * 23.0 + P.texture, 0.5 * y + 7.0) - 0.5
    return coarse * (0.35 + 1.1 * P.hair_mess) + 0.35 * fine


@function
def _curtain(x, y, z, skull, P):
    """Hanging hair: a tube around head and neck, open in front."""
    side = abs(x)
    wide = 7.7 + 0.8 * P.hair_side + 0.05 * P.hair_wave * max(0.0, -y)
    deep = 7.8 - 0.18 * min(10.0, max(0.0, -8.0 - y))
    level = math.sqrt(x * x / (wide * wide) + (z + 11.2) * (z + 11.2) / (deep * deep))
    shape = (level - 1.0) * min(wide, deep)
    shape += 0.18 * P.hair_wave * math.sin(0.9 * y + 2.0 * math.sin(0.4 * x))
    shape = carve(shape, y - 3.0, 3.0)
    shape = carve(shape, -(y + P.hair_length) + 0.8 * (ripple(1.3 * x + P.texture, 0.4 * z) - 0.5), 1.2)
    front = P.hair_front + 0.5 * P.hair_wave * math.sin(0.55 * y + P.texture)
    shape = carve(shape, z - front, 0.8)
    if y > -11.0:
        shape = carve(shape, 0.05 - skull, 0.3)
    throat = min(5.9 + 0.04 * y - side, z + 11.5, -7.0 - y)
    return carve(shape, 0.75 * throat, 1.0)


@function
def hair(x, y, z, skull, P):
    """Distance to the hair, at a point whose distance to the skull is `skull`."""
    if skull > P.hair_reach:
        return skull - P.hair_reach + MARGIN
    angle = azimuth(x, z)
    over = y - hairline(angle, P)
    thick = mix(P.hair_side, P.hair_top, smooth(1.0, 9.5, y))
    # Far from the hair its locks do not matter. Hanging hair ends behind a plane, a bun lies behind the head.
    bound = max(skull - thick - 0.5, -0.75 * over - 0.8)
    if P.hair_length > 0.0 or P.bun > 0.0:
        bound = min(bound, z - P.hair_front - 1.2)
    if bound * 0.85 > MARGIN and P.curls <= 0.0:
        return bound * 0.85
    if P.hair_part != 0.0 and y > 3.0:
        groove = (x + 2.8 * P.hair_part) / 0.4
        thick -= 0.45 * thick * math.exp(-groove * groove) * smooth(-14.0, -9.0, z) * smooth(4.0, 7.0, y)
    if over > -2.5:
        over += jag(angle, y, P)
    # Locks: long along the hair, narrow across it.
    locks = 0.0
    if skull < P.hair_top + 1.5:
        if P.curls > 0.0:
            locks = 1.1 * (noise(1.5 * x, 1.5 * y, 1.5 * z) - 0.5) + 0.5 * (noise(3.4 * x, 3.4 * y, 3.4 * z) - 0.5)
        else:
            locks = (
                (0.25 + 0.9 * P.hair_mess) * min(1.0, P.hair_top) * (ripple(9.0 * angle + P.texture, 0.25 * y) - 0.5)
            )
    taper = P.hair_lift + (1.0 - P.hair_lift) * smooth(-0.3, 2.6, over)
    if P.curls > 0.0:
        ball = ellipsoid(x, y - 2.6, z + 11.0, 7.3 + 0.8 * P.hair_top, 8.3 + 0.85 * P.hair_top, 8.8 + 0.75 * P.hair_top)
        return carve(ball + 0.5 * locks, -0.75 * (over + 0.4 * locks), 0.9) * 0.8
    shape = carve(skull - thick * taper - 0.05 + 0.4 * locks, -0.75 * over, min(1.5, 0.25 + 0.3 * P.hair_top))
    if P.hair_length > 0.0:
        shape = join(shape, _curtain(x, y, z, skull, P) + 0.3 * locks, 0.9)
    if P.bun > 0.0:
        shape = join(shape, ellipsoid(x, y - 3.5, z + 19.3, 2.6, 2.4, 2.2) + 0.3 * locks, 0.8)
    return shape * 0.85
