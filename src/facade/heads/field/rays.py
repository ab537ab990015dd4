"""Ray marching and shading, one ray per pixel.

Sphere tracing (Hart, 1996): a ray advances by the distance that the field gives, until it is within a fraction of a
pixel of the surface. A cone that covers a block of pixels first finds the approximate depth.
"""

import math

import numpy as np

from facade.heads.compiled import entry_point, function
from facade.heads.field.hair import azimuth
from facade.heads.field.material import BLUE, FLAT, GLOSS, GREEN, RED, SCATTER, SHARPNESS, WET, paint
from facade.heads.field.scene import EYE, FRAME, HAIR, NOTHING, SKIN, WITH_HAIR, WITHOUT_HAIR, nearest
from facade.heads.field.skull import straight
from facade.heads.field.solids import SHADED_WITHIN, mix, noise, ripple, smooth
from facade.heads.pose import DISTANCE

# Maximum steps; rays that have not arrived by then graze the surface and use the nearest point.
STEPS = 64
# Step as a fraction of the distance. The field is not exact where shapes are blended, and full steps would jump through
# thin parts such as the tip of the nose. More than 0.9 makes holes, as the tests show.
STEP_FRACTION = 0.88
FINE_STEP_FRACTION = 0.35
# Behind this depth are thin parts, where a step is at most this multiple of the distance.
THIN, MAX_STRIDE = -6.0, 1.5
# Extent of a person from the pivot towards the camera and away from it, cm.
NEAR, BEYOND = 24.0, 24.0
FARTHEST = DISTANCE + BEYOND
# Side of a block, pixels.
BLOCK = 4
# Wrap-around of diffuse light on hair, which transmits and scatters light.
HAIR_WRAP = 0.45


@function
def _march(ox, oy, oz, dx, dy, dz, t, pixel, caution, P, with_hair):
    """March a ray from t, by `caution` times the distance per step.

    Returns:
        Its end, the part it hit (NOTHING if none), and by how much it missed the nearest surface, in pixels.
    """
    arrived = 0.01 + 0.12 * pixel
    closest, closest_t, closest_part = 1e9, t, NOTHING
    distance, part = 0.0, NOTHING
    before, slope = 0.0, 1.0
    stride = 0.0
    for _ in range(STEPS if caution == STEP_FRACTION else 3 * STEPS):
        distance, part = nearest(ox + dx * t, oy + dy * t, oz + dz * t, P, with_hair)
        if stride > 0.0:
            # Rate at which the distance falls along the ray; low where the ray grazes the surface.
            slope = min(1.0, max(0.25, (before - distance) / stride))
        if distance < arrived:
            return t + distance / slope, part, 0.0
        if distance < closest:
            closest, closest_t, closest_part = distance, t, part
        before = distance
        stride = caution * distance
        if distance < 1.5 * pixel and caution == STEP_FRACTION:
            # Close by, the surface is nearly flat: extrapolate to the intersection, but not through a thin ear.
            stride = stride / slope if oz + dz * t > THIN else min(stride / slope, MAX_STRIDE * distance)
        t += stride
        if t > FARTHEST:
            break
    if t <= FARTHEST and distance < pixel:
        return t, part, 0.0
    if closest < 0.5 * pixel:
        return closest_t, closest_part, closest / pixel
    return t, NOTHING, closest / pixel


@function
def _shadow(x, y, z, lx, ly, lz, P):
    """Visibility of the key light from a point, 0 to 1, with soft edges."""
    light, t = 1.0, 0.4
    for _ in range(5):
        distance, _ = nearest(x + lx * t, y + ly * t, z + lz * t, P, WITH_HAIR)
        light = min(light, 0.5 + 1.6 * distance / t)
        if light <= 0.0:
            return 0.0
        if distance > 2.2 or t > 14.0:
            break
        t += min(2.4, max(0.4, abs(distance)))
    return light * light * (3.0 - 2.0 * light)


