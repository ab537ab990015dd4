"""Color and gloss of every part of a person."""

import math

from facade.heads.compiled import function
from facade.heads.field.hair import azimuth, hairline, jag
from facade.heads.field.scene import CLOTHES, EAR, EYE, FRAME, HAIR, HEADWEAR, LENS, NECK, SKIN
from facade.heads.field.skull import eye_opening, mouth, straight
from facade.heads.field.solids import bell, mix, noise, ripple, smooth
from facade.heads.field.worn import BEANIE

# Output of `paint`: color, gloss and its sharpness, subsurface scattering, wetness, and flatness. Flatness reduces the
# influence of normals and occlusion: in painted hollows (the open mouth) and fillings (the corner of the eye).
SLOTS = 8
RED, GREEN, BLUE, GLOSS, SHARPNESS, SCATTER, WET, FLAT = range(SLOTS)


@function
def _set(C, red, green, blue):
    C[RED], C[GREEN], C[BLUE] = red, green, blue


@function
def _blend(C, red, green, blue, share):
    C[RED] = mix(C[RED], red, share)
    C[GREEN] = mix(C[GREEN], green, share)
    C[BLUE] = mix(C[BLUE], blue, share)


@function
def _darken(C, share):
    """Darken by hair or a crease: blue fades first, as in skin."""
    C[RED] *= 1 - 0.93 * share
    C[GREEN] *= 1 - 0.95 * share
    C[BLUE] *= 1 - 0.96 * share


@function
def _skin(x, y, z, part, P, pixel, C):
    """Skin color from two pigments, melanin and blood (after Anderson and Parrish, 1981, in three bands)."""
    side = abs(x)
    detail = min(1.0, 0.12 / pixel)
    seed = P.texture
    wide = ripple(0.5 * x + seed, 0.5 * y + 0.4 * z) - 0.5
    patch = noise(1.3 * x + 0.5 * y, 1.3 * y + seed - 0.4 * z, 1.3 * z + 0.4 * x) - 0.5
    melanin = P.melanin * (1.0 + P.blotches * (0.5 * wide + 0.3 * patch))
    blood = P.blood * (1.0 + P.blotches * (0.8 * patch - 0.6 * wide))
    if pixel < 0.2:
        # Pores and small blood vessels.
        fine = noise(6.0 * x + seed, 6.0 * y, 6.0 * z) - 0.5
        melanin += (0.05 + 0.05 * P.melanin) * fine * detail
        if pixel < 0.08:
            blood += 0.10 * (noise(13.0 * x, 13.0 * y + seed, 13.0 * z) - 0.5)
    if part == SKIN and z > -9.0:
        blood += P.flush * (
            bell(side - 4.0, y + 3.0, 1.5, 1.2) + 0.8 * bell(side, y - P.nose_tip_y, 1.0, 0.8) * smooth(-1.0, 1.0, z)
        )
        blood += 0.12 * bell(side, y + 9.8, 1.4, 1.0) + 0.12 * bell(side - P.eye_x, y, 1.6, 0.8)
        # The eye socket is darker, especially below the eye, with age and pigment.
        melanin += 0.10 * (0.4 + 0.6 * P.melanin) * (0.4 + P.eye_bags) * bell(side - 2.8, y + 0.95, 1.0, 0.45)
        melanin += 0.10 * (0.6 + 0.3 * P.melanin) * bell(side - 3.3, y - 0.6, 1.4, 0.5)
        if P.freckles > 0.0:
            spots = 0.6 * noise(5.3 * x + 11.0, 5.3 * y + x, 3.0) + 0.4 * noise(2.1 * x - y, 2.1 * y + x + 5.0, 7.0)
            melanin += 0.45 * P.freckles * smooth(0.60, 0.85, spots) * bell(side - 2.2, y + 2.2, 3.2, 1.6) * detail
        mole = (x - P.mole_x) ** 2 + (y - P.mole_y) ** 2
        if mole < 0.04 and z > -5.0:
            melanin += 1.2 * smooth(0.04, 0.005, mole)
    if part == EAR:
        blood += 0.12
    melanin, blood = max(0.01, melanin), max(0.02, blood)
    _set(C, 0.90 * math.exp(-melanin - 0.10 * blood), 0.79 * math.exp(-1.32 * melanin - 0.60 * blood),
         0.67 * math.exp(-1.62 * melanin - 0.72 * blood))  # fmt: skip
    C[GLOSS], C[SHARPNESS], C[SCATTER] = 0.6 * P.oil, 12.0, 1.0


