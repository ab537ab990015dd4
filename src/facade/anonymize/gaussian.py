"""A Gaussian blur of a face in its photograph, compiled.

What a wide blur leaves has no detail to lose, so most of the work is done on cells of several pixels. A cell gathers
its pixels by three running means, one after the other; cells are blurred; and the picture between them is their cubic
B-spline (Unser 1999, IEEE Signal Processing Magazine 16(6)). All blur a little, everywhere alike: their variances are
taken off the Gaussian's.
"""

import math

import numba
import numpy as np

from facade.anonymize.region import TINY, Shape

# Cells are so many times smaller than the standard deviation, at the least.
GRAIN = 1.75
# The Gaussian of the cells reaches so many standard deviations: beyond lies 0.14 % of it.
REACH = 3.2
_HALF = np.float32(0.5)
# All functions that are compiled stand here: numba looks for changes in no other file when it takes what it has kept.
_compiled = numba.njit(error_model="numpy", cache=True, nogil=True)
# Called by compiled code alone: no wrapper for Python is compiled.
_inner = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def blur_face(image: np.ndarray, own: Shape, sigma: float) -> None:
    """Blur a face in its photograph, in place, by the weights of `facade.anonymize.region.region`.

    Args:
        image: (H, W, 3) uint8, C-contiguous.
        own: Where the face is treated.
        sigma: Standard deviation in pixels, at least 1.
    """
    flat = image.reshape(len(image), -1)
    _mix(flat, own.top, own.bottom, own.left, own.right, *own.middle, *own.half, own.soft, own.ellipse, float(sigma))


def gaussian(image: np.ndarray, rows: slice, columns: slice, sigma: float) -> np.ndarray:
    """Part of a photograph, blurred as if all of it were.

    Args:
        image: (H, W, 3) uint8, C-contiguous.
        rows: The part's rows.
        columns: The part's columns.
        sigma: Standard deviation in pixels, at least 1. 0.1 times the diagonal of the face box is what Yang et al.
            used for ImageNet (arXiv 2103.06191, section 3).

    Returns:
        (h, w, 3) uint8, as large as the part.
    """
    flat = image.reshape(len(image), -1)
    drawn = _drawn(flat, rows.start, rows.stop, columns.start, columns.stop, float(sigma))
    return np.rint(drawn.reshape(len(drawn), -1, 3)).astype(np.uint8)


@_compiled
def _mix(image, top, bottom, left, right, middle_x, middle_y, half_w, half_h, soft, ellipse, sigma):  # type: ignore[no-untyped-def]
    rows, step = _rows_of_cells(image, top, bottom, left, right, sigma)
    blurred, edge = np.empty(3 * (right - left), np.float32), np.empty(right - left, np.float32)
    # Beyond this level of its function, a pixel lies farther from the ellipse than its edge is wide.
    farthest = (1 + soft / min(half_w, half_h)) ** 2
    # What the soft edge is told from: multiplied, as dividing takes several times as long, and in float32.
    by_w, by_h, by_soft = np.float32(1 / half_w), np.float32(1 / half_h), np.float32(1 / soft)
    one, two, three = np.float32(1), np.float32(2), np.float32(3)
    for row in range(bottom - top):
        down = abs(top + row + 0.5 - middle_y)
        # From `first` to `last` a column lies wholly inside; from `begin` to `end`, perhaps in the soft edge.
        begin, end = 0, right - left
        if ellipse:
            begin, end = _within(half_w, farthest - (down / half_h) ** 2, middle_x, left, right)
            first, last = _within(half_w, 1 - (down / half_h) ** 2, middle_x, left, right)
        else:
            first, last = _within(half_w, 1.0 if down <= half_h else -1.0, middle_x, left, right)
        _draw_row(rows, step, row, 3 * begin, 3 * end, blurred)
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
                for place in range(3 * column, 3 * column + 3):
                    was = np.float32(target[place])
                    target[place] = np.uint8(was + (blurred[place] - was) * edge[column] + _HALF)


@_inner
def _within(half_w, level, middle_x, left, right):  # type: ignore[no-untyped-def]
    """The columns, counted from `left`, no farther from the middle than half the width times the level's root."""
    if level < 0:
        return right - left, right - left
    reach = half_w * np.sqrt(level)
    first = min(max(int(np.ceil(middle_x - reach - 0.5)) - left, 0), right - left)
    return first, max(min(int(np.floor(middle_x + reach - 0.5)) - left + 1, right - left), first)


