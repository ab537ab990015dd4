"""Signed distances to primitives, smooth union and intersection, and smooth noise.

Smooth union and intersection follow Inigo Quilez, "Smooth minimum" (2013): a quadratic blend of a given width.
"""

import math

import numpy as np

from facade.heads.compiled import function

# Surfaces are occluded by what lies within this distance, cm.
SHADED_WITHIN = 0.9
# Thus a shape may be skipped, or replaced by a rough bound, only where it is known to be farther away than this.
MARGIN = SHADED_WITHIN + 0.05
# Lattice of random numbers, 0 to 1, between which noise is interpolated. It repeats after this many units.
PERIOD = 32
LATTICE = np.random.default_rng(20231).random((PERIOD, PERIOD, PERIOD)).astype(np.float32)


@function
def smooth(low, high, value):
    """0 at `low`, 1 at `high`, smooth between; `low` may be the larger."""
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return share * share * (3.0 - 2.0 * share)


@function
def mix(a, b, share):
    return a + (b - a) * share


@function
def bell(x, y, width, height):
    """1 in the middle, falling to 0 at about 2.8 widths and heights; similar to a Gaussian, and cheaper."""
    fall = 1.0 - 0.125 * (x * x / (width * width) + y * y / (height * height))
    return fall * fall * fall * fall if fall > 0.0 else 0.0


@function
def join(a, b, width):
    """Union with a fillet of the given width."""
    overlap = max(width - abs(a - b), 0.0) / width
    return min(a, b) - overlap * overlap * width * 0.25


@function
def carve(a, b, width):
    """Intersection with a rounded edge of the given width; `carve(a, -b, w)` subtracts b from a."""
    overlap = max(width - abs(a - b), 0.0) / width
    return max(a, b) + overlap * overlap * width * 0.25


@function
def ellipsoid(x, y, z, a, b, c):
    """Distance to an ellipsoid, to first order: the implicit function over its gradient."""
    u, v, w = x / a, y / b, z / c
    level = math.sqrt(u * u + v * v + w * w)
    u, v, w = u / a, v / b, w / c
    return level * (level - 1.0) / (math.sqrt(u * u + v * v + w * w) + 1e-9)


@function
def rod(x, y, z, ax, ay, az, bx, by, bz, radius_a, radius_b):
    """A capsule from a to b whose radius changes linearly."""
    vx, vy, vz = bx - ax, by - ay, bz - az
    wx, wy, wz = x - ax, y - ay, z - az
    along = min(1.0, max(0.0, (wx * vx + wy * vy + wz * vz) / (vx * vx + vy * vy + vz * vz)))
    dx, dy, dz = wx - vx * along, wy - vy * along, wz - vz * along
    return math.sqrt(dx * dx + dy * dy + dz * dz) - mix(radius_a, radius_b, along)


@function
def noise(x, y, z):
    """Smooth random values from 0 to 1, about one bump per unit."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i, j, k = int(fx) & 31, int(fy) & 31, int(fz) & 31
    x, y, z = x - fx, y - fy, z - fz
    x, y, z = x * x * (3 - 2 * x), y * y * (3 - 2 * y), z * z * (3 - 2 * z)
    i1, j1, k1 = (i + 1) & 31, (j + 1) & 31, (k + 1) & 31
    near = mix(mix(LATTICE[i, j, k], LATTICE[i1, j, k], x), mix(LATTICE[i, j1, k], LATTICE[i1, j1, k], x), y)
    far = mix(mix(LATTICE[i, j, k1], LATTICE[i1, j, k1], x), mix(LATTICE[i, j1, k1], LATTICE[i1, j1, k1], x), y)
    return mix(near, far, z)


@function
def ripple(x, y):
    """2-D noise, at half the cost."""
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx) & 31, int(fy) & 31
    k = (int(fx) >> 5) & 31
    x, y = x - fx, y - fy
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    i1, j1 = (i + 1) & 31, (j + 1) & 31
    k1 = ((int(fx) + 1) >> 5) & 31
    return mix(mix(LATTICE[i, j, k], LATTICE[i1, j, k1], x), mix(LATTICE[i, j1, k], LATTICE[i1, j1, k1], x), y)