@function
def _wrinkles(side, y, P, C):
    shine = bell(side, y - 4.5, 2.5, 2.0) + bell(side, y + 2.0, 0.9, 2.5)
    C[GLOSS] += P.oil * (0.9 * shine + 0.5 * bell(side - 4.5, y + 2.0, 1.2, 0.9))
    along = (-3.9 - y) / 3.4
    if 0.0 < along < 1.2:
        away = (side - 1.75 - 1.65 * along) / 0.2
        _darken(C, (0.10 * P.fold * 5.0 + 0.06 * P.smile) * math.exp(-away * away) * (1.0 - abs(along - 0.5)))
    if P.age > 0.4 and y > 2.8:
        wave = math.sin(5.2 * y + 0.5 * math.sin(0.8 * side + P.texture) + 1.5 * noise(side, y, P.texture))
        _darken(C, 0.16 * (P.age - 0.4) * smooth(0.2, 1.0, wave) * bell(side, y - 4.7, 2.6, 0.9))


@function
def _lips(x, side, y, P, pixel, C):
    half = P.mouth_half_width * (1.0 + 0.17 * P.smile)
    if side > half + 0.6 or not -11.0 < y < -4.5:
        return
    upper, lower, thick_upper, thick_lower, _ = mouth(side, P)
    edge = max(0.07, 0.5 * pixel)
    if y >= upper:
        amount = smooth(thick_upper + edge, thick_upper - edge, y - upper)
    elif y <= lower:
        amount = smooth(thick_lower + 1.6 * edge, thick_lower - 1.6 * edge, lower - y)
    else:
        amount = 1.0
    amount *= smooth(1.02, 0.93, side / half)
    red, green, blue = C[RED], C[GREEN], C[BLUE]
    red *= math.exp(-0.08 * P.lip_red - 0.40 * P.lip_dark)
    green *= math.exp(-0.62 * P.lip_red - 0.52 * P.lip_dark)
    blue *= math.exp(-0.48 * P.lip_red - 0.45 * P.lip_dark)
    if P.makeup > 0.0:
        red, green, blue = (
            mix(red, 0.42 * (0.5 + 0.5 * red), P.makeup),
            mix(green, 0.06, P.makeup),
            mix(blue, 0.075, P.makeup),
        )
    shade = 0.90 if y > upper else 1.0  # the upper lip faces down
    if pixel < 0.12:
        shade *= 0.92 + 0.16 * ripple(5.0 * x, 0.8 * y)
    _blend(C, red * shade, green * shade, blue * shade, 0.9 * amount)
    C[GLOSS] = mix(C[GLOSS], 1.2 * P.oil + 0.05, amount)
    gap = upper - lower
    off = max(0.0, y - upper, lower - y) / max(0.10, 0.6 * pixel)
    seam = math.exp(-off * off) * smooth(1.05, 0.9, side / half) * (1.0 - 0.75 * min(1.0, 3.0 * gap))
    C[RED] *= 1 - 0.60 * seam
    C[GREEN] *= 1 - 0.68 * seam
    C[BLUE] *= 1 - 0.68 * seam
    # The corners, just inside the ends of the lips, are shaded.
    out, up = (side - 0.97 * half) / 0.30, (y - 0.5 * (upper + lower) + 0.06) / 0.18
    _darken(C, 0.5 * math.exp(-out * out - up * up))
    if lower < y < upper:
        inner = smooth(0.03, 0.25, min(upper - y, y - lower))
        _blend(C, 0.10, 0.028, 0.026, inner)
        # Teeth: the upper row shows below the lip, the lower row when the mouth is wide open.
        row = smooth(0.78, 0.62, upper - y) * smooth(0.0, 0.10, upper - y)
        row = max(row, 0.8 * smooth(0.5, 0.35, y - lower) * smooth(0.0, 0.15, y - lower) * smooth(0.9, 1.3, gap))
        white = P.teeth * (1.0 - 0.55 * smooth(1.0, 2.4, side))
        tooth = abs(math.cos(math.pi * x / 0.82))
        white *= 1.0 - 0.25 * smooth(0.25, 0.05, tooth) * min(1.0, 0.1 / pixel)
        _blend(C, 0.66 * white, 0.60 * white, 0.51 * white, row * smooth(0.96, 0.8, side / half))
        C[GLOSS] *= 1 - inner
        C[SCATTER] *= 1 - 0.7 * inner
        C[FLAT] = inner


