"""The shape of a procedural head: which ellipsoids it is joined from, and where its landmarks lie.

Axes: x to the right of the picture, y up, z towards the camera; the origin lies inside the skull between the ears,
and the unit is half the height of the head.
"""

import numpy as np

from facade.heads.identity import Identity

# How much thicker than the skull the hair is, in shares of `Identity.hair_volume`.
VOLUME = {"bald": 0.0, "cropped": 0.35, "short": 1.0, "curly": 2.3, "long": 1.0}


def skin_solids(who: Identity) -> np.ndarray:
    """The ellipsoids of skull, face, ears and neck, joined in this order.

    Returns:
        (K, 9) float: centre x y z, radii x y z, softness of the joint, 1 if mirrored onto the other side, and
        1 if it is carved out of what stands above it, not joined to it.
    """
    rows = [
        # centre                                             radii                                     soft  both carve
        (0, 0.14, -0.10,                                     who.skull_width, 0.86, 0.86,              0.00, 0, 0),
        (0, who.jaw_drop, 0.16,                              who.jaw_width, 0.50, 0.54,                0.30, 0, 0),
        (0, -0.86, 0.46,                                     0.17, 0.11, 0.10 + who.chin,              0.16, 0, 0),
        (0.40, -0.16, 0.40,                                  0.17, 0.15, 0.14 + who.cheek,             0.20, 1, 0),
        (0.26, 0.22, 0.60,                                   0.26, 0.07, 0.08 + who.brow_ridge,        0.14, 1, 0),
        (who.eye_spacing, 0.05, 0.80,                        0.19, 0.11, 0.13,                         0.12, 1, 1),
        (who.eye_spacing, 0.04, 0.545,                       0.14, 0.12, 0.13,                         0.05, 1, 0),
        (0, who.nose_length / 2 + 0.06, 0.66,                0.065, 0.26, 0.14,                        0.08, 0, 0),
        (0, who.nose_length, 0.72 + who.nose_depth,          0.085, 0.075, 0.09,                       0.09, 0, 0),
        (0.75 * who.nose_width, who.nose_length - 0.02, 0.74, 0.062, 0.055, 0.09,                      0.07, 1, 0),
        (0, who.mouth_height, 0.60,                   who.mouth_width, 0.05 + 0.5 * who.lip_fullness, 0.1, 0.10, 0, 0),
        (who.skull_width, -0.04, -0.10,                      0.07, 0.20, 0.12,                         0.04, 1, 0),
        (0, -1.25, -0.22,                                    0.40, 0.75, 0.40,                         0.12, 0, 0),
    ]  # fmt: skip
    return np.array(rows, float)


def hair_solids(who: Identity) -> np.ndarray:
    """The ellipsoids of the hair, in the form of `skin_solids`; none for a bald head."""
    thick = VOLUME[who.style] * who.hair_volume
    cap = (0, 0.16, -0.12, who.skull_width + thick, 0.86 + thick, 0.87 + thick, 0.00, 0, 0)
    curtain = (0, -0.55, -0.36, 0.86 + thick, 1.15, 0.50, 0.10, 0, 0)
    rows = {"bald": [], "long": [cap, curtain]}.get(who.style, [cap])
    return np.array(rows, float).reshape(-1, 9)


def landmarks(who: Identity) -> np.ndarray:
    """Eyes, nose tip and corners of the mouth on the head, (5, 3), in the order of the data sets."""
    eye_z, mouth_z = 0.66, 0.60
    return np.array(
        [
            (-who.eye_spacing, 0.04, eye_z),
            (who.eye_spacing, 0.04, eye_z),
            (0.0, who.nose_length, 0.80 + who.nose_depth),
            (-who.mouth_width, who.mouth_height, mouth_z),
            (who.mouth_width, who.mouth_height, mouth_z),
        ]
    )
