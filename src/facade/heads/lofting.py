"""Interpolate the skull's table of cross-sections from the few that `anatomy` defines."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import correlate1d

from facade.heads.field.skull import LOFT_LOW, LOFT_ROWS, LOFT_STEP

# Cross-sections are interpolated at every fourth row and smoothed over eight of those to each side, because corners of
# the curve would show as creases. The rows between come from a quadratic B-spline.
_EVERY, _SMOOTHED = 4, 8
_COARSE = LOFT_ROWS // _EVERY + 3
_HEIGHTS = LOFT_LOW + LOFT_STEP * _EVERY * np.arange(-_SMOOTHED - 1, _COARSE + _SMOOTHED - 1)
_WEIGHTS = 0.5 + 0.5 * np.cos(np.pi * np.arange(-_SMOOTHED, _SMOOTHED + 1) / _SMOOTHED)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_PHASES = np.arange(_EVERY) / _EVERY
# (3, _EVERY): weights of the previous, current and next coarse row, between the midpoints to its neighbors.
_SPLINE = np.stack([0.5 * (1 - _PHASES) ** 2, 0.75 - (_PHASES - 0.5) ** 2, 0.5 * _PHASES**2])
# The table extends at most this far beyond chin and crown, cm.
_BEYOND = 12.0
# Where a cross-section is smaller than this, as at the tip of the chin, its halves need not meet exactly, cm².
SMALL = 12.0


def build_loft(sections: np.ndarray) -> np.ndarray:
    """Interpolate the skull between its cross-sections.

    Args:
        sections: (N, 5): height, half width, front, middle and back of cross-sections from chin to crown, cm.

    Returns:
        (LOFT_ROWS, 5): area before and behind the ears, ratio before and behind, middle; see `skull.loft`.
    """
    height, half, front, middle, back = sections.T
    curves = np.empty((5, len(height) + 2))
    areas, ratios = curves[:2, 1:-1], curves[2:4, 1:-1]
    areas[0], areas[1] = (front - middle) ** 2, (middle - back) ** 2
    ratios[:] = areas / np.maximum(half * half, 1e-6)
    areas[:, 0] = areas[:, -1] = 0.0
    ratios[:, 0], ratios[:, -1] = ratios[:, 1], ratios[:, -2]
    curves[4, 1:-1] = middle
    # Beyond chin and crown the areas continue to fall, so that the distance field has a gradient towards the head.
    curves[2:, 0], curves[2:, -1] = curves[2:, 1], curves[2:, -2]
    curves[:2, 0] = -_BEYOND * areas[:, 1] / (height[1] - height[0])
    curves[:2, -1] = -_BEYOND * areas[:, -2] / (height[-1] - height[-2])
    knots = np.concatenate([[height[0] - _BEYOND], height, [height[-1] + _BEYOND]])
    rough = between(knots, curves, _HEIGHTS)
    table = correlate1d(rough, _WEIGHTS, axis=1)[:, _SMOOTHED:-_SMOOTHED]
    # Both halves must be equally wide where they meet, or the head would have a seam.
    areas, ratios = table[:2], table[2:4]
    smallest = np.maximum(areas.min(0), 1e-6)
    square = 0.5 * (areas / ratios).sum(0)
    share = np.minimum(smallest / SMALL, 1.0)
    ratios += share * share * (3.0 - 2.0 * share) * (areas / np.where(smallest > 1e-6, square, 1.0) - ratios)
    rows = (sliding_window_view(table, 3, axis=1) @ _SPLINE).reshape(5, -1)
    # The spline begins midway between the first two coarse rows, half a step before the table.
    return rows[:, _EVERY // 2 : _EVERY // 2 + LOFT_ROWS].T


def between(knots: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate between knots by a monotone cubic, which does not overshoot (Fritsch and Butland, 1984).

    SciPy's PchipInterpolator does the same except at the ends, and takes four times as long.

    Args:
        knots: (N,), increasing.
        values: (M, N), the values at the knots.
        at: (K,), positions within the knots.

    Returns:
        (M, K).
    """
    step = knots[1:] - knots[:-1]
    rise = (values[:, 1:] - values[:, :-1]) / step
    left, right = rise[:, :-1], rise[:, 1:]
    one, two = 2.0 * step[1:] + step[:-1], step[1:] + 2.0 * step[:-1]
    slopes = np.empty_like(values)
    slopes[:, 0], slopes[:, -1] = rise[:, 0], rise[:, -1]
    product = np.maximum(left * right, 0.0)  # flat at extrema
    slopes[:, 1:-1] = (one + two) * product / np.where(product > 0.0, one * right + two * left, 1.0)
    i = np.minimum(np.searchsorted(knots, at, side="right") - 1, len(step) - 1)
    t = (at - knots[i]) / step[i]
    u = 1.0 - t
    from_values = (1.0 + 2.0 * t) * u * u * values[:, i] + t * t * (3.0 - 2.0 * t) * values[:, i + 1]
    return from_values + step[i] * t * u * (u * slopes[:, i] - t * slopes[:, i + 1])
