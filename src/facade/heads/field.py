"""The signed-distance field of a head, and the rays that look for it. Compiled by numba, cached beside this file."""

import math

import numba
import numpy as np

# A ray that has not met the head after so many steps passes it by. Rays that graze the skin take many short ones: 40
# left holes in one bald head of six.
STEPS = 96
# The field is no exact distance where solids join: full steps would jump through thin parts, as the tip of a nose.
CAUTION = 0.85
# Close enough to the surface, in half head heights: a twentieth of a pixel of a face 80 pixels high.
TOLERANCE = 0.001
# Rays start in front of the nose of a head turned any way, and end behind it.
NEAR, FAR = 1.9, -1.9
# No part of a head lies farther from its axis.
REACH = 1.75
NO_SURFACE = 9.0


def compiled(solids: np.ndarray) -> np.ndarray:
    """Solids as the field wants them: with the inverses of the radii, which spares a division in the innermost loop."""
    table = solids.copy()
    table[:, 3:6] = 1 / table[:, 3:6]
    return table


@numba.njit(cache=True)
def solid_distance(solids: np.ndarray, x: float, y: float, z: float) -> float:
    """Distance from a point to smoothly joined ellipsoids; negative inside.

    Args:
        solids: (K, 9) float, as `compiled` gives.
        x: In half head heights, to the right.
        y: In half head heights, up.
        z: In half head heights, to the camera.

    Returns:
        The distance to an ellipsoid is Quilez's bound ("ellipsoid SDF"), exact on the surface; the joints are his
        polynomial smooth minimum.
    """
    total = NO_SURFACE
    for row in range(solids.shape[0]):
        inverse_x, inverse_y, inverse_z = solids[row, 3], solids[row, 4], solids[row, 5]
        soft, both, carve = solids[row, 6], solids[row, 7], solids[row, 8]
        a = ((abs(x) if both > 0 else x) - solids[row, 0]) * inverse_x
        b = (y - solids[row, 1]) * inverse_y
        c = (z - solids[row, 2]) * inverse_z
        first = a * a + b * b + c * c
        a, b, c = a * inverse_x, b * inverse_y, c * inverse_z
        second = a * a + b * b + c * c
        distance = (first - math.sqrt(first)) / math.sqrt(max(second, 1e-12))
        if row == 0:
            total = distance
            continue
        one = -total if carve > 0 else total
        blend = min(max(0.5 + 0.5 * (distance - one) / soft, 0.0), 1.0)
        joined = distance * (1.0 - blend) + one * blend - soft * blend * (1.0 - blend)
        total = -joined if carve > 0 else joined
    return total


@numba.njit(cache=True)
def hair_distance(solids: np.ndarray, hairline: float, jag: float, x: float, y: float, z: float) -> float:
    """Distance to the hair: the cap above a plane that falls from the hairline over the temples to the nape.

    Args:
        solids: (K, 9) float; none for a bald head, whose hair is far away.
        hairline: Height of the hairline above the brow.
        jag: Phase of the unevenness of the hairline.
        x: In half head heights, to the right.
        y: In half head heights, up.
        z: In half head heights, to the camera.
    """
    if solids.shape[0] == 0:
        return NO_SURFACE
    uneven = 0.02 * math.sin(19.0 * x + jag) * math.sin(13.0 * z + 2.0 * jag) + 0.012 * math.sin(47.0 * x + 31.0 * z)
    edge = (hairline - 0.95 * (0.72 - z) - y) * 0.72 + uneven
    cap = max(solid_distance(solids[:1], x, y, z), edge)
    if solids.shape[0] == 1:
        return cap
    curtain = solid_distance(solids[1:], x, y, z)
    blend = min(max(0.5 + 5.0 * (curtain - cap), 0.0), 1.0)
    return curtain * (1.0 - blend) + cap * blend - 0.1 * blend * (1.0 - blend)


@numba.njit(cache=True)
def distances(
    skin: np.ndarray, hair: np.ndarray, hairline: float, jag: float, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of (N, 3) points to the skin and to the hair, (N,) each."""
    to_skin, to_hair = np.empty(len(points)), np.empty(len(points))
    for number in range(len(points)):
        x, y, z = points[number]
        to_skin[number] = solid_distance(skin, x, y, z)
        to_hair[number] = hair_distance(hair, hairline, jag, x, y, z)
    return to_skin, to_hair


@numba.njit(cache=True)
def trace(
    skin: np.ndarray, hair: np.ndarray, hairline: float, jag: float, screen: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow parallel rays until they meet the head (sphere tracing, Hart 1996).

    Args:
        skin: (K, 9) float, ellipsoids.
        hair: (K, 9) float, ellipsoids.
        hairline: Height of the hairline.
        jag: Phase of its unevenness.
        screen: (N, 2) float, where each ray starts, in the camera's axes.
        rotation: (3, 3) float, from the head's axes to the camera's.

    Returns:
        (N,) bool, whether the ray met the head, and (N, 3) float, where, in the head's axes.
    """
    count = len(screen)
    met = np.zeros(count, np.bool_)
    points = np.zeros((count, 3))
    for number in range(count):
        u, v = screen[number]
        if u * u + v * v > REACH * REACH:
            continue
        depth = NEAR
        for _ in range(STEPS):
            x = u * rotation[0, 0] + v * rotation[1, 0] + depth * rotation[2, 0]
            y = u * rotation[0, 1] + v * rotation[1, 1] + depth * rotation[2, 1]
            z = u * rotation[0, 2] + v * rotation[1, 2] + depth * rotation[2, 2]
            distance = min(solid_distance(skin, x, y, z), hair_distance(hair, hairline, jag, x, y, z))
            if distance < TOLERANCE:
                met[number] = True
                points[number] = (x, y, z)
                break
            depth -= CAUTION * distance
            if depth < FAR:
                break
    return met, points
