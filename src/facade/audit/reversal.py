"""Undoing a blur of known strength (non-blind deconvolution), as an attacker who knows the method would."""

import cv2
import numpy as np
from skimage.restoration import wiener

from facade.anonymize.blur_faces import face_sigma, mosaic_cells
from facade.anonymize.gaussian_blur import gaussian_blur
from facade.anonymize.region import Region, blend, downscale, region
from facade.dataset import Face
from facade.params import Blur

# Radius of a Gaussian kernel in standard deviations; 0.3 % of its weight lies beyond.
KERNEL_RADIUS = 3.0
# Regularization of the Wiener filter (scikit-image's `balance`). Of 266 faces of WIDER FACE blurred with 4 % of the
# diagonal, a recognition network links 8 % as they are, 35 % after this filter, 29 % with 0.01 and 15 % with 0.0001.
# Richardson-Lucy deconvolution reaches 17 % in ten times the time.
BALANCE = 1e-3
# Maximum face height for the filter, pixels. The input of recognition networks is no larger.
MAX_HEIGHT = 96.0
# Minimum standard deviation of the kernel, pixels. A narrower blur is not undone.
MIN_SIGMA = 0.3


def undo_blur(image: np.ndarray, file: str, faces: tuple[Face, ...], params: Blur) -> np.ndarray | None:
    """Undo the blur of faces approximately.

    Gaussian: the area outside the treated region is blurred, too, so that one kernel applies everywhere; then a Wiener
    filter deconvolves with this kernel. Pixelate: bicubic interpolation of the cells. Solid fill cannot be undone.

    Args:
        image: The treated photograph, (H, W, 3) uint8, BGR.
        file: Name of the photograph.
        faces: The faces to restore.
        params: Parameters of the blur.

    Returns:
        (H, W, 3) uint8, or None if the method cannot be undone.
    """
    if params.method == "solid":
        return None
    restored = image.copy()
    for face in faces:
        area = region(face.bbox, image.shape, params.widen, params.feather, params.shape == "ellipse", face.cut)
        if params.method == "gaussian":
            patch = _deblurred(image, area, face.bbox[3], face_sigma(face, file, params))
        else:
            patch = _smooth(image[area.rows, area.columns], params.cells)
        blend(restored, area, patch)
    return restored


def _deblurred(image: np.ndarray, area: Region, height: float, sigma: float) -> np.ndarray:
    """Deconvolve a blurred area, (h, w, 3) float32, 0 to 255."""
    margin = int(np.ceil(KERNEL_RADIUS * sigma))
    rows = slice(max(area.rows.start - margin, 0), min(area.rows.stop + margin, image.shape[0]))
    columns = slice(max(area.columns.start - margin, 0), min(area.columns.stop + margin, image.shape[1]))
    weight = np.zeros(image.shape[:2], np.float32)
    weight[area.rows, area.columns] = area.weight
    weight = weight[rows, columns, None]
    again = gaussian_blur(image, rows, columns, sigma)
    everywhere = image[rows, columns] * weight + again * (1 - weight)
    factor = min(1.0, MAX_HEIGHT / height)
    small, narrow = downscale(everywhere.astype(np.float32), factor) / 255, sigma * factor
    if narrow > MIN_SIGMA:
        small = _wiener(small, narrow)
    large = cv2.resize(small, (everywhere.shape[1], everywhere.shape[0]), interpolation=cv2.INTER_LINEAR)
    top, left = area.rows.start - rows.start, area.columns.start - columns.start
    shape = area.weight.shape
    return np.clip(255 * large[top : top + shape[0], left : left + shape[1]], 0, 255)


def _wiener(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Deconvolve each channel of a picture, (h, w, 3) float32, with a Gaussian kernel."""
    radius = int(np.ceil(KERNEL_RADIUS * sigma))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    # The filter assumes periodic boundaries, so the borders are padded by reflection.
    padded = cv2.copyMakeBorder(picture, len(line), len(line), len(line), len(line), cv2.BORDER_REFLECT)
    channels = [wiener(padded[..., one].astype(float), kernel, BALANCE, clip=False) for one in range(3)]
    kept = slice(len(line), -len(line))
    return np.stack(channels, -1)[kept, kept].astype(np.float32)


def _smooth(part: np.ndarray, cells: int) -> np.ndarray:
    """Interpolate a mosaic smoothly between the centers of its cells."""
    return cv2.resize(mosaic_cells(part, cells), part.shape[1::-1], interpolation=cv2.INTER_CUBIC)
