"""Control arms with untouched faces: each isolates one side effect of anonymization."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facade.anonymize.background_boxes import sample_background_boxes
from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.treat import Treated, recoded
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.calibration import calibration_files
from facade.dataset.store import finish_dataset, to_coco
from facade.errors import FacadeError
from facade.files import atomic_directory
from facade.params import Blur, Codec
from facade.seeds import generator


@dataclass(frozen=True)
class Recode:
    """Re-encodes a photograph once more than the other arms: isolates the effect of the codec."""

    codec: Codec

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """The photograph after one more JPEG generation, (H, W, 3) uint8, BGR."""
        del photograph
        return Treated(recoded(image, self.codec))


@dataclass(frozen=True)
class BlurDecoys:
    """Blurs a background box of the same size for each face, and leaves the faces: isolates the artefact."""

    params: Blur

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """The photograph with decoys, (H, W, 3) uint8, BGR; `decoys` counts them, `no_room` the faces without one."""
        sizes = [face.bbox[2:] for face in photograph.faces]
        random = generator("decoy", photograph.file)
        boxes = sample_background_boxes(photograph, sizes, random, self.params.widen, self.params.feather)
        decoys = tuple(Face(box) for box in boxes if box is not None)
        blurred = BlurFaces(self.params.model_copy(update={"decoys": 0}))(image, replace(photograph, faces=decoys))
        return Treated(blurred.pixels, Counter(decoys=len(decoys), no_room=len(boxes) - len(decoys)))


def drop_photographs(raw: Photographs, into: Path, percent: float, calibration: float) -> Counter[str]:
    """Drop photographs with faces, as one must where people do not consent: isolates the effect of missing content.

    Each dropped photograph is replaced by a copy of another one, so that training is as long and sees as many files as
    in the other arms. Calibration photographs are neither dropped nor repeated.

    Args:
        raw: The raw arm's data set.
        into: The data set to write.
        percent: Of the photographs with faces, how many are dropped.
        calibration: Percent of the photographs that are held out for calibration.

    Returns:
        Counts of photographs with faces: `left_out` and `kept`.

    Raises:
        FacadeError: No photograph with faces would be left.
    """
    held_out = calibration_files((photograph.file for photograph in raw), calibration)
    with_faces = [photograph for photograph in raw if photograph.faces and photograph.file not in held_out]
    ordered = sorted(with_faces, key=lambda one: hashlib.sha256(f"drop {one.file}".encode()).digest())
    count = round(percent / 100 * len(ordered))
    if count >= len(ordered):
        raise FacadeError(f"a share of {percent:g} % to drop leaves no photograph with a face. Choose a smaller share.")
    dropped, kept = ordered[:count], ordered[count:]
    replacements = {one.file: kept[index % len(kept)] for index, one in enumerate(dropped)}
    with atomic_directory(into) as temporary:
        entries = []
        for photograph in raw:
            other = replacements.get(photograph.file, photograph)
            target = temporary / "images" / photograph.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw.read(other))
            entries.append(replace(other, file=photograph.file))
        finish_dataset(temporary, to_coco(entries, raw.synthetic), raw.store)
    return Counter(left_out=len(dropped), kept=len(kept))
