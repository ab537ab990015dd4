"""Where a face is treated: the widened area round its box, and its soft edge."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from facade.dataset.records import Box, touches_border

# A soft edge of fewer pixels is a hard one.
HARD = 1e-6
# Squared gradients are no smaller: in the middle of an ellipse there is none.
TINY = np.float32(1e-12)


@dataclass(frozen=True)
class Region:
    """The part of a photograph that treating one face may change.

    Attributes:
        rows: Rows of the photograph.
        columns: Columns of the photograph.
        weight: float32, as large as rows and columns: 1 where the face is treated fully, 0 where not at all.
    """

    rows: slice
    columns: slice
    weight: np.ndarray


def widened(bbox: Box, percent: float) -> Box:
    """A box about the same centre, wider and higher by a percentage."""
    x, y, w, h = bbox
    return (x - w * percent / 200, y - h * percent / 200, w * (1 + percent / 100), h * (1 + percent / 100))


def check_box(bbox: Box, shape: tuple[int, ...]) -> None:
    """Refuse a box that no face can have.

    Raises:
        ValueError: The box has no area, holds a value that is not finite, or lies outside the photograph.
    """
    if not all(map(math.isfinite, bbox)) or bbox[2] <= 0 or bbox[3] <= 0:
        raise ValueError(f"a face's box must be finite and have an area, not {bbox}")
    x, y, w, h = bbox
    if x >= shape[1] or y >= shape[0] or x + w <= 0 or y + h <= 0:
        raise ValueError(f"a face's box {bbox} lies outside a photograph of {shape[1]}x{shape[0]} pixels")


def reached(bbox: Box, widen: float, feather: float) -> Box:
    """The box of all that treating a face may change: widened, with its soft edge (see `region`)."""
    x, y, w, h = widened(bbox, widen)
    soft = feather / 100 * diagonal(bbox) + 1
    return (x - soft, y - soft, w + 2 * soft, h + 2 * soft)


def diagonal(bbox: Box) -> float:
    """Diagonal of a box, in pixels."""
    return math.hypot(bbox[2], bbox[3])


@dataclass(frozen=True)
class Shape:
    """Where a face is treated, in numbers; see `region`.

    Attributes:
        top: First row of all that may change.
        bottom: The row behind the last.
        left: First column.
        right: The column behind the last.
        middle: x and y of the middle of the face.
        half: Half the width and half the height of what is treated fully.
        soft: Width of the soft edge outside of it, at least `HARD`.
        ellipse: Whether the ellipse is treated, or all of the box.
    """

    top: int
    bottom: int
    left: int
    right: int
    middle: tuple[float, float]
    half: tuple[float, float]
    soft: float
    ellipse: bool


def shape_of(
    bbox: Box, shape: tuple[int, ...], widen: float, feather: float, ellipse: bool, cut: bool = False
) -> Shape:
    """The region of a face, in numbers; arguments and errors are those of `region`."""
    check_box(bbox, shape)
    ellipse = ellipse and not (cut or touches_border(bbox, shape))
    x, y, w, h = map(float, widened(bbox, widen))
    # At least a pixel of the box is treated however small it is, so the ellipse of a tiny face is never empty.
    half_w, half_h = max(w / 2, 0.75), max(h / 2, 0.75)
    centre_x, centre_y = x + w / 2, y + h / 2
    soft = float(feather / 100 * diagonal(bbox))
    return Shape(
        top=max(math.floor(centre_y - half_h - soft), 0),
        bottom=min(math.ceil(centre_y + half_h + soft), shape[0]),
        left=max(math.floor(centre_x - half_w - soft), 0),
        right=min(math.ceil(centre_x + half_w + soft), shape[1]),
        middle=(centre_x, centre_y),
        half=(half_w, half_h),
        soft=max(soft, HARD),
        ellipse=ellipse,
    )


def region(bbox: Box, shape: tuple[int, ...], widen: float, feather: float, ellipse: bool, cut: bool = False) -> Region:
    """The region of a face.

    An ellipse leaves the corners of the *widened* box, where a face has none of its features. A box that touches the
    border of the photograph is treated to its corners: it is what is left of a larger one, whose middle lay elsewhere.

    Args:
        bbox: The face, x y w h in pixels; may reach over the border.
        shape: Height and width of the photograph, in pixels.
        widen: Percent by which the treated area is wider and higher than the box.
        feather: Width of the soft edge outside the treated area, in percent of the box's diagonal.
        ellipse: True treats the ellipse inscribed in the widened box, False all of it.
        cut: Whether the box is what is left of a larger one, though it does not touch the border.

    Raises:
        ValueError: The box has no area, holds a value that is not finite, or lies outside the photograph.
    """
    own = shape_of(bbox, shape, widen, feather, ellipse, cut)
    (centre_x, centre_y), (half_w, half_h) = own.middle, own.half
    across = np.abs(np.arange(own.left, own.right) + 0.5 - centre_x).astype(np.float32)[None]
    down = np.abs(np.arange(own.top, own.bottom) + 0.5 - centre_y).astype(np.float32)[:, None]
    if own.ellipse:
        # How far outside the ellipse a pixel lies, to first order: the implicit function over its gradient.
        squared = (across / half_w) ** 2 + (down / half_h) ** 2
        slope = (across / half_w**2) ** 2 + (down / half_h**2) ** 2
        # (level - 1) over its slope, which is the root of `slope` by the level, where the level is that of `squared`.
        outside = squared - np.sqrt(squared)
        outside /= np.sqrt(np.maximum(slope, TINY, out=slope), out=slope)
    else:
        outside = np.maximum(across - half_w, down - half_h)
    ramp = np.clip(1 - outside * np.float32(1 / own.soft), 0, 1, out=outside)
    weight = ramp * ramp * (3 - 2 * ramp)
    return Region(slice(own.top, own.bottom), slice(own.left, own.right), weight)


def shrunk(picture: np.ndarray, factor: float) -> np.ndarray:
    """A picture made smaller by a factor up to 1, each pixel the mean of what it covers; one pixel is left at least.

    Args:
        picture: (h, w) or (h, w, C), uint8 or float32; given back as it is where the factor is 1.
        factor: Of both sides.
    """
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def blend(image: np.ndarray, area: Region, treated: np.ndarray) -> None:
    """Put treated pixels into a photograph, in place; pixels of weight 0 keep their bits.

    Args:
        image: (H, W, 3) uint8, changed inside the region.
        area: Where.
        treated: (h, w, 3), as large as the region, 0 to 255.
    """
    if treated.dtype != np.uint8:
        treated = np.clip(np.rint(treated), 0, 255).astype(np.uint8)
    part = image[area.rows, area.columns]
    part[:] = cv2.blendLinear(part, treated, 1 - area.weight, area.weight)