@_compiled
def _drawn(image, top, bottom, left, right, sigma):  # type: ignore[no-untyped-def]
    rows, step = _rows_of_cells(image, top, bottom, left, right, sigma)
    drawn = np.empty((bottom - top, rows.shape[1]), np.float32)
    for row in range(len(drawn)):
        _draw_row(rows, step, row, 0, rows.shape[1], drawn[row])
    return drawn


@_inner
def _rows_of_cells(image, top, bottom, left, right, sigma):  # type: ignore[no-untyped-def]
    """The blurred picture, coarse in rows and fine in columns; beyond the border, its pixels go on for ever.

    Args:
        image: (H, W * 3) uint8.
        top: The part's first row.
        bottom: The row behind its last.
        left: Its first column.
        right: The column behind its last.
        sigma: Standard deviation, pixels, at least 1.

    Returns:
        Rows, (n, (right - left) * 3) float32, 0 to 255, and how many pixels lie between two. The second one is that of
        the row `top`.
    """
    step = max(int(sigma / GRAIN), 1)
    narrower = sigma
    if step > 1:
        # In pixels: a running mean's variance is (width² - 1) / 12, the spline's a third of a cell's square.
        odd = step + 1 - step % 2
        gathering = (step**2 - 1) / 6 + (odd**2 - 1) / 12
        narrower = math.sqrt(sigma**2 - gathering - step**2 / 3) / step
    reach = math.ceil(REACH * narrower)
    line, whole = np.empty(2 * reach + 1, np.float32), 0.0
    for tap in range(len(line)):
        line[tap] = math.exp(-0.5 * ((tap - reach) / narrower) ** 2)
        whole += line[tap]
    for tap in range(len(line)):
        line[tap] /= whole
    # The spline looks at a cell before, and two behind.
    down, across = (bottom - top - 1) // step + 4, (right - left - 1) // step + 4
    cells = _gathered(
        image, top - (reach + 1) * step, left - (reach + 1) * step, down + 2 * reach, across + 2 * reach, step
    )
    width = 3 * (across + 2 * reach)
    in_columns = np.empty((down, width), np.float32)
    for row in range(down):
        _convolve(cells, row * width, width, line, in_columns[row])
    splines = np.empty((4, 3 * (right - left)), np.float32)
    for column in range(right - left):
        for place in range(3 * column, 3 * column + 3):
            splines[0, place], splines[1, place], splines[2, place], splines[3, place] = _spline(column % step, step)
    repeated = np.empty(3 * step * across, np.float32)
    blurred = np.empty(3 * across, np.float32)
    rows = np.empty((down, 3 * (right - left)), np.float32)
    for row in range(down):
        if step == 1:
            _convolve(in_columns[row], 3, 3, line, rows[row])  # nothing is drawn between cells
            continue
        _convolve(in_columns[row], 0, 3, line, blurred)
        _draw_columns(blurred, splines, step, repeated, rows[row])
    return rows, step


@_inner
def _gathered(image, top, left, high, wide, step):  # type: ignore[no-untyped-def]
    """Cells, (high * wide * 3) float32, row by row; the first one's middle is the pixel at `top` and `left`."""
    rightmost = image.shape[1] // 3 - 1
    shares = _means(step)
    # A row of pixels, as long as the cells reach; from `first` to `last` they are the photograph's.
    begin, count = left - len(shares) // 2, (wide - 1) * step + len(shares)
    pixels = np.empty(3 * count, np.float32)
    first = min(max(begin, 0), rightmost)
    last = max(min(begin + count - 1, rightmost), first)
    held = pixels[3 * (first - begin) : 3 * (last + 1 - begin)]
    cells = np.empty(high * wide * 3, np.float32)
    for row in range(high):
        for place in range(len(held)):
            held[place] = 0
        start, weights = _within_picture(top + row * step, shares, len(image) - 1)
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
        for place in range(3 * (first - begin)):
            pixels[place] = pixels[3 * (first - begin) + place % 3]
        for place in range(3 * (last + 1 - begin), 3 * count):
            pixels[place] = pixels[3 * (last - begin) + place % 3]
        into = cells[3 * row * wide : 3 * (row + 1) * wide]
        if step == 1:
            for place in range(len(into)):
                into[place] = pixels[place]  # each is a cell
            continue
        for column in range(wide):
            blue, green, red = np.float32(0), np.float32(0), np.float32(0)
            for number in range(len(shares)):
                place = 3 * (column * step + number)
                blue += shares[number] * pixels[place]
                green += shares[number] * pixels[place + 1]
                red += shares[number] * pixels[place + 2]
            into[3 * column], into[3 * column + 1], into[3 * column + 2] = blue, green, red
    return cells


