"""The complete person, and which part is nearest."""

import math

from facade.heads.compiled import function
from facade.heads.field.hair import hair
from facade.heads.field.skull import ear, face, loft, straight
from facade.heads.field.solids import join
from facade.heads.field.worn import body, glasses, headwear

NOTHING, SKIN, EYE, EAR, HAIR, NECK, CLOTHES, FRAME, LENS, HEADWEAR = range(10)
# Floats rather than booleans, for which numba would compile everything twice.
WITH_HAIR, WITHOUT_HAIR = 1.0, 0.0


@function
def nearest(x, y, z, P, with_hair):
    """Distance to the person, and the part that is nearest."""
    distance = face(x, y, z, P)
    part = SKIN
    if z > -5.0 and -2.5 < y < 2.5:
        ex, ey = straight(x, y, P)
        ex, ez = abs(ex) - P.eye_x, z - P.eye_z
        eye = math.sqrt(ex * ex + ey * ey + ez * ez) - P.eye_radius
        # The filling of the inner corner.
        ex, ez = ex + P.eye_half_width - 0.35, ez - 0.3
        eye = join(eye, math.sqrt(ex * ex + ey * ey + ez * ez) - 0.55, 0.3)
        if eye < distance:
            distance, part = eye, EYE
    side = abs(x)
    # Even the largest ears extend from -5.3 to 2.8; with the margin, they do not matter beyond these limits.
    if P.ears > 0.0 and side > 4.0 and z < -5.0 and -6.3 < y < 3.8:
        leaf = ear(side, y, z, P)
        if leaf < distance + 0.3:
            if leaf < distance:
                part = EAR
            distance = join(distance, leaf, 0.3)
    skull = loft(x, y, z, P) if P.hair_top + P.headwear > 0.0 else 0.0
    if with_hair * P.hair_top > 0.0:
        shell = hair(x, y, z, skull, P)
        if shell < distance:
            distance, part = shell, HAIR
    if P.torso > 0.0 and y < -4.0:
        neck, clothes = body(x, y, z, P)
        if neck < distance + 1.0:
            if neck < distance:
                part = NECK
            distance = join(distance, neck, 1.0)
        if clothes < distance:
            distance, part = clothes, CLOTHES
    if P.spectacles > 0.0 and z > -10.5 and -3.5 < y < 3.0:
        frame, lens = glasses(x, y, z, P)
        if frame < distance:
            distance, part = frame, FRAME
        if P.spectacles > 1.0 and lens < distance:
            distance, part = lens, LENS
    if P.headwear > 0.0:
        worn = headwear(x, y, z, skull, P)
        if worn < distance:
            distance, part = worn, HEADWEAR
    return distance, part
