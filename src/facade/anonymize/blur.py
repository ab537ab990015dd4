"""Blurring, pixelating and blanking faces."""

import math
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from facade.anonymize.mixing import mix
from facade.anonymize.places import free_places
from facade.anonymize.region import blend, diagonal, region, shape_of
from facade.anonymize.treat import Treated
from facade.dataset import Face, Photograph
from facade.dataset.records import Box
from facade.params import Blur
from facade.seeds import generator

# A Gaussian reaches this many standard deviations; beyond lies 0.3 % of it.
REACH = 3.0
# A wide blur is computed on a grid whose cells are so many times smaller than its standard deviation, at the least;
# there it costs next to nothing to reach further.
GRAIN, EXACT_REACH = 1.5, 4.0
# Cells beyond the part that doubling looks at.
MARGIN = 2
# Below, a blur leaves a face of a few pixels as it was: standard deviation, and side of a mosaic cell, in pixels.
LEAST_SIGMA, LEAST_CELL = 1.0, 2


@dataclass(frozen=True)
class BlurFaces:
    """Treats every labelled face of a photograph, the ignored ones too: everybody is anonymized, whoever is scored.

    With `decoys`, places where no face is are treated likewise, so that the traces of the treatment say nothing.
    """

    params: Blur

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """A treated copy of a photograph, (H, W, 3) uint8, BGR, and how many faces were treated.

        Faces are treated one after the other, each on what the ones before left: where two overlap nothing comes
        back from the untreated photograph.
        """
        treated = image.copy()
        decoys = self._decoys(photograph)
        for face in (*photograph.faces, *decoys):
            ellipse = self.params.shape == "ellipse"
            where = (face.bbox, image.shape, self.params.widen, self.params.feather, ellipse, face.cut)
            if self.params.method == "gaussian":
                own = shape_of(*where)
                rows, columns = slice(own.top, own.bottom), slice(own.left, own.right)
                mix(treated, own, _part(treated, rows, columns, strength(face, photograph.file, self.params)))
                continue
            area = region(*where)
            if self.params.method == "pixelate":
                patch = pixelated(treated[area.rows, area.columns], self.params.cells)
            else:
                patch = blank(treated[area.rows, area.columns])
            blend(treated, area, patch)
        return Treated(treated, Counter(faces=len(photograph.faces), decoys=len(decoys)))

    def _decoys(self, photograph: Photograph) -> tuple[Face, ...]:
        if not self.params.decoys:
            return ()
        sizes = [face.bbox[2:] for face in photograph.faces] * self.params.decoys
        random = generator("decoys", photograph.file)
        places = free_places(photograph, sizes, random, self.params.widen, self.params.feather)
        return tuple(Face(place) for place in places if place is not None)


def strength(face: Face, file: str, params: Blur) -> float:
    """Standard deviation of the blur of a face, in pixels; with `vary` it is the face's own.

    Args:
        face: Whose box it depends on.
        file: Name of the photograph.
        params: How strong, and how much it varies.
    """
    sigma = sigma_of(face.bbox, params.sigma)
    if params.vary == 1:
        return sigma
    # By what a mirror leaves as it is: who knows the method treats a mirrored picture alike.
    _, y, w, h = face.bbox
    exponent = generator("strength", file, *(f"{value:.2f}" for value in (y, w, h))).uniform(-1, 1)
    return max(sigma * float(params.vary**exponent), LEAST_SIGMA)


def sigma_of(bbox: Box, percent: float) -> float:
    """Standard deviation of the blur of a face, in pixels, from percent of the diagonal of its box."""
    return max(percent / 100 * diagonal(bbox), LEAST_SIGMA)


