"""Blurring, pixelating and blanking faces."""

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from facade.anonymize.background_boxes import free_places
from facade.anonymize.gaussian import blur_face
from facade.anonymize.region import blend, diagonal, region, shape_of
from facade.anonymize.treat import Treated
from facade.dataset import Face, Photograph
from facade.dataset.records import Box
from facade.params import Blur
from facade.seeds import generator

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
        return self.in_place(image.copy(), photograph)

    def in_place(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """Treat the picture itself, and return it: for who needs it untreated no more.

        Raises:
            ValueError: The picture is not C-contiguous, such as a part or a mirrored view of another, or is not to be
                written to.
        """
        if not (image.flags.c_contiguous and image.flags.writeable):
            raise ValueError("faces are blurred in place in a picture alone that is C-contiguous and writeable")
        decoys = self._decoys(photograph)
        for face in (*photograph.faces, *decoys):
            ellipse = self.params.shape == "ellipse"
            where = (face.bbox, image.shape, self.params.widen, self.params.feather, ellipse, face.cut)
            if self.params.method == "gaussian":
                blur_face(image, shape_of(*where), strength(face, photograph.file, self.params))
                continue
            area = region(*where)
            if self.params.method == "pixelate":
                patch = pixelated(image[area.rows, area.columns], self.params.cells)
            else:
                patch = blank(image[area.rows, area.columns])
            blend(image, area, patch)
        return Treated(image, Counter(faces=len(photograph.faces), decoys=len(decoys)))

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
