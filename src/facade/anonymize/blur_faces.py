"""Blur, pixelate or blank the faces of a photograph."""

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from facade.anonymize import numpy_blur
from facade.anonymize.background_boxes import sample_background_boxes
from facade.anonymize.region import RegionGeometry, blend, diagonal, region, region_geometry
from facade.anonymize.treat import BuiltTreatment, Treated
from facade.dataset import Face, Photograph
from facade.dataset.records import Box
from facade.params import Blur
from facade.seeds import generator

# With less, a blur leaves a face of a few pixels as it was: standard deviation, and side of a mosaic cell, in pixels.
MIN_SIGMA, MIN_CELL = 1.0, 2
# A process blurs its first faces in numpy, and the others by compiled code: the pixels are the same, and numba takes
# .75 s of CPU to load, which numpy takes for about this many pixels. A face costs as much as FACE_OVERHEAD pixels more.
NUMPY_PIXELS, FACE_OVERHEAD = 6_000_000, 2_500
# A larger face is blurred by compiled code at once, which needs less memory.
MAX_NUMPY_FACE = 2_000_000
# Pixels that this process has blurred in numpy.
_numpy_pixels = [0]


@dataclass(frozen=True)
class BlurFaces:
    """Treats every labelled face of a photograph, including ignored ones: all are anonymized, whether scored or not.

    With `decoys`, background boxes are treated likewise, so that the artefacts of the treatment do not predict a face.
    """

    params: Blur

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """A treated copy of a photograph, (H, W, 3) uint8, BGR, and the number of treated faces.

        Faces are treated one after the other, each on top of the previous ones, so that untreated pixels never come
        back where two faces overlap.
        """
        return self.in_place(image.copy(), photograph)

    def in_place(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """Treat the given array itself and return it, for callers that no longer need the original.

        Raises:
            ValueError: The array is not C-contiguous (for example a crop or a mirrored view), or is read-only.
        """
        if not (image.flags.c_contiguous and image.flags.writeable):
            raise ValueError("blurring in place needs an image that is C-contiguous and writeable")
        decoys = self._decoys(photograph)
        for face in (*photograph.faces, *decoys):
            ellipse = self.params.shape == "ellipse"
            where = (face.bbox, image.shape, self.params.widen, self.params.feather, ellipse, face.cut)
            if self.params.method == "gaussian":
                _blur_face(image, region_geometry(*where), face_sigma(face, photograph.file, self.params))
                continue
            area = region(*where)
            if self.params.method == "pixelate":
                patch = pixelate(image[area.rows, area.columns], self.params.cells)
            else:
                patch = solid_fill(image[area.rows, area.columns])
            blend(image, area, patch)
        return Treated(image, Counter(faces=len(photograph.faces), decoys=len(decoys)))

    def _decoys(self, photograph: Photograph) -> tuple[Face, ...]:
        if not self.params.decoys:
            return ()
        sizes = [face.bbox[2:] for face in photograph.faces] * self.params.decoys
        random = generator("decoys", photograph.file)
        boxes = sample_background_boxes(photograph, sizes, random, self.params.widen, self.params.feather)
        return tuple(Face(box) for box in boxes if box is not None)


def _blur_face(image: np.ndarray, geometry: RegionGeometry, sigma: float) -> None:
    """Blur a face in its photograph, in place, in the way that is faster for this process."""
    pixels = (geometry.bottom - geometry.top) * (geometry.right - geometry.left)
    if pixels <= MAX_NUMPY_FACE and _numpy_pixels[0] + pixels + FACE_OVERHEAD <= NUMPY_PIXELS:
        _numpy_pixels[0] += pixels + FACE_OVERHEAD
        numpy_blur.blur_face(image, geometry, sigma)
        return
    from facade.anonymize.gaussian_blur import blur_face

    blur_face(image, geometry, sigma)


def build_blur(params: Blur, in_place: bool = False) -> BuiltTreatment:
    """The treatment that blurs faces.

    Args:
        params: How faces are blurred.
        in_place: Whether it may overwrite the image that it is given, which saves a copy.
    """
    faces = BlurFaces(params)
    return BuiltTreatment(faces.in_place if in_place else faces, f"blur {params!r}")


def face_sigma(face: Face, file: str, params: Blur) -> float:
    """Standard deviation of the blur of a face, in pixels; with `sigma_jitter` each face has its own.

    Args:
        face: The face; sigma scales with its box.
        file: Name of the photograph.
        params: Strength of the blur and its jitter.
    """
    sigma = sigma_in_pixels(face.bbox, params.sigma)
    if params.sigma_jitter == 1:
        return sigma
    # Seeded by what mirroring leaves unchanged, so that the parrot attack's mirrored gallery is treated alike.
    _, y, w, h = face.bbox
    exponent = generator("strength", file, *(f"{value:.2f}" for value in (y, w, h))).uniform(-1, 1)
    return max(sigma * float(params.sigma_jitter**exponent), MIN_SIGMA)


def sigma_in_pixels(bbox: Box, percent: float) -> float:
    """Standard deviation of the blur of a face, in pixels, from percent of the diagonal of its box."""
    return max(percent / 100 * diagonal(bbox), MIN_SIGMA)


def pixelate(part: np.ndarray, cells: int) -> np.ndarray:
    """A crop as a mosaic of cell means, (h, w, 3) uint8, with at most `cells` cells per side."""
    return cv2.resize(mosaic_cells(part, cells), part.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def mosaic_cells(part: np.ndarray, cells: int) -> np.ndarray:
    """The mean colors of a mosaic's cells, (rows, columns, 3) uint8."""
    across, down = (max(1, min(cells, side // MIN_CELL)) for side in part.shape[1::-1])
    return cv2.resize(part, (across, down), interpolation=cv2.INTER_AREA)


def solid_fill(part: np.ndarray) -> np.ndarray:
    """The crop in one flat gray, the same for every face; (h, w, 3) uint8."""
    return np.full_like(part, 128)
