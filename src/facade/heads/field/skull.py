"""Skin of the head: a lofted skull, the relief of the face, eyelids, nose and ears."""

import math

from facade.heads.compiled import function
from facade.heads.field.solids import MARGIN, bell, carve, ellipsoid, join, mix, rod, smooth

# Heights at which the cross-section of the loft is tabulated, cm. They are dense because linear interpolation bends at
# each, and bends farther apart than a pixel show as bands below the chin.
LOFT_LOW, LOFT_STEP, LOFT_ROWS = -15.0, 0.03125, 961
# The relief table starts at this height and at the middle of the face; its finest cell size, and maximum rows and
# columns.
RELIEF_LOW, RELIEF_HIGH, RELIEF_WIDE = -13.0, 9.0, 8.5
FINEST = 0.1
RELIEF_ROWS, RELIEF_COLUMNS = 222, 87
# Slope of the sides of the nose bridge, cm per cm below its ridge, and the distance over which it sets in, cm, so that
# the ridge has no edge.
WALL, WALL_BEGINS = 0.6, 0.4
# Maximum distance of any point of an ear of unit size from its center, cm.
EAR_REACH = 4.05
# Beyond this distance from the loft, cm, the relief does not matter.
FAR = 4.2


@function
def loft(x, y, z, P):
    """Distance to the skull. Each height has a cross-section k x² + (z - middle)² = A, with its own k and A before
    and behind the ears.
    """
    row = min(max((y - LOFT_LOW) / LOFT_STEP, 0.0), LOFT_ROWS - 1.001)
    i = int(row)
    f = row - i
    middle_rise = P.lofts[i + 1, 4] - P.lofts[i, 4]
    ahead = z - P.lofts[i, 4] - f * middle_rise
    side = 0 if ahead > 0 else 1
    area_rise, ratio_rise = P.lofts[i + 1, side] - P.lofts[i, side], P.lofts[i + 1, 2 + side] - P.lofts[i, 2 + side]
    ratio = P.lofts[i, 2 + side] + f * ratio_rise
    value = ratio * x * x + ahead * ahead - P.lofts[i, side] - f * area_rise
    slope_x = 2 * ratio * x
    slope_y = (ratio_rise * x * x - 2 * ahead * middle_rise - area_rise) / LOFT_STEP
    return value / (math.sqrt(slope_x * slope_x + slope_y * slope_y + 4 * ahead * ahead) + 1e-3)


@function
def mouth(side, P):
    """The lips at `side` cm from the middle of the mouth.

    Returns:
        Heights of the lower edge of the upper lip and of the upper edge of the lower lip, thickness of both lips, and
        a weight from 1 in the middle to 0 at the corners.
    """
    half = P.mouth_half_width * (1.0 + 0.17 * P.smile)
    across = side / half
    inside = max(0.0, 1.0 - across * across)
    root = math.sqrt(inside)
    # Cupid's bow: the seam dips in the middle.
    dip = max(0.0, 1.0 - side * side * 3.0)
    seam = P.mouth_y + P.corner_rise * across * across - 0.06 * dip * (1.0 - P.smile)
    upper = seam + 0.12 * P.open * inside + 0.10 * P.smile * inside * min(1.0, 2.0 * P.open)
    lower = seam - P.open * (0.35 * inside + 0.65 * root)
    bow = 1.0 - 0.25 * max(0.0, 1.0 - side * side * 8.0)
    thick_upper = P.upper_lip * root * (0.45 + 0.55 * root) * bow * (1.0 - 0.22 * P.smile)
    thick_lower = P.lower_lip * root * (0.75 + 0.25 * root) * (1.0 - 0.15 * P.smile)
    return upper, lower, thick_upper, thick_lower, inside


@function
def eye_opening(side, y, z, P):
    """The opening between the lids, `side` cm from the middle of the face.

    Returns:
        Depth inside the opening (negative outside), distance below the upper lid and above the lower lid, cm.
    """
    u = (side - P.eye_x) / P.eye_half_width
    if u < -1.3 or u > 1.3:
        return -1.0, -1.0, -1.0
    raised = y - P.eye_tilt * u
    flat = min(u * u, 1.0)
    # The upper lid peaks slightly towards the nose, the lower lid slightly away from it.
    t = u + 0.12 * (1.0 - flat)
    upper = P.eye_upper * (1.0 - P.lid) * (1.0 - 0.55 * t * t - 0.45 * t * t * t * t)
    lower = -P.eye_lower * (1.0 - 0.25 * P.lid) * (1.0 - flat) * (1.0 + 0.20 * u)
    # The lids meet where the eyeball curves away from them, as at the outer corner.
    closed = 0.8 * max(0.0, 0.25 - z + P.eye_z)
    below, above = upper - raised - closed, raised - lower - closed
    within = min(below, above)
    if u < -1.0 or u > 1.0:
        within = min(within, 0.8 - abs(u))
    return within, below, above


