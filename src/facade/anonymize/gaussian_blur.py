"""Gaussian blur of a face in its photograph, compiled.

A wide blur leaves no fine detail, so most of the work is done on cells of several pixels. Three successive box filters
gather pixels into cells; the cells are blurred; their cubic B-spline gives the pixels between them (Unser 1999, IEEE
Signal Processing Magazine 16(6)). Each of these steps adds a known, uniform blur, whose variance is subtracted from
that of the Gaussian.
"""

import math

import numba
import numpy as np

from facade.anonymize.region import TINY, RegionGeometry

# Cells are at least this many times smaller than the standard deviation.
SIGMAS_PER_CELL = 1.75
# The Gaussian is truncated at this many standard deviations: 0.14 % of it lies beyond.
REACH = 3.2
_HALF = np.float32(0.5)
# All compiled functions are in this file: numba's cache notices no changes in other files.
_compiled = numba.njit(error_model="numpy", cache=True, nogil=True)
# Called by compiled code only: no Python wrapper is compiled.
_inner = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def blur_face(image: np.ndarray, geometry: RegionGeometry, sigma: float) -> None:
    """Blur a face in its photograph, in place, with the weights of `facade.anonymize.region.region`.

    Args:
        image: (H, W, 3) uint8, C-contiguous.
        geometry: The region to treat.
        sigma: Standard deviation in pixels, at least 1.
    """
    flat = image.reshape(len(image), -1)
    at = geometry
    _blend_blur(flat, at.top, at.bottom, at.left, at.right, *at.middle, *at.half, at.soft, at.ellipse, float(sigma))


def gaussian_blur(image: np.ndarray, rows: slice, columns: slice, sigma: float) -> np.ndarray:
    """A crop of a blurred photograph, without blurring all of it.

    Args:
        image: (H, W, 3) uint8, C-contiguous.
        rows: Rows of the crop.
        columns: Columns of the crop.
        sigma: Standard deviation in pixels, at least 1. 0.1 times the diagonal of the face box is what Yang et al.
            used for ImageNet (arXiv 2103.06191, section 3).

    Returns:
        (h, w, 3) uint8, as large as the crop.
    """
    flat = image.reshape(len(image), -1)
    blurred = _blurred_crop(flat, rows.start, rows.stop, columns.start, columns.stop, float(sigma))
    return np.rint(blurred.reshape(len(blurred), -1, 3)).astype(np.uint8)


@_compiled
def _blend_blur(image, top, bottom, left, right, middle_x, middle_y, half_w, half_h, soft, ellipse, sigma):  # type: ignore[no-untyped-def]
    rows, step = _rows_of_cells(image, top, bottom, left, right, sigma)
    blurred, edge = np.empty(3 * (right - left), np.float32), np.empty(right - left, np.float32)
    # Pixels above this level of the implicit function lie beyond the soft edge.
    farthest = (1 + soft / min(half_w, half_h)) ** 2
    # Reciprocals in float32, because division takes several times as long.
    by_w, by_h, by_soft = np.float32(1 / half_w), np.float32(1 / half_h), np.float32(1 / soft)
    one, two, three = np.float32(1), np.float32(2), np.float32(3)
    for row in range(bottom - top):
        down = abs(top + row + 0.5 - middle_y)
        # Columns from `first` to `last` lie fully inside; those from `begin` to `end` may lie in the soft edge.
        begin, end = 0, right - left
        if ellipse:
            begin, end = _column_range(half_w, farthest - (down / half_h) ** 2, middle_x, left, right)
            first, last = _column_range(half_w, 1 - (down / half_h) ** 2, middle_x, left, right)
        else:
            first, last = _column_range(half_w, 1.0 if down <= half_h else -1.0, middle_x, left, right)
        _interpolate_row(rows, step, row, 3 * begin, 3 * end, blurred)
        target = image[top + row, 3 * left : 3 * right]
        inside, into = blurred[3 * first : 3 * last], target[3 * first : 3 * last]
        for number in range(len(into)):
            into[number] = np.uint8(inside[number] + _HALF)
        for start, stop in ((begin, min(first, end)), (max(last, begin), end)):
            for column in range(start, stop):
                across = abs(left + column + 0.5 - middle_x)
                if ellipse:
                    wide, high = np.float32(across) * by_w, np.float32(down) * by_h
                    squared = wide * wide + high * high
                    slope = wide * by_w * wide * by_w + high * by_h * high * by_h
                    outside = (squared - np.sqrt(squared)) / np.sqrt(max(slope, TINY))
                else:
                    outside = np.float32(max(across - half_w, down - half_h))
                ramp = min(max(one - outside * by_soft, np.float32(0)), one)
                edge[column] = ramp * ramp * (three - two * ramp)
            for column in range(start, stop):
                for index in range(3 * column, 3 * column + 3):
                    was = np.float32(target[index])
                    target[index] = np.uint8(was + (blurred[index] - was) * edge[column] + _HALF)