@function
def _lids(side, y, P, C):
    """Lashes, the rims of the lids, and the fold above."""
    if not 0.8 < side < 5.6 or abs(y) > 2.2:
        return
    _, below, above = eye_opening(side, y, P.eye_z + 1.0, P)  # evaluated in front: lashes extend beyond the corner
    u = (side - P.eye_x) / P.eye_half_width
    if not -1.12 < u < 1.2:
        return
    shade = 0.0
    if below < 0.15:
        width = (0.12 + 0.07 * P.makeup) * (0.7 + 0.5 * max(0.0, u))
        q = max(0.0, -below) / width
        shade = 0.92 * math.exp(-q * q) * smooth(1.2, 1.0, abs(u)) * (0.35 + 0.65 * smooth(-1.0, -0.5, u))
    if above < 0.15:
        q = max(0.0, -above) / 0.08
        shade = max(shade, 0.42 * math.exp(-q * q) * smooth(1.1, 0.9, abs(u)) * smooth(-0.9, -0.3, u))
    q = (-below - 0.34) / 0.10
    shade = max(shade, 0.34 * P.lid_fold * math.exp(-q * q) * max(0.0, 1.0 - 0.7 * u * u))
    _darken(C, shade)


@function
def _brows(x, side, y, P, pixel, C):
    if not 0.6 < y < 5.0 or not 0.4 < side < 6.2:
        return
    along = (side - 1.1) / 4.1
    if not -0.15 < along < 1.12:
        return
    t = min(1.0, max(0.0, along))
    arch = 1.0 - ((t - 0.62) / 0.62) ** 2
    middle = P.brow_y + P.brow_raise * (0.6 + 0.4 * t) + 0.6 * P.brow_arch * arch + P.brow_tilt * (t - 0.4)
    half = max(0.06, P.brow_thickness * (0.75 + 0.5 * smooth(0.0, 0.25, t) - 0.85 * smooth(0.45, 1.05, t)))
    # Hairs point up and outward.
    strand = ripple(9.0 * x + 6.0 * y * (1.0 if x > 0 else -1.0), 3.0 * y - 2.0 * side + P.texture)
    q = (y - middle) / half + 0.5 * (strand - 0.5)
    cover = P.brow_density * math.exp(-0.9 * q * q) * smooth(-0.14, 0.12, along) * smooth(1.10, 0.85, along)
    cover = min(0.93, 1.15 * cover * (1.0 - 0.45 * strand * min(1.0, 0.15 / pixel)))
    _blend(C, P.brow_r, P.brow_g, P.brow_b, cover)
    C[GLOSS] *= 1 - cover