@function
def nose(x, side, y, z, P):
    tip_y, tip_z, radius = P.nose_tip_y, P.nose_tip_z, P.nose_tip_radius
    # The dorsum: two rods that meet in the middle, at a hump or a hollow.
    top_z = P.bridge_z - P.bridge_radius
    low_y, low_z = tip_y + 0.60, tip_z - radius + 0.02
    middle_y = 0.45 * low_y + 0.45
    middle_z = mix(top_z, low_z, 0.52) + P.nose_hump
    bent = x - P.nose_bend * smooth(0.5, middle_y, y)
    # Below its ridge it is solid and widens with depth.
    ridge = mix(top_z, low_z, min(1.0, max(0.0, (0.95 - y) / (0.95 - low_y))))
    deep, over = max(0.0, ridge - z), max(ridge, z)
    wall = max(0.0, abs(bent) - WALL * deep * deep / (deep + WALL_BEGINS))
    low = P.bridge_radius + 0.06
    upper = rod(wall, y, over, 0.0, 0.95, top_z, 0.0, middle_y, middle_z - 0.04, P.bridge_radius, low)
    lower = rod(wall, y, over, 0.0, middle_y, middle_z - 0.04, 0.0, low_y, low_z - 0.10, low, 0.64)
    shape = join(upper, lower, 0.45) / math.sqrt(1.0 + WALL * WALL)
    flank = rod(side, y, z, 0.60, -0.1, top_z - 0.75, 0.86, tip_y + 0.5, -0.45, 0.60, 0.92)
    shape = join(shape, flank, 1.1)
    tip = ellipsoid(bent, y - tip_y, z - (tip_z - radius), radius * 1.10, radius * 0.92, radius)
    shape = join(shape, tip, 0.5)
    wing_x = P.nose_half_width - 0.55
    wing = ellipsoid(side - wing_x, y - (tip_y - 0.16), z - (tip_z - 1.52), 0.53, 0.52, 0.96)
    shape = join(shape, wing, 0.62)
    lift = 0.2 * P.nose_turned_up
    septum = rod(x, y, z, 0.0, tip_y - 0.36 + lift, tip_z - 0.62, 0.0, tip_y - 0.76, -0.2, 0.26, 0.33)
    return join(shape, septum, 0.3)


@function
def nostril(side, y, z, P):
    away = z - (P.nose_tip_z - 1.15)
    return ellipsoid(
        side - (0.30 + 0.28 * (P.nose_half_width - 1.0)),
        y - (P.nose_tip_y - 0.80 + 0.20 * P.nose_turned_up) - 0.30 * away,
        away,
        0.19 + 0.09 * (P.nose_half_width - 1.4),
        0.20,
        0.42,
    )