@function
def _field_normal(x, y, z, part, pixel, P, N):
    """Outward normal from finite differences of the field, into N; not normalized."""
    if part == EYE:
        ex, ey = straight(x, y, P)
        N[0], N[1], N[2] = ex - (P.eye_x if x > 0 else -P.eye_x), ey, z - P.eye_z
        return
    e = max(0.05, 0.35 * pixel)
    with_hair = WITH_HAIR if part == HAIR else WITHOUT_HAIR
    here, _ = nearest(x, y, z, P, with_hair)
    a, _ = nearest(x + e, y, z, P, with_hair)
    b, _ = nearest(x, y + e, z, P, with_hair)
    c, _ = nearest(x, y, z + e, P, with_hair)
    N[0], N[1], N[2] = a - here, b - here, c - here


@function
def _ray(i, j, center_x, center_y, pixel, distance, R):
    """Direction of the ray through the center of a pixel, in head axes."""
    u, v = (i + 0.5 - center_x) * pixel, -(j + 0.5 - center_y) * pixel
    length = 1.0 / math.sqrt(u * u + v * v + distance * distance)
    u, v, w = u * length, v * length, -distance * length
    return (
        R[0, 0] * u + R[1, 0] * v + R[2, 0] * w,
        R[0, 1] * u + R[1, 1] * v + R[2, 1] * w,
        R[0, 2] * u + R[1, 2] * v + R[2, 2] * w,
    )


@function
def _slope(behind, here, ahead, max_step):
    """Change of depth per pixel, and whether both neighbors lie on the same surface."""
    if abs(ahead - here) < max_step and abs(here - behind) < max_step:
        return 0.5 * (ahead - behind), True
    return 0.0, False


@function
def _grain(x, y, z, part, pixel, P, N):
    """Normalize N, and perturb it by the grain of hair and skin."""
    nx, ny, nz = N[0], N[1], N[2]
    scale = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    rough = 0.0
    if part == HAIR:
        angle = azimuth(x, z)
        if P.curls > 0.0:
            rough = 1.3 * (noise(2.6 * x, 2.6 * y, 2.6 * z) - 0.5)
        else:
            rough = 0.8 * (ripple(17.0 * angle + P.texture + 0.5 * math.sin(0.8 * y), 0.25 * y) - 0.5)
            rough += 0.7 * (ripple(41.0 * angle + P.texture, 0.4 * y) - 0.5) * min(1.0, 0.25 / pixel)
        N[0], N[1], N[2] = nx + rough * nz, ny + 0.3 * rough, nz - rough * nx
    elif part == SKIN and pixel < 0.2:
        # Pores, coarser in older skin.
        depth = (0.10 + 0.12 * P.age) * min(1.0, 0.10 / pixel)
        N[0] = nx + depth * (noise(5.0 * x, 5.0 * y, 5.0 * z + 3.0) - 0.5)
        N[1] = ny + depth * (noise(5.0 * x + 9.0, 5.0 * y, 5.0 * z) - 0.5)
        N[2] = nz
    else:
        N[0], N[1], N[2] = nx, ny, nz
        return
    scale = 1.0 / (math.sqrt(N[0] * N[0] + N[1] * N[1] + N[2] * N[2]) + 1e-9)
    N[0], N[1], N[2] = N[0] * scale, N[1] * scale, N[2] * scale