@_inner
def _column_range(half_w, level, middle_x, left, right):  # type: ignore[no-untyped-def]
    """Columns, relative to `left`, whose distance to the center is at most half the width times sqrt(level)."""
    if level < 0:
        return right - left, right - left
    reach = half_w * np.sqrt(level)
    first = min(max(int(np.ceil(middle_x - reach - 0.5)) - left, 0), right - left)
    return first, max(min(int(np.floor(middle_x + reach - 0.5)) - left + 1, right - left), first)


@_compiled
def _blurred_crop(image, top, bottom, left, right, sigma):  # type: ignore[no-untyped-def]
    rows, step = _rows_of_cells(image, top, bottom, left, right, sigma)
    blurred = np.empty((bottom - top, rows.shape[1]), np.float32)
    for row in range(len(blurred)):
        _interpolate_row(rows, step, row, 0, rows.shape[1], blurred[row])
    return blurred


@_inner
def _rows_of_cells(image, top, bottom, left, right, sigma):  # type: ignore[no-untyped-def]
    """The blurred picture, coarse in rows and fine in columns; the image is extended by replicating its border.

    Args:
        image: (H, W * 3) uint8.
        top: First row of the crop.
        bottom: One past its last row.
        left: Its first column.
        right: One past its last column.
        sigma: Standard deviation, pixels, at least 1.

    Returns:
        Rows, (n, (right - left) * 3) float32, 0 to 255, and their spacing in pixels. The second one belongs to the
        image row `top`.
    """
    step = max(int(sigma / SIGMAS_PER_CELL), 1)
    narrower = sigma
    if step > 1:
        # In pixels: the variance of a box filter is (width² - 1) / 12, that of the spline a third of a squared cell.
        odd = step + 1 - step % 2
        gathering = (step**2 - 1) / 6 + (odd**2 - 1) / 12
        narrower = math.sqrt(sigma**2 - gathering - step**2 / 3) / step
    reach = math.ceil(REACH * narrower)
    kernel, whole = np.empty(2 * reach + 1, np.float32), 0.0
    for tap in range(len(kernel)):
        kernel[tap] = math.exp(-0.5 * ((tap - reach) / narrower) ** 2)
        whole += kernel[tap]
    for tap in range(len(kernel)):
        kernel[tap] /= whole
    # The spline needs one cell before and two after.
    down, across = (bottom - top - 1) // step + 4, (right - left - 1) // step + 4
    cells = _gather_cells(
        image, top - (reach + 1) * step, left - (reach + 1) * step, down + 2 * reach, across + 2 * reach, step
    )
    width = 3 * (across + 2 * reach)
    in_columns = np.empty((down, width), np.float32)
    for row in range(down):
        _convolve(cells, row * width, width, kernel, in_columns[row])
    splines = np.empty((4, 3 * (right - left)), np.float32)
    for column in range(right - left):
        for index in range(3 * column, 3 * column + 3):
            one, two, three, four = _spline_weights(column % step, step)
            splines[0, index], splines[1, index], splines[2, index], splines[3, index] = one, two, three, four
    repeated = np.empty(3 * step * across, np.float32)
    blurred = np.empty(3 * across, np.float32)
    rows = np.empty((down, 3 * (right - left)), np.float32)
    for row in range(down):
        if step == 1:
            _convolve(in_columns[row], 3, 3, kernel, rows[row])  # every pixel is a cell
            continue
        _convolve(in_columns[row], 0, 3, kernel, blurred)
        _interpolate_columns(blurred, splines, step, repeated, rows[row])
    return rows, step


@_inner
def _gather_cells(image, top, left, high, wide, step):  # type: ignore[no-untyped-def]
    """Cells, (high * wide * 3) float32, row by row; the first is centered on the pixel at `top`, `left`."""
    rightmost = image.shape[1] // 3 - 1
    box_kernel = _box_kernel(step)
    # A row of pixels as long as the cells extend; those from `first` to `last` are inside the photograph.
    begin, count = left - len(box_kernel) // 2, (wide - 1) * step + len(box_kernel)
    pixels = np.empty(3 * count, np.float32)
    first = min(max(begin, 0), rightmost)
    last = max(min(begin + count - 1, rightmost), first)
    held = pixels[3 * (first - begin) : 3 * (last + 1 - begin)]
    cells = np.empty(high * wide * 3, np.float32)
    for row in range(high):
        for index in range(len(held)):
            held[index] = 0
        start, weights = _clip_kernel(top + row * step, box_kernel, len(image) - 1)
        for number in range(0, len(weights) - 1, 2):
            _add_two(
                held,
                image[start + number, 3 * first : 3 * (last + 1)],
                image[start + number + 1, 3 * first : 3 * (last + 1)],
                weights[number],
                weights[number + 1],
            )
        if len(weights) % 2:
            _add(held, image[start + len(weights) - 1, 3 * first : 3 * (last + 1)], weights[-1])
        for index in range(3 * (first - begin)):
            pixels[index] = pixels[3 * (first - begin) + index % 3]
        for index in range(3 * (last + 1 - begin), 3 * count):
            pixels[index] = pixels[3 * (last - begin) + index % 3]
        into = cells[3 * row * wide : 3 * (row + 1) * wide]
        if step == 1:
            for index in range(len(into)):
                into[index] = pixels[index]  # every pixel is a cell
            continue
        for column in range(wide):
            blue, green, red = np.float32(0), np.float32(0), np.float32(0)
            for number in range(len(box_kernel)):
                index = 3 * (column * step + number)
                blue += box_kernel[number] * pixels[index]
                green += box_kernel[number] * pixels[index + 1]
                red += box_kernel[number] * pixels[index + 2]
            into[3 * column], into[3 * column + 1], into[3 * column + 2] = blue, green, red
    return cells


