"""Control arms, whose faces are as they were: each does one thing that an anonymized arm also does."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facade.anonymize.background_boxes import free_places
from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.treat import Treated, recoded
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.calibration import calibration_files
from facade.dataset.store import coco, finish
from facade.errors import FacadeError
from facade.files import whole_directory
from facade.params import Arms, Blur, Codec
from facade.seeds import generator


@dataclass(frozen=True)
class Recode:
    """Encodes a photograph once more than the other arms do: what the codec alone does to the net."""

    codec: Codec

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """The photograph after one more generation of JPEG, (H, W, 3) uint8, BGR."""
        del photograph
        return Treated(recoded(image, self.codec))


@dataclass(frozen=True)
class BlurDecoys:
    """Blurs as many places as there are faces, as large as they are, and leaves the faces: what the artefact does."""

    params: Blur

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """The photograph with decoys, (H, W, 3) uint8, BGR; `decoys` counts them, `no_place` those that found none."""
        sizes = [face.bbox[2:] for face in photograph.faces]
        random = generator("decoy", photograph.file)
        places = free_places(photograph, sizes, random, self.params.widen, self.params.feather)
        decoys = tuple(Face(place) for place in places if place is not None)
        blurred = BlurFaces(self.params.model_copy(update={"decoys": 0}))(image, replace(photograph, faces=decoys))
        return Treated(blurred.pixels, Counter(decoys=len(decoys), no_place=len(places) - len(decoys)))


def drop_photographs(raw: Photographs, into: Path, arms: Arms, calibration: float) -> Counter[str]:
    """Leave out photographs that show faces, as one must where people do not agree: what missing content does.

    Another photograph takes the place of each, so that the training is as long and sees as many files as in the other
    arms. Those kept for calibration are neither left out nor repeated.

    Args:
        raw: The raw arm's data set.
        into: The data set to write.
        arms: `drop_share` is the percentage of photographs with faces that is left out.
        calibration: Percent of the photographs that are kept for calibration.

    Returns:
        How many photographs were left out, and how many of those with faces were kept.

    Raises:
        FacadeError: No photograph with a face would be left.
    """
    apart = calibration_files((photograph.file for photograph in raw), calibration)
    shown = [photograph for photograph in raw if photograph.faces and photograph.file not in apart]
    ordered = sorted(shown, key=lambda one: hashlib.sha256(f"drop {one.file}".encode()).digest())
    count = round(arms.drop_share / 100 * len(ordered))
    if count >= len(ordered):
        raise FacadeError(
            f"arms.drop_share {arms.drop_share:g} leaves no photograph with a face. Choose a smaller one."
        )
    dropped, kept = ordered[:count], ordered[count:]
    stands_in = {one.file: kept[place % len(kept)] for place, one in enumerate(dropped)}
    with whole_directory(into) as beside:
        entries = []
        for photograph in raw:
            other = stands_in.get(photograph.file, photograph)
            target = beside / "images" / photograph.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw.read(other))
            entries.append(replace(other, file=photograph.file))
        finish(beside, coco(entries, raw.synthetic), raw.store)
    return Counter(left_out=len(dropped), kept=len(kept))
