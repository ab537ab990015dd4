"""The treated region of a face: the widened area around its box, and its soft edge."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from facade.dataset.records import Box, touches_border

# Minimum width of the soft edge, pixels; in effect a hard edge.
MIN_SOFT = 1e-6
# Lower bound of squared gradients: at the center of an ellipse the gradient is zero.
TINY = np.float32(1e-12)


@dataclass(frozen=True)
class Region:
    """The part of a photograph that treating one face may change.

    Attributes:
        rows: Rows of the photograph.
        columns: Columns of the photograph.
        weight: float32, as large as rows and columns: 1 where the treatment applies fully, 0 where not at all.
    """

    rows: slice
    columns: slice
    weight: np.ndarray


def widen_box(bbox: Box, percent: float) -> Box:
    """A box with the same center, wider and higher by a percentage."""
    x, y, w, h = bbox
    return (x - w * percent / 200, y - h * percent / 200, w * (1 + percent / 100), h * (1 + percent / 100))


def check_box(bbox: Box, shape: tuple[int, ...]) -> None:
    """Reject an invalid face box.

    Raises:
        ValueError: The box has no area, holds a value that is not finite, or lies outside the photograph.
    """
    if not all(map(math.isfinite, bbox)) or bbox[2] <= 0 or bbox[3] <= 0:
        raise ValueError(f"a face's box must be finite and have an area, not {bbox}")
    x, y, w, h = bbox
    if x >= shape[1] or y >= shape[0] or x + w <= 0 or y + h <= 0:
        raise ValueError(f"a face's box {bbox} lies outside a photograph of {shape[1]}x{shape[0]} pixels")


def affected_box(bbox: Box, widen: float, feather: float) -> Box:
    """Bounding box of all pixels that treating a face may change: widened, plus the soft edge (see `region`)."""
    x, y, w, h = widen_box(bbox, widen)
    soft = feather / 100 * diagonal(bbox) + 1
    return (x - soft, y - soft, w + 2 * soft, h + 2 * soft)


def diagonal(bbox: Box) -> float:
    """Diagonal of a box, in pixels."""
    return math.hypot(bbox[2], bbox[3])


@dataclass(frozen=True)
class RegionGeometry:
    """Parameters of a region; see `region`.

    Attributes:
        top: First row that may change.
        bottom: One past the last row.
        left: First column.
        right: One past the last column.
        middle: x and y of the center of the face.
        half: Half the width and half the height of the fully treated area.
        soft: Width of the soft edge outside of it, at least `MIN_SOFT`.
        ellipse: Whether only the inscribed ellipse is treated, or the whole box.
    """

    top: int
    bottom: int
    left: int
    right: int
    middle: tuple[float, float]
    half: tuple[float, float]
    soft: float
    ellipse: bool


def region_geometry(
    bbox: Box, shape: tuple[int, ...], widen: float, feather: float, ellipse: bool, cut: bool = False
) -> RegionGeometry:
    """The parameters of a face's region; arguments and errors are those of `region`."""
    check_box(bbox, shape)
    ellipse = ellipse and not (cut or touches_border(bbox, shape))
    x, y, w, h = map(float, widen_box(bbox, widen))
    # At least one pixel is treated, so that the ellipse of a tiny face is never empty.
    half_w, half_h = max(w / 2, 0.75), max(h / 2, 0.75)
    center_x, center_y = x + w / 2, y + h / 2
    soft = float(feather / 100 * diagonal(bbox))
    return RegionGeometry(
        top=max(math.floor(center_y - half_h - soft), 0),
        bottom=min(math.ceil(center_y + half_h + soft), shape[0]),
        left=max(math.floor(center_x - half_w - soft), 0),
        right=min(math.ceil(center_x + half_w + soft), shape[1]),
        middle=(center_x, center_y),
        half=(half_w, half_h),
        soft=max(soft, MIN_SOFT),
        ellipse=ellipse,
    )


def region(bbox: Box, shape: tuple[int, ...], widen: float, feather: float, ellipse: bool, cut: bool = False) -> Region:
    """The region of a face.

    An ellipse leaves out the corners of the *widened* box, which contain no facial features. A box that touches the
    border of the photograph is treated to its corners: it is the visible part of a larger box with another center.

    Args:
        bbox: The face, x y w h in pixels; may extend beyond the border.
        shape: Height and width of the photograph, in pixels.
        widen: Percent by which the treated area is wider and higher than the box.
        feather: Width of the soft edge outside the treated area, in percent of the box's diagonal.
        ellipse: True treats the ellipse inscribed in the widened box, False the whole box.
        cut: Whether the box is the visible part of a larger one although it does not touch the border.

    Raises:
        ValueError: The box has no area, holds a value that is not finite, or lies outside the photograph.
    """
    at = region_geometry(bbox, shape, widen, feather, ellipse, cut)
    (center_x, center_y), (half_w, half_h) = at.middle, at.half
    across = np.abs(np.arange(at.left, at.right) + 0.5 - center_x).astype(np.float32)[None]
    down = np.abs(np.arange(at.top, at.bottom) + 0.5 - center_y).astype(np.float32)[:, None]
    if at.ellipse:
        # Distance of a pixel from the ellipse, to first order: the implicit function over its gradient.
        squared = (across / half_w) ** 2 + (down / half_h) ** 2
        slope = (across / half_w**2) ** 2 + (down / half_h**2) ** 2
        # (level - 1) / |gradient|, with level = sqrt(squared) and |gradient| = sqrt(slope) / level.
        outside = squared - np.sqrt(squared)
        outside /= np.sqrt(np.maximum(slope, TINY, out=slope), out=slope)
    else:
        outside = np.maximum(across - half_w, down - half_h)
    ramp = np.clip(1 - outside * np.float32(1 / at.soft), 0, 1, out=outside)
    weight = ramp * ramp * (3 - 2 * ramp)
    return Region(slice(at.top, at.bottom), slice(at.left, at.right), weight)


def downscale(picture: np.ndarray, factor: float) -> np.ndarray:
    """Downscale a picture by area averaging, to at least one pixel.

    Args:
        picture: (h, w) or (h, w, C), uint8 or float32; returned unchanged where the factor is 1 or more.
        factor: Scale of both sides.
    """
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def blend(image: np.ndarray, area: Region, treated: np.ndarray) -> None:
    """Blend treated pixels into a photograph, in place; pixels of weight 0 are bit-identical.

    Args:
        image: (H, W, 3) uint8, changed inside the region.
        area: The region.
        treated: (h, w, 3), as large as the region, 0 to 255.
    """
    if treated.dtype != np.uint8:
        treated = np.clip(np.rint(treated), 0, 255).astype(np.uint8)
    part = image[area.rows, area.columns]
    part[:] = cv2.blendLinear(part, treated, 1 - area.weight, area.weight)