@_inner
def _interpolate_columns(cells, splines, step, repeated, into):  # type: ignore[no-untyped-def]
    """Interpolate a row of cells: `into` begins at the second cell; `splines` are the weights of each of its values."""
    # Repeat each cell for all its pixels, so that the products and sums run over contiguous memory.
    for cell in range(len(cells) // 3):
        for column in range(cell * step, (cell + 1) * step):
            for index in range(3):
                repeated[3 * column + index] = cells[3 * cell + index]
    one, two, three, four = splines[0], splines[1], splines[2], splines[3]
    first, second, third, fourth = repeated, repeated[3 * step :], repeated[6 * step :], repeated[9 * step :]
    for index in range(len(into)):
        into[index] = (
            one[index] * first[index]
            + two[index] * second[index]
            + three[index] * third[index]
            + four[index] * fourth[index]
        )


@_inner
def _interpolate_row(rows, step, row, begin, end, into):  # type: ignore[no-untyped-def]
    """Interpolate a row of the blurred picture from those of `_rows_of_cells`: values `begin` to `end`, float32."""
    target, cell = into[begin:end], row // step
    second = rows[cell + 1, begin:end]
    if step == 1:
        for index in range(len(target)):
            target[index] = second[index]  # every pixel is a cell
        return
    first, third, fourth = rows[cell, begin:end], rows[cell + 2, begin:end], rows[cell + 3, begin:end]
    one, two, three, four = _spline_weights(row % step, step)
    for index in range(len(target)):
        target[index] = one * first[index] + two * second[index] + three * third[index] + four * fourth[index]


@_inner
def _box_kernel(step):  # type: ignore[no-untyped-def]
    """Weights of the pixels of a cell: three box filters in one. The third has odd width, which makes the sum odd."""
    odd = step + 1 - step % 2
    box_kernel, running = np.empty(2 * step + odd - 2, np.float32), 0
    for index in range(len(box_kernel)):
        # Two box filters make a triangle, 1 to `step` and down again; the third one slides along it.
        running += max(step - abs(index - step + 1), 0) - max(step - abs(index - odd - step + 1), 0)
        box_kernel[index] = running / (step**2 * odd)
    return box_kernel


@_inner
def _clip_kernel(center, box_kernel, highest):  # type: ignore[no-untyped-def]
    """First pixel of a cell, and the weights of its pixels. Weights beyond 0 or `highest` go to the border pixel."""
    reach = len(box_kernel) // 2
    if center >= reach and center + reach <= highest:
        return center - reach, box_kernel
    start = min(max(center - reach, 0), highest)
    weights = np.zeros(min(max(center + reach, 0), highest) - start + 1, np.float32)
    for tap in range(len(box_kernel)):
        weights[min(max(center + tap - reach, 0), highest) - start] += box_kernel[tap]
    return start, weights


@_inner
def _spline_weights(phase, step):  # type: ignore[no-untyped-def]
    """Weights of four neighboring cells at a pixel `phase` of `step` pixels after the second of them."""
    past = phase / step
    rest = 1 - past
    return (
        np.float32(rest**3 / 6),
        np.float32((4 - 6 * past**2 + 3 * past**3) / 6),
        np.float32((4 - 6 * rest**2 + 3 * rest**3) / 6),
        np.float32(past**3 / 6),
    )


@_inner
def _add(target, values, weight):  # type: ignore[no-untyped-def]
    for index in range(len(target)):
        target[index] += weight * np.float32(values[index])


@_inner
def _add_two(target, one, two, weight, other_weight):  # type: ignore[no-untyped-def]
    for index in range(len(target)):
        target[index] += weight * np.float32(one[index]) + other_weight * np.float32(two[index])


@_inner
def _convolve(values, begin, stride, kernel, into):  # type: ignore[no-untyped-def]
    """Convolve values a stride apart, from `begin` on, with a symmetric kernel."""
    reach = len(kernel) // 2
    middle = values[begin + reach * stride :]
    for index in range(len(into)):
        into[index] = kernel[reach] * middle[index]
    for tap in range(reach):
        weight = kernel[tap]
        before, behind = values[begin + tap * stride :], values[begin + (2 * reach - tap) * stride :]
        for index in range(len(into)):
            into[index] += weight * (before[index] + behind[index])