@function
def _beard(x, side, y, z, P, C):
    if P.beard + P.stubble + P.moustache <= 0.0 or y > 0.5:
        return
    upper, lower, thick_upper, thick_lower, _ = mouth(side, P)
    if (
        side < P.mouth_half_width * (1.0 + 0.17 * P.smile)
        and lower - thick_lower - 0.05 < y < upper + thick_upper + 0.05
    ):
        return
    hairs = 0.5 * noise(9.0 * x, 4.0 * y + P.texture, 9.0 * z) + 0.5 * noise(3.0 * x, 2.0 * y + P.texture, 3.0 * z)
    # From the sideburns along the cheek to below the mouth, and under the chin.
    line = -3.0 - 2.6 * smooth(7.0, 3.2, side) + (0.35 * (-6.0 - z) if z < -6.0 else 0.0)
    cheek = smooth(0.8, -0.8, y - line + 1.2 * (hairs - 0.5)) * smooth(-10.5, -8.5, z)
    if side < 2.6:
        cheek *= smooth(1.2, 2.2, side + 0.9 * max(0.0, -7.6 - y))
    cheek = max(cheek, smooth(-8.2, -9.0, y) * smooth(-9.0, -6.0, z))
    corner = smooth(3.6, 2.6, side) * smooth(2.1, 2.6, side) * smooth(-5.4, -6.0, y)
    below = (y - P.mouth_y + P.lower_lip + 0.55) / 0.3
    chin = 0.8 * math.exp(-below * below) * smooth(1.0, 0.4, side)
    full = max(cheek, corner, chin)
    above = abs(y - (P.mouth_y + P.upper_lip + 0.42 - 0.12 * side)) / 0.5
    lip = math.exp(-above * above * above) * smooth(3.1, 2.4, side)
    # Skin shows through short hair.
    cover = max(max(P.beard * full, P.moustache * lip) * (0.72 + 0.36 * hairs), 0.42 * P.stubble * max(full, lip))
    cover = min(0.95, cover)
    _blend(C, 0.8 * P.brow_r, 0.8 * P.brow_g, 0.8 * P.brow_b, cover)
    C[GLOSS] *= 1 - cover
    C[SCATTER] *= 1 - cover


@function
def _roots(x, y, z, P, C):
    """Skin under and in front of the hair: roots get denser gradually, not along a line."""
    if P.hair_top <= 0.0:
        return
    angle = azimuth(x, z)
    over = y - hairline(angle, P)
    if over < -1.6:
        return
    strand = ripple(34.0 * angle + P.texture, 0.5 * y) - 0.5
    cover = smooth(-0.7, 0.35, over + jag(angle, y, P) + 0.9 * strand)
    cover *= 0.85
    _blend(C, 0.8 * P.hair_r, 0.8 * P.hair_g, 0.8 * P.hair_b, cover)
    C[GLOSS] *= 1 - cover
    C[SCATTER] *= 1 - 0.5 * cover


@function
def _eye(x, y, z, P, pixel, C):
    mirror = 1.0 if x > 0 else -1.0
    ex = abs(x) - P.eye_x
    dx, dy = ex - P.gaze_x * mirror * P.eye_radius, y - P.gaze_y * P.eye_radius - 0.03
    away = math.sqrt(dx * dx + dy * dy)
    edge = max(0.05, 0.45 * pixel)
    within, below, _ = eye_opening(abs(x), y, z, P)
    # The upper lid and its lashes shade the eyeball, which is gray-pink rather than white.
    shade = (0.30 + 0.70 * smooth(-0.05, 0.55, below)) * (0.65 + 0.35 * smooth(0.0, 0.15, within))
    _set(C, 0.42, 0.385, 0.36 * (1.0 - 0.10 * min(1.0, P.melanin)))
    # The inner corner is pink, and filled.
    corner = smooth(0.55, 0.75, -ex / P.eye_half_width)
    _blend(C, 0.55, 0.31, 0.28, corner)
    shade = mix(shade, 0.85, corner)
    radius = 0.60
    t = away / radius
    fibres = 0.75 + 0.5 * ripple(5.0 * math.atan2(dy, dx) + P.texture, 2.0 * t) if pixel < 0.15 else 1.0
    ring = (
        fibres * (1.0 - 0.75 * smooth(0.72, 1.0, t)) * (1.0 - smooth(P.pupil + 0.6 * edge, P.pupil - 0.6 * edge, away))
    )
    _blend(C, P.iris_r * ring, P.iris_g * ring, P.iris_b * ring, smooth(radius + edge, radius - edge, away))
    C[RED] *= shade
    C[GREEN] *= shade
    C[BLUE] *= shade
    C[GLOSS], C[SHARPNESS], C[SCATTER], C[WET] = 0.9, 180.0, 0.2, 1.0
    C[FLAT] = 0.6 * corner


