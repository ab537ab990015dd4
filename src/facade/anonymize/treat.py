"""One path for every arm: decode, treat each face, encode. Arms differ in nothing but the treatment."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facade.dataset import Photograph, Photographs, encode
from facade.errors import FacadeError
from facade.files import whole_directory
from facade.parallel import in_order
from facade.params import Codec

Treatment = Callable[[np.ndarray, Photograph], np.ndarray]


def keep(image: np.ndarray, photograph: Photograph) -> np.ndarray:
    """The treatment of the raw arm: none. The photograph is still encoded anew, as in the other arms."""
    del photograph
    return image


@dataclass(frozen=True)
class _Treat:
    source: Photographs
    treatment: Treatment
    codec: Codec
    into: Path

    def __call__(self, photograph: Photograph) -> None:
        image = self.source.pixels(photograph)
        if image.shape[:2] != (photograph.height, photograph.width):
            raise FacadeError(
                f"{self.source.images / photograph.file} is {image.shape[1]}x{image.shape[0]} pixels, its labels say "
                f"{photograph.width}x{photograph.height}. Run `dvc repro ingest` again."
            )
        target = self.into / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(self.treatment(image, photograph), self.codec))


def treat(
    source: Photographs, treatment: Treatment, into: Path, codec: Codec, label: str, workers: int | None = None
) -> None:
    """Write a treated copy of a data set: the same files, labels and order; other pixels in the faces.

    Args:
        source: The photographs.
        treatment: What is done to each; picklable, and dependent on the photograph alone.
        into: The data set to write. It appears when all of it is done.
        codec: JPEG settings, the same for every arm.
        label: What the progress bar says.
        workers: Processes; all cores by default. The result does not depend on it.
    """
    with whole_directory(into) as beside:
        for _ in in_order(_Treat(source, treatment, codec, beside), list(source), label, workers):
            pass
        shutil.copyfile(source.annotations, beside / source.annotations.name)
