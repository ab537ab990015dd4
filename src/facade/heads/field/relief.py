"""The relief that depends on expression: lips, mouth, nasolabial folds. Built once per head, not per ray."""

import math

from facade.heads.compiled import entry_point, function
from facade.heads.field.skull import (
    RELIEF_COLUMNS,
    RELIEF_HIGH,
    RELIEF_LOW,
    RELIEF_ROWS,
    RELIEF_WIDE,
    mouth,
    raise_relief,
)
from facade.heads.field.solids import bell, noise, smooth


@function
def _lips(side, y, P):
    """Height of the lips minus depth of the open mouth, cm."""
    half = P.mouth_half_width * (1.0 + 0.17 * P.smile)
    upper, lower, thick_upper, thick_lower, inside = mouth(side, P)
    height = 0.0
    if y > upper and thick_upper > 1e-3:
        t = ((y - upper) / thick_upper - 0.42) / 0.93
        height += P.lip_forward * 0.85 * max(0.0, 1.0 - t * t) * min(1.0, 1.6 * inside)
    elif y < lower and thick_lower > 1e-3:
        t = ((lower - y) / thick_lower - 0.45) / 0.85
        height += P.lip_forward * 1.1 * max(0.0, 1.0 - t * t) * min(1.0, 1.6 * inside)
    between = max(0.0, y - upper, lower - y) / 0.12
    height -= 0.26 * smooth(1.08, 0.8, side / half) * math.exp(-between * between)
    if lower < y < upper:
        height -= 0.9 * smooth(0.0, 0.35, min(upper - y, y - lower))
    return height


@function
def _folds(side, y, P):
    """Nasolabial folds, and the wrinkles of an aging forehead."""
    height = 0.0
    along = (-3.9 - y) / 3.2
    if -0.2 < along < 1.3:
        strength = 1.0 - 2.0 * (along - 0.5) * (along - 0.5)
        if strength > 0:
            at = 1.75 + 1.65 * along + 0.25 * P.smile
            height -= (P.fold + 0.20 * P.smile) * strength * bell(side - at, 0.0, 0.28, 1.0)
    if P.age > 0.45 and y > 2.8:
        wave = math.sin(5.2 * y + 0.5 * math.sin(0.8 * side + P.texture) + 1.5 * noise(side, y, P.texture))
        height -= 0.05 * (P.age - 0.45) * smooth(0.2, 1.0, wave) * bell(side, y - 4.7, 2.6, 0.9)
    return height


@entry_point
def build_relief(head, bumps):
    """Fill in the relief of a face: height of the skin over the skull, in cm, and the factor that shortens distances
    where the relief is steep, so that no ray steps through it.

    Args:
        head: (1,) of `anatomy.HEAD`; its table `relief` is filled.
        bumps: (N, 5): x, y, width, height and rise of each bump, cm.
    """
    P = head[0]
    cell = P.relief_cell
    rows = min(RELIEF_ROWS, int((RELIEF_HIGH - RELIEF_LOW) / cell) + 2)
    columns = min(RELIEF_COLUMNS, int(RELIEF_WIDE / cell) + 2)
    table = P.relief
    for n in range(bumps.shape[0]):
        raise_relief(table, cell, rows, columns, bumps[n, 0], bumps[n, 1], bumps[n, 2], bumps[n, 3], bumps[n, 4])
    for row in range(rows):
        y = RELIEF_LOW + row * cell
        for column in range(columns):
            side = column * cell
            if -11.0 < y < -4.0 and side < P.mouth_half_width * 1.2 + 0.6:
                table[row, column, 0] += _lips(side, y, P)
            if side < 6.0 and (-8.5 < y < -3.0 or 2.8 < y < 7.5):
                table[row, column, 0] += _folds(side, y, P)
    for row in range(rows):
        for column in range(columns):
            up, down = table[min(row + 1, rows - 1), column, 0], table[max(row - 1, 0), column, 0]
            out, back = table[row, min(column + 1, columns - 1), 0], table[row, max(column - 1, 0), 0]
            here = table[row, column, 0]
            high, wide = max(abs(up - here), abs(here - down)), max(abs(out - here), abs(here - back))
            table[row, column, 1] = 1.0 / math.sqrt(1.0 + 0.8 * (high * high + wide * wide) / (cell * cell))