@_inner
def _draw_columns(cells, splines, step, repeated, into):  # type: ignore[no-untyped-def]
    """A row of cells, drawn in full: `into` begins at the second cell. Splines are those of each of its values."""
    # Each cell as wide as its pixels: then all that is multiplied and summed lies in a row.
    for cell in range(len(cells) // 3):
        for column in range(cell * step, (cell + 1) * step):
            for place in range(3):
                repeated[3 * column + place] = cells[3 * cell + place]
    one, two, three, four = splines[0], splines[1], splines[2], splines[3]
    first, second, third, fourth = repeated, repeated[3 * step :], repeated[6 * step :], repeated[9 * step :]
    for place in range(len(into)):
        into[place] = (
            one[place] * first[place]
            + two[place] * second[place]
            + three[place] * third[place]
            + four[place] * fourth[place]
        )


@_inner
def _draw_row(rows, step, row, begin, end, into):  # type: ignore[no-untyped-def]
    """Draw a row of the blurred picture from those of `_rows_of_cells`: values from `begin` to `end`, into float32."""
    target, cell = into[begin:end], row // step
    second = rows[cell + 1, begin:end]
    if step == 1:
        for place in range(len(target)):
            target[place] = second[place]  # nothing lies between cells
        return
    first, third, fourth = rows[cell, begin:end], rows[cell + 2, begin:end], rows[cell + 3, begin:end]
    one, two, three, four = _spline(row % step, step)
    for place in range(len(target)):
        target[place] = one * first[place] + two * second[place] + three * third[place] + four * fourth[place]


@_inner
def _means(step):  # type: ignore[no-untyped-def]
    """What the pixels of a cell count for: three running means in one. The third is of odd width, as all are then."""
    odd = step + 1 - step % 2
    shares, running = np.empty(2 * step + odd - 2, np.float32), 0
    for place in range(len(shares)):
        # Two running means are a triangle, 1 to `step` and down again; the third one's window moves along it.
        running += max(step - abs(place - step + 1), 0) - max(step - abs(place - odd - step + 1), 0)
        shares[place] = running / (step**2 * odd)
    return shares


@_inner
def _within_picture(centre, shares, highest):  # type: ignore[no-untyped-def]
    """The shares of a cell's pixels, and the first of them. What lies beyond 0 and the highest counts for those."""
    reach = len(shares) // 2
    if centre >= reach and centre + reach <= highest:
        return centre - reach, shares
    start = min(max(centre - reach, 0), highest)
    weights = np.zeros(min(max(centre + reach, 0), highest) - start + 1, np.float32)
    for tap in range(len(shares)):
        weights[min(max(centre + tap - reach, 0), highest) - start] += shares[tap]
    return start, weights


@_inner
def _spline(phase, step):  # type: ignore[no-untyped-def]
    """What four neighbouring cells count for at a pixel so many behind the second of them, of `step`."""
    past = phase / step
    rest = 1 - past
    return (
        np.float32(rest**3 / 6),
        np.float32((4 - 6 * past**2 + 3 * past**3) / 6),
        np.float32((4 - 6 * rest**2 + 3 * rest**3) / 6),
        np.float32(past**3 / 6),
    )


@_inner
def _add(target, values, share):  # type: ignore[no-untyped-def]
    for place in range(len(target)):
        target[place] += share * np.float32(values[place])


@_inner
def _add_two(target, one, two, share, other):  # type: ignore[no-untyped-def]
    for place in range(len(target)):
        target[place] += share * np.float32(one[place]) + other * np.float32(two[place])


@_inner
def _convolve(values, begin, stride, line, into):  # type: ignore[no-untyped-def]
    """Sums of values a stride apart, from `begin` on, by a symmetric line of weights."""
    reach = len(line) // 2
    middle = values[begin + reach * stride :]
    for place in range(len(into)):
        into[place] = line[reach] * middle[place]
    for tap in range(reach):
        weight = line[tap]
        before, behind = values[begin + tap * stride :], values[begin + (2 * reach - tap) * stride :]
        for place in range(len(into)):
            into[place] += weight * (before[place] + behind[place])
