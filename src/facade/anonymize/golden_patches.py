"""Golden photographs with patches in the background: does a detector mistake treatment artefacts for faces?

A detector trained on treated faces may have learned the treatment: the smooth patch of a blur, the seam of a pasted
face. Each photograph gets one blurred patch, one patch pasted from another photograph, and one untouched reference box.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from facade.anonymize.background_boxes import sample_background_boxes
from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.region import blend, region
from facade.dataset import Face, Photograph, Photographs, encode
from facade.dataset.coco_content import coco_annotation, coco_content
from facade.dataset.records import Box
from facade.dataset.store import finish_dataset
from facade.errors import FacadeError
from facade.files import atomic_directory
from facade.parallel import ordered_map
from facade.params import Blur, Codec, Patches
from facade.seeds import generator

KINDS = ("blurred", "pasted", "untouched")
# A patch is at most this fraction of the shorter side of its photograph, so that there is room for several.
MAX_SIZE = 0.3
# How far a blurred patch extends beyond its box, and the width of its soft edge, percent (as `blur.widen` and
# `blur.feather`).
WIDEN, FEATHER = 15.0, 4.0
# Soft edge of the pasted patch, percent of its diagonal: about that of a pseudonym.
SEAM = 2.0
# Number of other photographs to try as sources of a pasted patch.
DONORS = 8


@dataclass(frozen=True)
class _WritePatches:
    """Write one golden photograph with its patches; returns kind and box of each."""

    golden: Photographs
    sizes: tuple[tuple[float, float], ...]
    blur: Blur
    codec: Codec
    into: Path

    def __call__(self, number: int) -> list[tuple[str, Box]]:
        photographs = list(self.golden)
        photograph = photographs[number]
        random = generator("patches", photograph.file)
        limit = MAX_SIZE * min(photograph.width, photograph.height)
        face_sizes = [self.sizes[int(random.integers(len(self.sizes)))] for _ in KINDS]
        sizes = [tuple(side * min(1.0, limit / max(size)) for side in size) for size in face_sizes]
        candidates = sample_background_boxes(photograph, sizes, random, WIDEN, FEATHER)  # type: ignore[arg-type]
        boxes = dict(zip(KINDS, candidates, strict=True))
        image = self.golden.pixels(photograph)
        if box := boxes["blurred"]:
            image = BlurFaces(self.blur)(image, replace(photograph, faces=(Face(box),))).pixels
        if box := boxes["pasted"]:
            others = [photographs[(number + step) % len(photographs)] for step in range(1, DONORS + 1)]
            if not self._paste(image, box, others, random):
                boxes["pasted"] = None
        target = self.into / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(image, self.codec))
        return [(kind, box) for kind, box in boxes.items() if box is not None]

    def _paste(self, image: np.ndarray, box: Box, others: list[Photograph], random: np.random.Generator) -> bool:
        """Paste a background crop of another photograph, in place; False if none of that size is found."""
        for other in others:
            (source,) = sample_background_boxes(other, [box[2:]], random)
            if source is None:
                continue
            x, y, w, h = (int(value) for value in source)
            crop = self.golden.pixels(other)[y : y + h, x : x + w]
            area = region(box, image.shape, 0, SEAM, ellipse=True)
            size = (area.columns.stop - area.columns.start, area.rows.stop - area.rows.start)
            blend(image, area, cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR))
            return True
        return False


def write_patches(golden: Photographs, into: Path, params: Patches, codec: Codec, workers: int | None = None) -> None:
    """Write copies of the golden photographs with patches, annotated by `kind`; faces are not annotated.

    Args:
        golden: The golden set; it is not changed.
        into: The data set to write.
        params: Blur strength of the blurred patch.
        codec: JPEG settings.
        workers: Number of processes; all cores by default. The result does not depend on it.

    Raises:
        FacadeError: The golden set has no face to score, so there are no sizes to sample.
    """
    sizes = tuple(face.bbox[2:] for photograph in golden for face in photograph.faces if not face.ignore)
    if not sizes:
        raise FacadeError(f"{golden.root} has no face to score: nothing can be measured on it.")
    blur = Blur(method="gaussian", sigma=params.sigma, cells=6, shape="ellipse", widen=WIDEN, feather=FEATHER)
    with atomic_directory(into) as temporary:
        write_photograph = _WritePatches(golden, sizes, blur, codec, temporary)
        results = ordered_map(write_photograph, range(len(golden)), "patches", workers)
        entries = (
            (number, photograph, [coco_annotation(box, kind=kind) for kind, box in patches])
            for (number, photograph), patches in zip(golden.items(), results, strict=True)
        )
        info = {"description": "written by Facade: patches, not faces", "synthetic": golden.synthetic}
        finish_dataset(temporary, coco_content(info, entries), golden.store)