def gaussian(image: np.ndarray, rows: slice, columns: slice, sigma: float) -> np.ndarray:
    """Part of a photograph, blurred as if all of it were.

    Args:
        image: (H, W, 3) uint8.
        rows: The part's rows.
        columns: The part's columns.
        sigma: Standard deviation in pixels. 0.1 times the diagonal of the face box is what Yang et al. used for
            ImageNet (arXiv 2103.06191, section 3).

    Returns:
        (h, w, 3) uint8, as large as the part.
    """
    return np.rint(_part(image, rows, columns, sigma)).astype(np.uint8)


def _part(image: np.ndarray, rows: slice, columns: slice, sigma: float) -> np.ndarray:
    """The same, (h, w, 3) float32, 0 to 255.

    It is computed on a grid as coarse as the blur allows: what is left has no detail to lose. Halving and doubling
    (Burt and Adelson 1983) blur, too, everywhere alike; their variances are taken off that of the Gaussian.
    """
    step = 1
    while 2 * step * GRAIN <= sigma:
        step *= 2
    height, width = rows.stop - rows.start, columns.stop - columns.start
    down, across = -(-height // step), -(-width // step)
    reach = math.ceil(REACH * sigma / step) + MARGIN
    above, below = (_cells(room, step, reach) for room in (rows.start, image.shape[0] - rows.start - down * step))
    before, after = (
        _cells(room, step, reach) for room in (columns.start, image.shape[1] - columns.start - across * step)
    )
    top, left = rows.start - above * step, columns.start - before * step
    bottom, right = rows.start + (down + below) * step, columns.start + (across + after) * step
    context = image[max(top, 0) : bottom, max(left, 0) : right]
    beyond = (max(-top, 0), max(bottom - image.shape[0], 0), max(-left, 0), max(right - image.shape[1], 0))
    if any(beyond):
        context = cv2.copyMakeBorder(context, *beyond, cv2.BORDER_REPLICATE)
    cells, size = context, 1
    while size < step:
        cells = cv2.pyrDown(cells, borderType=cv2.BORDER_REPLICATE)
        cells = cells.astype(np.float32, copy=False)
        size *= 2
    # Halving has a variance of one pixel of what goes in, doubling of one of what comes out: (n² - 1) / 3 each, in all.
    narrower = math.sqrt(sigma**2 - 2 * (step**2 - 1) / 3) / step
    blurred = _blurred(cells.astype(np.float32, copy=False), narrower, math.ceil(EXACT_REACH * narrower))
    fine = blurred[above - MARGIN : above + down + MARGIN, before - MARGIN : before + across + MARGIN]
    while size > 1:
        fine = cv2.pyrUp(fine)
        size //= 2
    edge = MARGIN * step
    return np.ascontiguousarray(fine[edge : edge + height, edge : edge + width])


def _cells(room: int, step: int, reach: int) -> int:
    """Cells beside a part that its blur needs: as far as it reaches, or to the border and `MARGIN` beyond."""
    return max(MARGIN, min(reach, -(-room // step) + MARGIN))


def _blurred(picture: np.ndarray, sigma: float, reach: int) -> np.ndarray:
    # Not `cv2.GaussianBlur`: on bytes it works in fixed point, with twice the error, and three times as long.
    line = cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)
    return cv2.sepFilter2D(picture, -1, line, line, borderType=cv2.BORDER_REPLICATE)


def pixelated(part: np.ndarray, cells: int) -> np.ndarray:
    """The part as a mosaic, each cell its mean colour; (h, w, 3) uint8, with at most `cells` cells a side."""
    return cv2.resize(cells_in(part, cells), part.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def cells_in(part: np.ndarray, cells: int) -> np.ndarray:
    """The mean colours of a mosaic's cells, (down, across, 3) uint8."""
    across, down = (max(1, min(cells, side // LEAST_CELL)) for side in part.shape[1::-1])
    return cv2.resize(part, (across, down), interpolation=cv2.INTER_AREA)


def blank(part: np.ndarray) -> np.ndarray:
    """The part in one flat grey, the same for everybody; (h, w, 3) uint8."""
    return np.full_like(part, 128)
