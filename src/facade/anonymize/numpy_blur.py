"""Gaussian blur of a face in numpy: the same pixels, bit for bit, as the compiled `facade.anonymize.gaussian_blur`.

Importing numba and loading its compiled code takes most of a second and 130 MiB, and compiling takes several seconds
once for each installation. A few faces are blurred sooner without it. Each step below does the same operations in
float32, in the same order, as the function of the same name there.
"""

import math
from functools import lru_cache

import numpy as np

from facade.anonymize.region import TINY, RegionGeometry

# As in `facade.anonymize.gaussian_blur`, which must not be imported here.
SIGMAS_PER_CELL = 1.75
REACH = 3.2
_HALF = np.float32(0.5)


def blur_face(image: np.ndarray, geometry: RegionGeometry, sigma: float) -> None:
    """Blur a face in its photograph, in place, as `facade.anonymize.gaussian_blur.blur_face` does.

    Args:
        image: (H, W, 3) uint8.
        geometry: The region to treat.
        sigma: Standard deviation in pixels, at least 1.
    """
    at = geometry
    target = image[at.top : at.bottom, at.left : at.right]
    blurred = _blurred_crop(image, at, sigma)
    inside, edge_weight, reached = _weights(at)
    before = target.astype(np.float32)
    treated = before + (blurred - before) * edge_weight[..., None]
    np.copyto(treated, blurred, where=inside[..., None])
    treated += _HALF
    np.copyto(target, treated.astype(np.uint8), where=reached[..., None])


