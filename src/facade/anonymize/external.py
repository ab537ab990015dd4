"""Photographs that another program has treated, as an arm: EgoBlur's, DeepPrivacy2's, a vendor's output."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from facade.anonymize.treat import Treated
from facade.dataset import Photograph, Photographs
from facade.dataset.names import NAMES
from facade.dataset.pixels import BadPhotographError, decode
from facade.errors import FacadeError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True)
class ReadTreated:
    """Takes each photograph from the folder that the other program wrote.

    Attributes:
        files: The treated file of each photograph, by the name under which `data/train` keeps the photograph.
        max_megapixels: Larger pictures are refused before they are decompressed.
    """

    files: dict[str, Path]
    max_megapixels: float

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """The other program's version, (H, W, 3) uint8, BGR.

        Raises:
            FacadeError: It cannot be read, or is not as large as the photograph: boxes would lie elsewhere in it.
        """
        path = self.files[photograph.file]
        try:
            pixels = decode(path.read_bytes(), self.max_megapixels).pixels
        except OSError as error:
            raise FacadeError(f"{path} cannot be read: {error.strerror}.") from None
        except BadPhotographError as error:
            raise FacadeError(f"{path} cannot be read: {error}.") from None
        if pixels.shape != image.shape:
            raise FacadeError(
                f"{path} is {pixels.shape[1]}x{pixels.shape[0]} pixels, and its photograph {image.shape[1]}x"
                f"{image.shape[0]}. Export treated photographs at their full size, upright."
            )
        return Treated(pixels)


def read_treated(folder: Path, source: Photographs, max_megapixels: float) -> ReadTreated:
    """Find the treated version of every training photograph.

    Args:
        folder: What the other program wrote. Files keep the relative path of the photograph, in the data set of
            `ingest.path` or in `data/train/images`; the suffix may differ (`.png` for `.jpg`).
        source: The training photographs.
        max_megapixels: Larger pictures are refused.

    Raises:
        FacadeError: The folder, or the version of a photograph, is missing, or two files could be it.
    """
    if not folder.is_dir():
        raise FacadeError(f"there is no folder {folder} of treated photographs.")
    by_stem: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            by_stem.setdefault(_stem(path.relative_to(folder).as_posix()), []).append(path)
    originals = _original_names(source.root / NAMES)
    files, missing = {}, []
    for photograph in source:
        names = (photograph.file, *originals.get(photograph.file, ()))
        found = next((by_stem[_stem(name)] for name in names if _stem(name) in by_stem), [])
        if len(found) > 1:
            raise FacadeError(f"{found[0]} and {found[1]} may both be the treated {photograph.file}. Keep one of them.")
        if found:
            files[photograph.file] = found[0]
        else:
            missing.append(names[-1])
    if missing:
        raise FacadeError(
            f"{folder} lacks {len(missing)} of {len(source)} training photographs, {missing[0]} among them. Treated "
            "files keep the name and subfolder of their photograph."
        )
    return ReadTreated(files, max_megapixels)


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _original_names(table: Path) -> dict[str, Iterable[str]]:
    """The data set's own name of each training photograph."""
    with table.open(newline="", encoding="utf-8") as text:
        return {row["stored"]: (row["photograph"],) for row in csv.DictReader(text)}
