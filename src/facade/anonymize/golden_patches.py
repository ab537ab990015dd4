"""Golden photographs with patches where no face is: does a detector take the traces of a treatment for a face?

What a net learned from treated faces may be the treatment: the smooth patch of a blur, the seam of a pasted face. Each
photograph gets a blurred patch, one pasted from elsewhere, and names a place that is left alone, to compare with.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facade.anonymize.background_boxes import free_places
from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.region import blend, region
from facade.dataset import Face, Photograph, Photographs, encode
from facade.dataset.records import Box
from facade.dataset.store import CATEGORY, finish
from facade.errors import FacadeError
from facade.files import whole_directory
from facade.parallel import in_order
from facade.params import Blur, Codec, Patches
from facade.seeds import generator

KINDS = ("blurred", "pasted", "untouched")
# A patch is no wider and no higher than this share of its photograph, so that several find a place.
LARGEST = 0.3
# How far a blurred patch goes beyond its place, and how soft its edge is, percent (as `blur.widen`, `blur.feather`).
WIDEN, FEATHER = 15.0, 4.0
# Edge of the pasted patch, percent of its diagonal: about as soft as a pseudonym's.
SEAM = 2.0
# So many other photographs are looked at for something to paste.
DONORS = 8


@dataclass(frozen=True)
class _Patch:
    golden: Photographs
    sizes: tuple[tuple[float, float], ...]
    blur: Blur
    codec: Codec
    into: Path

    def __call__(self, number: int) -> list[tuple[str, Box]]:
        everybody = list(self.golden)
        photograph = everybody[number]
        random = generator("patches", photograph.file)
        limit = LARGEST * min(photograph.width, photograph.height)
        drawn = [self.sizes[int(random.integers(len(self.sizes)))] for _ in KINDS]
        sizes = [tuple(side * min(1.0, limit / max(size)) for side in size) for size in drawn]
        places = dict(zip(KINDS, free_places(photograph, sizes, random, WIDEN, FEATHER), strict=True))  # type: ignore[arg-type]
        image = self.golden.pixels(photograph)
        if place := places["blurred"]:
            image = BlurFaces(self.blur)(image, replace(photograph, faces=(Face(place),))).pixels
        if place := places["pasted"]:
            others = [everybody[(number + step) % len(everybody)] for step in range(1, DONORS + 1)]
            if not self._paste(image, place, others, random):
                places["pasted"] = None
        target = self.into / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(image, self.codec))
        return [(kind, place) for kind, place in places.items() if place is not None]

    def _paste(self, image: np.ndarray, place: Box, others: list[Photograph], random: np.random.Generator) -> bool:
        """Paste a piece of another photograph without a face, in place; False if there is none of that size."""
        for other in others:
            (source,) = free_places(other, [place[2:]], random)
            if source is None:
                continue
            x, y, w, h = (int(value) for value in source)
            piece = self.golden.pixels(other)[y : y + h, x : x + w]
            area = region(place, image.shape, 0, SEAM, ellipse=True)
            size = (area.columns.stop - area.columns.start, area.rows.stop - area.rows.start)
            blend(image, area, cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR))
            return True
        return False


def write_patches(golden: Photographs, into: Path, params: Patches, codec: Codec, workers: int | None = None) -> None:
    """Write copies of the golden photographs with patches, labelled by `kind` in place of faces.

    Args:
        golden: The golden set; it stays as it is.
        into: The data set to write.
        params: How strongly the blurred patch is blurred.
        codec: JPEG settings.
        workers: Processes; all cores by default. The result does not depend on it.

    Raises:
        FacadeError: The golden set has no face to judge, whose size patches could take.
    """
    sizes = tuple(face.bbox[2:] for photograph in golden for face in photograph.faces if not face.ignore)
    if not sizes:
        raise FacadeError(f"{golden.root} has no face to judge: nothing can be measured on it.")
    blur = Blur(method="gaussian", sigma=params.sigma, cells=6, shape="ellipse", widen=WIDEN, feather=FEATHER)
    with whole_directory(into) as beside:
        patch = _Patch(golden, sizes, blur, codec, beside)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        placed = in_order(patch, range(len(golden)), "patches", workers)
        for (number, photograph), patches in zip(golden.items(), placed, strict=True):
            images.append(
                {"id": number, "file_name": photograph.file, "width": photograph.width, "height": photograph.height}
            )
            for kind, box in patches:
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": CATEGORY["id"], "bbox": list(box),
                     "area": box[2] * box[3], "iscrowd": 0, "kind": kind}
                )  # fmt: skip
        info = {"description": "written by Facade: patches, not faces", "synthetic": golden.synthetic}
        content = {"info": info, "images": images, "annotations": annotations, "categories": [CATEGORY]}
        finish(beside, content, golden.store)