@function
def _strands(x, y, z, P, pixel, C):
    angle = azimuth(x, z)
    if P.curls > 0.0:
        coarse, fine = noise(1.9 * x, 1.9 * y, 1.9 * z), noise(4.3 * x, 4.3 * y, 4.3 * z)
    else:
        wave = 0.12 * P.hair_wave * math.sin(0.9 * y + 2.0 * angle) + 0.05 * P.hair_mess * math.sin(1.7 * y + P.texture)
        coarse = ripple(20.0 * (angle + wave) + P.texture, 0.35 * y)
        fine = ripple(57.0 * (angle + 0.6 * wave) + P.texture, 0.7 * y + 4.0)
    light = 0.56 + 0.62 * coarse + 0.40 * (fine - 0.5) * min(1.0, 0.22 / pixel)
    _set(C, P.hair_r * light, P.hair_g * light, P.hair_b * light)
    C[GLOSS] = 0.10 * (1.0 - 0.7 * P.curls) * (0.5 + coarse)
    C[SHARPNESS], C[SCATTER], C[WET] = 10.0, 0.0, 0.0


@function
def paint(x, y, z, part, P, pixel, C):
    """Fill in color and gloss at a point of the surface; `pixel` is its size in cm."""
    C[GLOSS], C[SHARPNESS], C[SCATTER], C[WET], C[FLAT] = 0.0, 20.0, 0.0, 0.0, 0.0
    side = abs(x)
    if part == SKIN or part == EAR or part == NECK:
        _skin(x, y, z, part, P, pixel, C)
        if part == SKIN:
            x, y = straight(x, y, P)
            side = abs(x)
            if z > -6.0:
                _wrinkles(side, y, P, C)
                _lids(side, y, P, C)
                _brows(x, side, y, P, pixel, C)
                _lips(x, side, y, P, pixel, C)
            _beard(x, side, y, z, P, C)
            if y > 0.0 or z < -6.0:
                _roots(x, y, z, P, C)
    elif part == EYE:
        ex, ey = straight(x, y, P)
        _eye(ex, ey, z, P, pixel, C)
    elif part == HAIR:
        _strands(x, y, z, P, pixel, C)
    elif part == CLOTHES:
        weave = 0.9 + 0.2 * noise(1.5 * x, 1.5 * y, 1.5 * z)
        if P.stripes > 0.0 and math.sin(2.2 * y) > 0.2:
            weave *= 0.45
        _set(C, P.clothes_r * weave, P.clothes_g * weave, P.clothes_b * weave)
        C[GLOSS] = 0.01
    elif part == FRAME:
        _set(C, P.frame_r, P.frame_g, P.frame_b)
        C[GLOSS], C[SHARPNESS] = 0.35, 40.0
    elif part == LENS:
        _set(C, 0.015, 0.014, 0.013)
        C[GLOSS], C[SHARPNESS] = 0.6, 60.0
    elif part == HEADWEAR:
        weave = 0.85 + 0.3 * noise(2.5 * x, 2.5 * y, 2.5 * z)
        if P.headwear == BEANIE:
            weave *= 0.85 + 0.15 * math.sin(60.0 * math.atan2(x, -(z + 9.0)))
        _set(C, P.cloth_r * weave, P.cloth_g * weave, P.cloth_b * weave)
        C[GLOSS] = 0.015
