"""Undoing a blur whose strength is known, as somebody would who reads how it was made."""

import cv2
import numpy as np
from skimage.restoration import wiener

from facade.anonymize.blur_faces import cells_in, strength
from facade.anonymize.gaussian import gaussian
from facade.anonymize.region import Region, blend, region, shrunk
from facade.dataset import Face
from facade.params import Blur

# A Gaussian reaches this many standard deviations; beyond lies 0.3 % of it.
REACH = 3.0
# How much smoothness is preferred to sharpness (scikit-image's `balance`). Of 266 faces of WIDER FACE blurred with 4 %
# of the diagonal, a recognition network knows 8 % as they are; 35 % after this, 29 % with .01 and 15 % with .0001.
# Richardson and Lucy's iterations reach 17 % in ten times the time.
BALANCE = 1e-3
# A face is looked at so many pixels high at the most: what recognition networks see is no larger.
HIGHEST = 96.0
# A kernel narrower than this, in pixels, leaves nothing to undo.
NARROWEST = 0.3


def undone(image: np.ndarray, file: str, faces: tuple[Face, ...], params: Blur) -> np.ndarray | None:
    """A photograph with the treatment of its faces undone as far as that goes.

    Gaussian: outside the treated place the blur is put on, too, so that one kernel holds everywhere; then Wiener's
    filter with that kernel. Pixelate: a smooth surface through the cells. What is blanked cannot be undone.

    Args:
        image: The treated photograph, (H, W, 3) uint8, BGR.
        file: Name of the photograph.
        faces: Those to undo.
        params: How they were treated.

    Returns:
        (H, W, 3) uint8, or None where the method leaves nothing to undo.
    """
    if params.method == "solid":
        return None
    restored = image.copy()
    for face in faces:
        area = region(face.bbox, image.shape, params.widen, params.feather, params.shape == "ellipse", face.cut)
        if params.method == "gaussian":
            patch = _deblurred(image, area, face.bbox[3], strength(face, file, params))
        else:
            patch = _smooth(image[area.rows, area.columns], params.cells)
        blend(restored, area, patch)
    return restored


def _deblurred(image: np.ndarray, area: Region, height: float, sigma: float) -> np.ndarray:
    """What lay in a blurred area, (h, w, 3) float32, 0 to 255."""
    margin = int(np.ceil(REACH * sigma))
    rows = slice(max(area.rows.start - margin, 0), min(area.rows.stop + margin, image.shape[0]))
    columns = slice(max(area.columns.start - margin, 0), min(area.columns.stop + margin, image.shape[1]))
    weight = np.zeros(image.shape[:2], np.float32)
    weight[area.rows, area.columns] = area.weight
    weight = weight[rows, columns, None]
    again = gaussian(image, rows, columns, sigma)
    everywhere = image[rows, columns] * weight + again * (1 - weight)
    factor = min(1.0, HIGHEST / height)
    small, narrow = shrunk(everywhere.astype(np.float32), factor) / 255, sigma * factor
    if narrow > NARROWEST:
        small = _wiener(small, narrow)
    large = cv2.resize(small, (everywhere.shape[1], everywhere.shape[0]), interpolation=cv2.INTER_LINEAR)
    top, left = area.rows.start - rows.start, area.columns.start - columns.start
    shape = area.weight.shape
    return np.clip(255 * large[top : top + shape[0], left : left + shape[1]], 0, 255)


def _wiener(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Each channel of a picture, (h, w, 3) float32, with a Gaussian undone."""
    reach = int(np.ceil(REACH * sigma))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    # The filter takes the picture for one that repeats itself: what lies beyond its border must not jump.
    padded = cv2.copyMakeBorder(picture, len(line), len(line), len(line), len(line), cv2.BORDER_REFLECT)
    channels = [wiener(padded[..., one].astype(float), kernel, BALANCE, clip=False) for one in range(3)]
    kept = slice(len(line), -len(line))
    return np.stack(channels, -1)[kept, kept].astype(np.float32)


def _smooth(part: np.ndarray, cells: int) -> np.ndarray:
    """A mosaic as a smooth surface through the middles of its cells."""
    return cv2.resize(cells_in(part, cells), part.shape[1::-1], interpolation=cv2.INTER_CUBIC)