@function
def ear(side, y, z, P):
    """An ear: a dished leaf with a rolled rim, an inner ridge, a hollow, a lobe and a tragus."""
    size = P.ear_size
    px, py, pz = side - P.ear_x, (y + 1.2) / size, z + 10.0
    reach = px * px + py * py + pz * pz
    if reach > (EAR_REACH + MARGIN) * (EAR_REACH + MARGIN):
        return math.sqrt(reach) - EAR_REACH
    cos, sin = math.cos(P.ear_out), math.sin(P.ear_out)
    # The leaf's own axes: u towards the back of the head, v up, n away from the head. The leaf leans back slightly.
    n = cos * px + sin * (pz + 0.4)
    u = sin * px - cos * pz - 0.22 * py
    v = py
    wide = 1.62 + 0.17 * v - 0.02 * v * v
    level = math.sqrt(u * u / (wide * wide) + v * v / 9.0)
    edge = (level - 1.0) * 1.75  # about the distance to the outline in the leaf's plane
    # Dished: the rim is raised, the middle recessed.
    dish = 0.42 + 0.30 * edge
    leaf = carve(abs(n - dish) - 0.16, edge, 0.15)
    rim_n, rim_e = n - dish - 0.10, edge + 0.20
    rim = math.sqrt(rim_n * rim_n + rim_e * rim_e) - 0.24 * smooth(-2.6, -1.2, v + 0.9 * smooth(0.5, -0.8, u))
    shape = join(leaf, rim, 0.14)
    ridge_n, ridge_e = n - 0.28, edge + 0.78
    ridge = math.sqrt(ridge_n * ridge_n + ridge_e * ridge_e) - 0.20 * smooth(-0.6, 0.1, u) * smooth(-2.2, -1.4, v)
    shape = join(shape, ridge, 0.22)
    root = ellipsoid(u + 0.2, v + 0.1, n + 0.30, 1.15, 2.2, 0.55)
    shape = join(shape, root, 0.3)
    hollow = ellipsoid(u + 0.30, v + 0.45, n - 0.35, 0.72, 0.88, 0.60)
    shape = carve(shape, -hollow, 0.16)
    lobe = ellipsoid(u + 0.42, v + 2.55, n - 0.20, 0.62, 0.68, 0.28)
    shape = join(shape, lobe, 0.30)
    tragus = ellipsoid(u + 1.18, v + 0.55, n - 0.12, 0.26, 0.48, 0.34)
    return join(shape, tragus, 0.20) * size * 0.9


@function
def straight(x, y, P):
    """Map a point to the symmetric face. Real faces are asymmetric: the middle line leans, the eyes slant."""
    x = x + P.lean * (y + 3.0)
    return x, y + P.slant * x


@function
def face(x, y, z, P):
    """Distance to the skin of the head, without ears and neck."""
    x, y = straight(x, y, P)
    lowered = y + P.jaw * smooth(-5.0, -9.0, y)
    distance = loft(x, lowered, z, P)
    side = abs(x)
    if distance > FAR:
        # The nose protrudes more than anything else.
        return distance - (2.6 if z > -3.5 and side < 4.0 and -7.5 < y < 3.5 else 1.0)
    if z < -10.5:
        return distance
    if side < RELIEF_WIDE - 0.3 and RELIEF_LOW < y < RELIEF_HIGH - 0.3:
        column, row = side / P.relief_cell, (y - RELIEF_LOW) / P.relief_cell
        i, j = int(row), int(column)
        f, g = row - i, column - j
        height = mix(
            mix(P.relief[i, j, 0], P.relief[i, j + 1, 0], g),
            mix(P.relief[i + 1, j, 0], P.relief[i + 1, j + 1, 0], g),
            f,
        )
        distance = (distance - height * smooth(-10.5, -5.0, z)) * P.relief[i, j, 1]
    if z > -5.0:
        ex, ez = side - P.eye_x, z - P.eye_z
        away = ex * ex + y * y + ez * ez
        if away < 9.0:
            lids = math.sqrt(away) - (P.eye_radius + 0.13)
            distance = join(distance, lids, 0.42)
            if ez > -0.5:
                within, below, _ = eye_opening(side, y, z, P)
                u = ex / P.eye_half_width
                if below < 0.0 and P.lid_fold > 0.0 and abs(u) < 1.1:
                    # The fold above the upper lid, shallower than the lid is thick.
                    q = (-below - 0.30) * 9.0
                    distance += P.lid_fold * 0.10 * max(0.0, 1.0 - 0.83 * u * u) / (1.0 + q * q * q * q)
                distance = carve(distance, min(within, 1.0) * 0.8, 0.06)
        if side < 3.4 and -6.4 < y < 3.0:
            distance = join(distance, nose(x, side, y, z, P), 0.8)
            if y < -3.0:
                distance = carve(distance, -nostril(side, y, z, P), 0.12)
    return distance


@function
def raise_relief(table, cell, rows, columns, x, y, width, height, rise):
    """Add one bump of the face, mirrored to the other side, to the relief table."""
    first, last = int((y - 2.83 * height - RELIEF_LOW) / cell), int((y + 2.83 * height - RELIEF_LOW) / cell) + 2
    for row in range(max(0, first), min(rows, last)):
        for column in range(max(0, int((x - 2.83 * width) / cell)), min(columns, int((x + 2.83 * width) / cell) + 2)):
            # The square root keeps mirrored bumps near the middle line from meeting in a crease.
            side = math.sqrt((column * cell) ** 2 + 0.12)
            table[row, column, 0] += rise * bell(side - x, RELIEF_LOW + row * cell - y, width, height)
