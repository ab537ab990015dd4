"""Glasses, headwear, neck and clothes."""

import math

from facade.heads.compiled import function
from facade.heads.field.solids import carve, ellipsoid, join, rod

BEANIE, CAP, HAT, SCARF = 1.0, 2.0, 3.0, 4.0


@function
def glasses(x, y, z, P):
    """Distances to the frame and to the lenses."""
    side = abs(x)
    half_width, half_height = P.lens_width, P.lens_height
    px, py = side - half_width - 0.75, y + 0.25
    plane = 0.35 - 0.0315 * side * side
    corner = min(half_width, half_height) * P.lens_roundness
    qx, qy = abs(px) - half_width + corner, abs(py) - half_height + corner
    ox, oy = max(qx, 0.0), max(qy, 0.0)
    outline = math.sqrt(ox * ox + oy * oy) + min(max(qx, qy), 0.0) - corner
    off = abs(z - plane)
    rim = math.sqrt(outline * outline + off * off) - P.rim
    bridge = rod(x, y, z, -0.9, 0.35, 0.45, 0.9, 0.35, 0.45, P.rim, P.rim)
    end = 2.0 * half_width + 0.75
    temple = rod(side, y, z, end, 0.5, 0.35 - 0.0315 * end * end, 7.75, 0.2, -9.0, P.rim, P.rim)
    return min(rim, bridge, temple), max(outline, off - 0.04)


@function
def headwear(x, y, z, skull, P):
    """Distance to the headwear, at a point whose distance to the skull is `skull`."""
    if P.headwear == SCARF:
        if skull > 9.0:
            return skull - 7.0
        u, v = x / 6.15, (y + 2.6) / 9.2
        window = (math.sqrt(u * u + v * v) - 1.0) * 5.5
        cloth = 0.12 * math.sin(1.1 * y + 0.5 * x + 0.9 * math.sin(0.45 * z + 0.3 * x))
        open_front = max(window, -0.8 * (z + 9.5))
        shell = carve(skull - 1.0 + cloth, -open_front, 0.6)
        throat = rod(x, y, z, 0.0, -8.0, -9.0, 0.0, -17.0, -10.5, 7.0, 10.0) + 1.5 * cloth
        return join(shell, carve(throat, -open_front, 0.6), 1.5) * 0.85
    if skull > 9.0:
        return skull - 6.5
    above = y - P.headwear_y + 0.05 * (z + 3.0)
    if P.headwear == BEANIE:
        crown = carve(skull - 0.95, -above, 0.5)
        cuff = carve(skull - 1.25, abs(above - 1.3) - 1.3, 0.35)
        return join(crown, cuff, 0.2) * 0.85
    crown = carve(skull - 1.0, -above, 0.4)
    if P.headwear == CAP:
        depth = z + 1.0
        level = math.sqrt(x * x / 43.6 + depth * depth / 49.0)
        peak = max((level - 1.0) * 6.0, abs(above - 0.25 + 0.021 * x * x) - 0.16)
        return join(crown, max(peak, -(z + 5.5)), 0.3) * 0.7
    wide = 9.8 + P.brim
    depth = z + 9.6
    level = math.sqrt(x * x / (wide * wide) + depth * depth / ((wide + 2.0) * (wide + 2.0)))
    return join(crown, max((level - 1.0) * 8.0, abs(above - 0.3 - 0.012 * x * x) - 0.18), 0.5) * 0.7


@function
def body(x, y, z, P):
    """Distances to the neck and to the clothes. The body turns less than the head."""
    up, ahead = y + 9.0, z + 10.5  # from the joint of the neck
    bx = P.stance[0, 0] * x + P.stance[0, 1] * up + P.stance[0, 2] * ahead
    by = P.stance[1, 0] * x + P.stance[1, 1] * up + P.stance[1, 2] * ahead
    bz = P.stance[2, 0] * x + P.stance[2, 1] * up + P.stance[2, 2] * ahead
    side = abs(bx)
    neck = rod(bx, by, bz, 0.0, 3.0, 0.6, 0.0, -10.0, -1.6, P.neck_radius, 1.12 * P.neck_radius)
    neck = join(neck, rod(side, by, bz, 1.0, -6.0, -2.4, 10.0, -11.5, -3.2, 2.2, 3.2), 4.0)
    chest = ellipsoid(bx, by + 21.0, bz + 2.0, P.shoulder_width, 9.5, 8.2)
    arm = rod(side, by, bz, 3.0, -12.6, -2.4, P.shoulder_width - 4.0, -16.0, -3.0, 3.6, 4.6)
    opening = by + 9.2 - 0.12 * side + 0.55 * max(0.0, bz)
    clothes = carve(join(chest, arm, 3.0) - 0.15, opening, 0.4)
    return neck, join(clothes, carve(neck - 0.45, opening + 0.8, 0.3), 0.6)
