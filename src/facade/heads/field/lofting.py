"""The skull's table of cross-sections, from the few that anatomy names."""

import math

import numpy as np

from facade.heads.compiled import entry_point, function
from facade.heads.field.skull import LOFT_LOW, LOFT_ROWS, LOFT_STEP

# The table is smoothed over so many rows to each side: corners of the curve would shade as creases.
SMOOTHED = 8


@function
def _tangents(x, y, slopes):
    """Slopes at the knots of a curve that overshoots none of them (Fritsch and Butland, 1984)."""
    n = x.shape[0]
    slopes[0] = (y[1] - y[0]) / (x[1] - x[0])
    slopes[n - 1] = (y[n - 1] - y[n - 2]) / (x[n - 1] - x[n - 2])
    for i in range(1, n - 1):
        before, after = x[i] - x[i - 1], x[i + 1] - x[i]
        left, right = (y[i] - y[i - 1]) / before, (y[i + 1] - y[i]) / after
        if left * right <= 0.0:
            slopes[i] = 0.0
        else:
            one, two = 2.0 * after + before, after + 2.0 * before
            slopes[i] = (one + two) / (one / left + two / right)


@entry_point
def build_loft(head, sections):
    """Fill in the skull.

    Args:
        head: (1,) of `anatomy.HEAD`; its table `lofts` is filled: area before and behind the ears, ratio before and
            behind, middle; see `skull.loft`.
        sections: (N, 5): height, half width, front, middle and back of cross-sections from chin to crown, cm.
    """
    n = sections.shape[0]
    knots, slopes = np.zeros((5, n)), np.zeros(n)
    for i in range(n):
        half, front, middle, back = sections[i, 1], sections[i, 2], sections[i, 3], sections[i, 4]
        knots[0, i], knots[1, i] = (front - middle) ** 2, (middle - back) ** 2
        square = max(half * half, 1e-6)
        knots[2, i], knots[3, i], knots[4, i] = knots[0, i] / square, knots[1, i] / square, middle
    for k in range(2):
        knots[2 + k, 0], knots[2 + k, n - 1] = knots[2 + k, 1], knots[2 + k, n - 2]
        knots[k, 0] = knots[k, n - 1] = 0.0
    height = sections[:, 0]
    rough = np.zeros((LOFT_ROWS + 2 * SMOOTHED, 5))
    for column in range(5):
        values = knots[column]
        _tangents(height, values, slopes)
        i = 0
        for row in range(LOFT_ROWS + 2 * SMOOTHED):
            y = LOFT_LOW + (row - SMOOTHED) * LOFT_STEP
            # Beyond chin and crown the areas go on falling, so that the field knows which way the head lies.
            if y <= height[0]:
                fall = knots[column, 1] / (height[1] - height[0]) if column < 2 else 0.0
                rough[row, column] = values[0] - (height[0] - y) * fall
            elif y >= height[n - 1]:
                fall = knots[column, n - 2] / (height[n - 1] - height[n - 2]) if column < 2 else 0.0
                rough[row, column] = values[n - 1] - (y - height[n - 1]) * fall
            else:
                while y > height[i + 1]:
                    i += 1
                step = height[i + 1] - height[i]
                t = (y - height[i]) / step
                u = 1.0 - t
                rough[row, column] = (
                    (1.0 + 2.0 * t) * u * u * values[i]
                    + t * u * u * step * slopes[i]
                    + t * t * (3.0 - 2.0 * t) * values[i + 1]
                    - t * t * u * step * slopes[i + 1]
                )
    table = head[0].lofts
    for row in range(LOFT_ROWS):
        total = 0.0
        for k in range(-SMOOTHED + 1, SMOOTHED):
            weight = 0.5 + 0.5 * math.cos(math.pi * k / SMOOTHED)
            total += weight
            for column in range(5):
                table[row, column] += weight * rough[row + SMOOTHED + k, column]
        for column in range(5):
            table[row, column] /= total
