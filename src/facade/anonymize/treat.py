"""One path for every arm: decode, treat each face, encode. Arms differ in nothing but the treatment."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facade.dataset import Photograph, Photographs, encode
from facade.dataset.also import Also, with_also
from facade.dataset.store import decode, write_annotations
from facade.dataset.together import appended
from facade.errors import FacadeError
from facade.files import whole_directory
from facade.parallel import in_order
from facade.params import Codec


@dataclass(frozen=True)
class Treated:
    """A treated photograph, (H, W, 3) uint8, BGR, and counts of what was done to it."""

    pixels: np.ndarray
    counts: Counter[str] = field(default_factory=Counter)


Treatment = Callable[[np.ndarray, Photograph], Treated]


def keep(image: np.ndarray, photograph: Photograph) -> Treated:
    """The treatment of the raw arm: none. The photograph is still encoded anew, as in the other arms."""
    del photograph
    return Treated(image)


def recoded(image: np.ndarray, codec: Codec) -> np.ndarray:
    """A picture after one generation of JPEG, (H, W, 3) uint8, BGR: what the codec alone makes of it."""
    return decode(encode(image, codec))


@dataclass(frozen=True)
class _Treat:
    source: Photographs
    treatment: Treatment
    codec: Codec
    into: Path
    also: Also

    def __call__(self, photograph: Photograph) -> Counter[str]:
        image = self.source.pixels(photograph)
        if image.shape[:2] != (photograph.height, photograph.width):
            raise FacadeError(
                f"{self.source.images / photograph.file} is {image.shape[1]}x{image.shape[0]} pixels, its labels say "
                f"{photograph.width}x{photograph.height}. Run `dvc repro ingest` again."
            )
        target = self.into / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        treated = self.treatment(image, with_also(photograph, self.also))
        target.write_bytes(encode(treated.pixels, self.codec))
        return treated.counts


def treat(
    source: Photographs,
    treatment: Treatment,
    into: Path,
    codec: Codec,
    label: str,
    also: Also | None = None,
    more: Photographs | None = None,
    workers: int | None = None,
) -> Counter[str]:
    """Write a treated copy of a data set: the same files, labels and order; other pixels in the faces.

    Args:
        source: The photographs.
        treatment: What is done to each; picklable, and dependent on the photograph alone.
        into: The data set to write. It appears when all of it is done.
        codec: JPEG settings, the same for every arm.
        label: What the progress bar says.
        also: Faces to treat besides the labelled ones, by photograph. The labels stay as they are: arms differ in
            pixels alone.
        more: Photographs that are anonymized already, the known misses, which come behind the treated ones.
        workers: Processes; all cores by default. The result does not depend on it.

    Returns:
        Sums of the counts that the treatment made.
    """
    counts: Counter[str] = Counter()
    with whole_directory(into) as beside:
        for done in in_order(_Treat(source, treatment, codec, beside, also or {}), list(source), label, workers):
            counts += done
        write_annotations(beside, appended(source, more, beside / "images"))
    return counts
