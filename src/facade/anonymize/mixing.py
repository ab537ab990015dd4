"""The inner loop of the blur, compiled: a blurred part is mixed into its photograph by the soft edge of a face."""

import numba
import numpy as np

from facade.anonymize.region import TINY, Shape

_HALF = np.float32(0.5)


def mix(image: np.ndarray, own: Shape, part: np.ndarray) -> None:
    """Mix a part into a photograph, in place, by the weights of `facade.anonymize.region.region`.

    Args:
        image: (H, W, 3) uint8, C-contiguous.
        own: Where the face is treated.
        part: (h, w, 3) float32, 0 to 255, as large as what may change; C-contiguous.
    """
    _mix(
        image.reshape(len(image), -1), part.reshape(len(part), -1), own.top, own.left, *own.middle, *own.half, own.soft,
        own.ellipse,
    )  # fmt: skip


@numba.njit(error_model="numpy", cache=True, nogil=True)
def _mix(image, part, top, left, middle_x, middle_y, half_w, half_h, soft, ellipse):  # type: ignore[no-untyped-def]
    columns = part.shape[1] // 3
    for row in range(part.shape[0]):
        down = abs(top + row + 0.5 - middle_y)
        # From the first to the last column that lie wholly inside, nothing of the photograph is left.
        if ellipse:
            level = 1 - (down / half_h) ** 2
            reach = half_w * np.sqrt(level) if level > 0 else -1.0
        else:
            reach = half_w if down <= half_h else -1.0
        first, last = columns, columns
        if reach >= 0:
            first = min(max(int(np.ceil(middle_x - reach - 0.5)) - left, 0), columns)
            last = max(min(int(np.floor(middle_x + reach - 0.5)) - left + 1, columns), first)
        source, target = part[row], image[top + row, 3 * left : 3 * (left + columns)]
        inside, into = source[3 * first : 3 * last], target[3 * first : 3 * last]
        for number in range(len(into)):
            into[number] = np.uint8(inside[number] + _HALF)
        for begin, end in ((0, first), (last, columns)):
            for column in range(begin, end):
                across = abs(left + column + 0.5 - middle_x)
                if ellipse:
                    squared = (across / half_w) ** 2 + (down / half_h) ** 2
                    slope = (across / half_w**2) ** 2 + (down / half_h**2) ** 2
                    outside = (squared - np.sqrt(squared)) / np.sqrt(max(slope, TINY))
                else:
                    outside = max(across - half_w, down - half_h)
                if outside < soft:
                    ramp = min(max(1 - outside / soft, 0.0), 1.0)
                    weight = np.float32(ramp * ramp * (3 - 2 * ramp))
                    for place in range(3 * column, 3 * column + 3):
                        was = np.float32(target[place])
                        target[place] = np.uint8(was + (source[place] - was) * weight + _HALF)