def _weights(at: RegionGeometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a region is fully inside (bool), its soft edge (float32), and which pixels may change (bool); (h, w)."""
    (middle_x, middle_y), (half_w, half_h) = at.middle, at.half
    width = at.right - at.left
    columns = np.arange(width)
    down = np.abs(at.top + np.arange(at.bottom - at.top) + 0.5 - middle_y)[:, None]
    across = np.abs(at.left + columns + 0.5 - middle_x)[None]
    if at.ellipse:
        farthest = 1 + at.soft / min(half_w, half_h)
        height = (down / half_h) * (down / half_h)
        reached = _in_columns(half_w, farthest * farthest - height, at)
        inside = _in_columns(half_w, 1 - height, at)
        by_w, by_h = np.float32(1 / half_w), np.float32(1 / half_h)
        wide, high = across.astype(np.float32) * by_w, down.astype(np.float32) * by_h
        squared = wide * wide + high * high
        slope = wide * by_w * wide * by_w + high * by_h * high * by_h
        outside = (squared - np.sqrt(squared)) / np.sqrt(np.maximum(slope, TINY))
    else:
        reached = np.ones((len(down), width), bool)
        inside = _in_columns(half_w, np.where(down <= half_h, 1.0, -1.0), at)
        outside = np.maximum(across - half_w, down - half_h).astype(np.float32)
    ramp = np.clip(1 - outside * np.float32(1 / at.soft), 0, 1)
    return inside, ramp * ramp * (3 - 2 * ramp), reached


def _in_columns(half_w: float, level: np.ndarray, at: RegionGeometry) -> np.ndarray:
    """Pixels whose distance to the center in a row is at most half the width times sqrt(level), (h, w) bool."""
    reach = half_w * np.sqrt(np.maximum(level, 0))
    first = np.ceil(at.middle[0] - reach - 0.5) - at.left
    last = np.floor(at.middle[0] + reach - 0.5) - at.left
    columns = np.arange(at.right - at.left)[None]
    return (level >= 0) & (columns >= first) & (columns <= last)


def _blurred_crop(image: np.ndarray, at: RegionGeometry, sigma: float) -> np.ndarray:
    """The region of the blurred picture, (h, w, 3) float32."""
    rows, step = _rows_of_cells(image, at, sigma)
    height = at.bottom - at.top
    if step == 1:
        return rows[1 : 1 + height]  # every pixel is a cell
    # Repeat each row of cells for all its pixels; four neighboring cells make a pixel.
    repeated = np.repeat(rows, step, axis=0)
    return _interpolate(
        [repeated[cell * step : cell * step + height] for cell in range(4)],
        _spline_weights(step)[:, np.arange(height) % step, None, None],
    )


def _rows_of_cells(image: np.ndarray, at: RegionGeometry, sigma: float) -> tuple[np.ndarray, int]:
    """The blurred picture, coarse in rows and fine in columns, (n, w, 3) float32, and the spacing of the rows."""
    step = max(int(sigma / SIGMAS_PER_CELL), 1)
    narrower = sigma
    if step > 1:
        odd = step + 1 - step % 2
        gathering = (step**2 - 1) / 6 + (odd**2 - 1) / 12
        narrower = math.sqrt(sigma * sigma - gathering - step**2 / 3) / step
    reach = math.ceil(REACH * narrower)
    kernel = _gaussian_kernel(narrower, reach)
    width = at.right - at.left
    down, across = (at.bottom - at.top - 1) // step + 4, (width - 1) // step + 4
    cells = _gather_cells(
        image, at.top - (reach + 1) * step, at.left - (reach + 1) * step, down + 2 * reach, across + 2 * reach, step
    )
    in_columns = _convolve(cells, kernel, down)
    if step == 1:
        return _convolve(in_columns[:, 1:].swapaxes(0, 1), kernel, width).swapaxes(0, 1), step
    blurred = _convolve(in_columns.swapaxes(0, 1), kernel, across).swapaxes(0, 1)
    repeated = np.repeat(blurred, step, axis=1)
    rows = _interpolate(
        [repeated[:, cell * step : cell * step + width] for cell in range(4)],
        _spline_weights(step)[:, None, np.arange(width) % step, None],
    )
    return rows, step


def _gather_cells(image: np.ndarray, top: int, left: int, high: int, wide: int, step: int) -> np.ndarray:
    """Cells, (high, wide, 3) float32; the first is centered on the pixel at `top`, `left`."""
    bottommost, rightmost = image.shape[0] - 1, image.shape[1] - 1
    box_kernel = _box_kernel(step)
    reach = len(box_kernel) // 2
    begin, count = left - reach, (wide - 1) * step + len(box_kernel)
    first = min(max(begin, 0), rightmost)
    last = max(min(begin + count - 1, rightmost), first)
    held = np.zeros((high, last + 1 - first, 3), np.float32)
    centers = top + step * np.arange(high)
    whole = np.flatnonzero((centers >= reach) & (centers + reach <= bottommost))
    if len(whole):
        # Cells whose pixels all lie inside the photograph have the same weights.
        start = int(centers[whole[0]]) - reach
        stop = int(centers[whole[-1]]) + reach + 1
        pixels = image[start:stop, first : last + 1].astype(np.float32)
        span = step * (len(whole) - 1) + 1
        taps = [pixels[number : number + span : step] for number in range(len(box_kernel))]
        _add_weighted(held[whole[0] : whole[-1] + 1], taps, box_kernel)
    for row in np.setdiff1d(np.arange(high), whole):
        start, weights = _clip_kernel(int(centers[row]), box_kernel, bottommost)
        pixels = image[start : start + len(weights), first : last + 1].astype(np.float32)
        _add_weighted(held[row], list(pixels), weights)
    pixels = np.pad(held, ((0, 0), (first - begin, count - 1 - (last - begin)), (0, 0)), "edge")
    if step == 1:
        return pixels  # every pixel is a cell
    cells = np.zeros((high, wide, 3), np.float32)
    span = step * (wide - 1) + 1
    for number, weight in enumerate(box_kernel):
        cells += weight * pixels[:, number : number + span : step]
    return cells


def _add_weighted(target: np.ndarray, values: list[np.ndarray], weights: np.ndarray) -> None:
    """Add weighted values two by two, which is the order of the compiled function."""
    for number in range(0, len(weights) - 1, 2):
        target += weights[number] * values[number] + weights[number + 1] * values[number + 1]
    if len(weights) % 2:
        target += weights[-1] * values[len(weights) - 1]


def _convolve(values: np.ndarray, kernel: np.ndarray, count: int) -> np.ndarray:
    """Convolve along the first axis with a symmetric kernel; `count` results."""
    reach = len(kernel) // 2
    into = kernel[reach] * values[reach : reach + count]
    for tap in range(reach):
        far = 2 * reach - tap
        into += kernel[tap] * (values[tap : tap + count] + values[far : far + count])
    return into


def _interpolate(cells: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The sum of four weighted neighbors."""
    summed = weights[0] * cells[0]
    for number in range(1, 4):
        summed += weights[number] * cells[number]
    return summed


def _gaussian_kernel(sigma: float, reach: int) -> np.ndarray:
    """(2 * reach + 1,) float32, of sum 1."""
    offsets = [(tap - reach) / sigma for tap in range(2 * reach + 1)]
    kernel = np.array([math.exp(-0.5 * (offset * offset)) for offset in offsets], np.float32)
    whole = 0.0
    for value in kernel:
        whole += float(value)
    return (kernel.astype(float) / whole).astype(np.float32)


@lru_cache(maxsize=256)
def _box_kernel(step: int) -> np.ndarray:
    """Weights of the pixels of a cell: three box filters in one, float32, an odd number."""
    odd, running = step + 1 - step % 2, 0
    kernel = np.empty(2 * step + odd - 2, np.float32)
    for index in range(len(kernel)):
        running += max(step - abs(index - step + 1), 0) - max(step - abs(index - odd - step + 1), 0)
        kernel[index] = running / (step**2 * odd)
    return kernel


def _clip_kernel(center: int, box_kernel: np.ndarray, highest: int) -> tuple[int, np.ndarray]:
    """First pixel of a cell, and the weights of its pixels. Weights beyond 0 or `highest` go to the border pixel."""
    reach = len(box_kernel) // 2
    start = min(max(center - reach, 0), highest)
    weights = np.zeros(min(max(center + reach, 0), highest) - start + 1, np.float32)
    for tap, weight in enumerate(box_kernel):
        weights[min(max(center + tap - reach, 0), highest) - start] += weight
    return start, weights


@lru_cache(maxsize=256)
def _spline_weights(step: int) -> np.ndarray:
    """Weights of four neighboring cells at each pixel after the second of them, (4, step) float32."""
    past = np.arange(step) / step
    rest = 1 - past
    squares = past * past, rest * rest
    cubes = squares[0] * past, squares[1] * rest
    weights = [
        cubes[1] / 6,
        (4 - 6 * squares[0] + 3 * cubes[0]) / 6,
        (4 - 6 * squares[1] + 3 * cubes[1]) / 6,
        cubes[0] / 6,
    ]
    return np.array(weights).astype(np.float32)