@function
def _shade(x, y, z, dx, dy, dz, part, pixel, up, lamp, light, P, C, N, out):
    """Radiance along a ray, linear RGB, into `out`; N holds the outward normal."""
    _grain(x, y, z, part, pixel, P, N)
    paint(x, y, z, part, P, pixel, C)
    if C[FLAT] > 0.0:
        N[0], N[1], N[2] = mix(N[0], 0.0, C[FLAT]), mix(N[1], 0.0, C[FLAT]), mix(N[2], 1.0, C[FLAT])
    nx, ny, nz = N[0], N[1], N[2]
    lx, ly, lz = lamp[0], lamp[1], lamp[2]
    facing = nx * lx + ny * ly + nz * lz
    # Ambient occlusion: how much smaller than expected the distance is a little outside the surface.
    out_there, _ = nearest(x + SHADED_WITHIN * nx, y + SHADED_WITHIN * ny, z + SHADED_WITHIN * nz, P, WITH_HAIR)
    blocked = 1.1 * max(0.0, SHADED_WITHIN - out_there)
    ambient = max(0.35 if part == HAIR else 0.0, 0.75 * C[FLAT], 1.0 - blocked)
    shadow = 1.0
    scatter = C[SCATTER]
    if facing > -0.2 and light[3] + light[4] + light[5] > 0.0 and part != FRAME:
        shadow = _shadow(x + 0.15 * nx, y + 0.15 * ny, z + 0.15 * nz, lx, ly, lz, P)
        shadow = max(shadow, 0.7 * C[FLAT])  # teeth and the eye's corner stand forward of it
    # Subsurface scattering, strongest in red: light wraps around the terminator and fills creases.
    if part == HAIR:
        lit_r = lit_g = lit_b = max(0.0, (facing + HAIR_WRAP) / (1.0 + HAIR_WRAP)) * (0.25 + 0.75 * shadow)
    else:
        wr, wg, wb = 0.34 * scatter, 0.17 * scatter, 0.11 * scatter
        soft = math.sqrt(shadow) if scatter > 0.5 else shadow
        lit_r = max(0.0, (facing + wr) / (1.0 + wr)) * soft
        lit_g = max(0.0, (facing + wg) / (1.0 + wg)) * shadow
        lit_b = max(0.0, (facing + wb) / (1.0 + wb)) * shadow
    tilt = 0.5 + 0.5 * (nx * up[0] + ny * up[1] + nz * up[2])
    out[0] = C[RED] * (light[3] * lit_r + (light[9] + (light[6] - light[9]) * tilt) * mix(ambient, 1.0, 0.25 * scatter))
    out[1] = C[GREEN] * (
        light[4] * lit_g + (light[10] + (light[7] - light[10]) * tilt) * mix(ambient, 1.0, 0.13 * scatter)
    )
    out[2] = C[BLUE] * (
        light[5] * lit_b + (light[11] + (light[8] - light[11]) * tilt) * mix(ambient, 1.0, 0.09 * scatter)
    )
    # Gloss.
    hx, hy, hz = lx - dx, ly - dy, lz - dz
    scale = 1.0 / (math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
    hx, hy, hz = hx * scale, hy * scale, hz * scale
    if part == HAIR:
        # Highlight across the strands (Kajiya and Kay, 1989); strands run down the surface.
        tx, ty, tz = -nx * ny, 1.0 - ny * ny, -nz * ny
        scale = 1.0 / (math.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6)
        along = (tx * hx + ty * hy + tz * hz) * scale + 0.10 * (C[GLOSS] * 10.0 - 1.0)
        band = C[GLOSS] * max(0.0, 1.0 - along * along) ** 14 * max(0.0, facing + 0.3) * shadow
        for k in range(3):
            out[k] += band * light[3 + k] * (0.25 + 2.0 * C[k])
    elif C[WET] > 0.0:
        # Catchlights of the key light and of a bright area above the camera, which nearly every picture has. Pictures
        # of dark skin get more exposure, which would make them glare.
        strength = C[GLOSS] * (0.25 + 0.75 * math.exp(-1.1 * P.melanin))
        qx, qy, qz = (
            0.45 * lx - 1.8 * dx + 0.55 * up[0],
            0.45 * ly - 1.8 * dy + 0.55 * up[1],
            0.45 * lz - 1.8 * dz + 0.55 * up[2],
        )
        scale = 1.0 / math.sqrt(qx * qx + qy * qy + qz * qz)
        window = (nx * qx + ny * qy + nz * qz) * scale
        spark = 0.45 * math.exp(110.0 * (nx * hx + ny * hy + nz * hz - 1.0)) * min(1.0, shadow + 0.3)
        spark += 0.45 * math.exp((160.0 if pixel < 0.12 else 90.0) * (window - 1.0))
        sheen = 0.018 * smooth(-0.1, 0.5, nx * up[0] + ny * up[1] + nz * up[2])
        for k in range(3):
            out[k] += strength * spark * (light[3 + k] + 0.6 * light[6 + k]) + sheen * light[6 + k]
    elif C[GLOSS] > 0.0:
        glance = max(0.0, -(nx * dx + ny * dy + nz * dz))
        rim = (1.0 - glance) * (1.0 - glance)
        # A Gaussian lobe, which approximates a power of the cosine where it is bright.
        spot = math.exp(C[SHARPNESS] * (nx * hx + ny * hy + nz * hz - 1.0)) * shadow * max(0.0, min(1.0, 4.0 * facing))
        spot *= C[GLOSS] * (0.38 + 0.7 * rim * (1.0 - glance))
        for k in range(3):
            out[k] += spot * light[3 + k] + 0.10 * C[GLOSS] * rim * ambient * light[6 + k]
    behind_lens = abs(abs(x) - P.lens_width - 0.75) < P.lens_width and abs(y + 0.25) < P.lens_height
    if P.spectacles == 1.0 and behind_lens and (part == SKIN or part == EYE):
        # A clear lens absorbs a little, and adds a veil.
        for k in range(3):
            out[k] = 0.93 * out[k] + 0.006 * (light[6] + light[3])


@entry_point
def render(
    picture, parts, positions, normals, depths, misses, work,
    scale, center_x, center_y, distance, pivot, rotation, light, head,
):  # fmt: skip
    """Render a person.

    Args:
        picture: (h, w, 4) float32, filled: linear RGB times coverage, and coverage.
        parts: (h, w) uint8, filled: the part that each ray hit, as in `scene`.
        positions: (h, w, 3) float32, filled: the point it hit, in head axes, cm.
        normals: (h, w, 3) float32, filled: in camera axes.
        depths: (h, w) float64, zeros, filled: distance along the ray, cm.
        misses: (h, w) float64, zeros, filled: by how much the ray missed the surface, pixels.
        work: (4, SLOTS) float64, scratch memory: allocating it here would add half a second of compile time.
        scale: Pixels per centimeter at the pivot.
        center_x: The pivot in the picture, pixels.
        center_y: The pivot in the picture, pixels.
        distance: From the camera to the pivot, cm.
        pivot: (3,) in head axes.
        rotation: (3, 3) from head axes to camera axes.
        light: (12,) from `Light.numbers`.
        head: (1,) of `anatomy.HEAD`.
    """
    P = head[0]
    R = rotation
    height, width = picture.shape[0], picture.shape[1]
    pixel = 1.0 / scale
    ox, oy, oz = R[2, 0] * distance + pivot[0], R[2, 1] * distance + pivot[1], R[2, 2] * distance + pivot[2]
    lamp = (
        R[0, 0] * light[0] + R[1, 0] * light[1] + R[2, 0] * light[2],
        R[0, 1] * light[0] + R[1, 1] * light[1] + R[2, 1] * light[2],
        R[0, 2] * light[0] + R[1, 2] * light[1] + R[2, 2] * light[2],
    )
    up = (R[1, 0], R[1, 1], R[1, 2])
    C, N, first, second = work[0], work[1], work[2], work[3]
    rows, columns = (height + BLOCK - 1) // BLOCK, (width + BLOCK - 1) // BLOCK
    reach = 0.75 * BLOCK * pixel
    for block in range(rows * columns):
        top, left = (block // columns) * BLOCK, (block % columns) * BLOCK
        dx, dy, dz = _ray(left + 0.5 * BLOCK - 0.5, top + 0.5 * BLOCK - 0.5, center_x, center_y, pixel, distance, R)
        start, met = distance - NEAR, False
        for _ in range(STEPS):
            away, _ = nearest(ox + dx * start, oy + dy * start, oz + dz * start, P, WITH_HAIR)
            if away < 1.6 * reach:
                met = True
                break
            start += STEP_FRACTION * (away - reach)
            if start > distance + BEYOND:
                break
        else:
            met = True
        if not met:
            continue
        start -= 0.4 * reach
        for j in range(top, min(top + BLOCK, height)):
            for i in range(left, min(left + BLOCK, width)):
                dx, dy, dz = _ray(float(i), float(j), center_x, center_y, pixel, distance, R)
                t, part, missed = _march(ox, oy, oz, dx, dy, dz, start, pixel, STEP_FRACTION, P, WITH_HAIR)
                if part != NOTHING:
                    depths[j, i], parts[j, i], misses[j, i] = t, part, missed
    # An isolated miss between hits is nearly always a ray that stepped past a grazed surface: march it again in small
    # steps.
    for j in range(1, height - 1):
        for i in range(1, width - 1):
            if parts[j, i] == NOTHING and (
                (parts[j, i - 1] != NOTHING and parts[j, i + 1] != NOTHING)
                or (parts[j - 1, i] != NOTHING and parts[j + 1, i] != NOTHING)
            ):
                dx, dy, dz = _ray(float(i), float(j), center_x, center_y, pixel, distance, R)
                start = min(max(depths[j, i - 1], depths[j, i + 1]), max(depths[j - 1, i], depths[j + 1, i]))
                start = max(distance - NEAR, start - 6.0)
                t, part, missed = _march(ox, oy, oz, dx, dy, dz, start, pixel, FINE_STEP_FRACTION, P, WITH_HAIR)
                if part != NOTHING:
                    depths[j, i], parts[j, i], misses[j, i] = t, part, missed
    max_step = 2.5 * pixel
    for j in range(height):
        for i in range(width):
            part = np.int64(parts[j, i])
            if part == NOTHING:
                continue
            dx, dy, dz = _ray(float(i), float(j), center_x, center_y, pixel, distance, R)
            t, missed = depths[j, i], misses[j, i]
            x, y, z = ox + dx * t, oy + dy * t, oz + dz * t
            # The normal comes from the neighbors' depths where they lie on the same surface, else from the field.
            known = False
            if 0 < i < width - 1 and 0 < j < height - 1 and part != EYE and missed == 0.0:
                across, one = _slope(depths[j, i - 1], t, depths[j, i + 1], max_step)
                down, two = _slope(depths[j - 1, i], t, depths[j + 1, i], max_step)
                if one and two:
                    known = True
                    # In camera axes, y up.
                    size = pixel * t / distance
                    for k in range(3):
                        N[k] = across / size * R[0, k] - down / size * R[1, k] + R[2, k]
            if not known:
                _field_normal(x, y, z, part, pixel, P, N)
            _shade(x, y, z, dx, dy, dz, part, pixel, up, lamp, light, P, C, N, first)
            # A ray that misses by less than half a pixel counts as partial coverage.
            cover = 1.0 if missed == 0.0 else 0.5 - missed
            nx, ny, nz = N[0], N[1], N[2]
            if part == HAIR:
                # At the edge of the hair, what lies behind shows between the strands.
                edge = -(nx * dx + ny * dy + nz * dz)
                strand = ripple(60.0 * azimuth(x, z) + P.texture, 0.6 * y)
                share = smooth(0.0, 0.30 + 0.45 * strand, edge + 0.08)
                if share < 0.97:
                    t, behind, missed = _march(ox, oy, oz, dx, dy, dz, t, pixel, STEP_FRACTION, P, WITHOUT_HAIR)
                    cover *= share
                    if behind != NOTHING:
                        bx, by, bz = ox + dx * t, oy + dy * t, oz + dz * t
                        _field_normal(bx, by, bz, behind, pixel, P, N)
                        _shade(bx, by, bz, dx, dy, dz, behind, pixel, up, lamp, light, P, C, N, second)
                        rest = (1.0 - cover) * (1.0 if missed == 0.0 else 0.5 - missed)
                        for k in range(3):
                            first[k] = (cover * first[k] + rest * second[k]) / (cover + rest)
                        cover += rest
            for k in range(3):
                picture[j, i, k] = first[k] * cover
                normals[j, i, k] = R[k, 0] * nx + R[k, 1] * ny + R[k, 2] * nz
            picture[j, i, 3] = cover
            positions[j, i, 0], positions[j, i, 1], positions[j, i, 2] = x, y, z
