"""Weights from strangers: tensors and numbers alone, of a size that fits, and nobody's code."""

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

from facade.errors import FacadeError

# Larger weights than any network here has. A small file may claim to hold far more.
LARGEST = 2 * 2**30


def read_checkpoint(path: Path, parameter: str) -> Any:
    """What a file of weights holds, on the CPU.

    A pickle may run code when it is read; torch is told to take tensors and plain values, and nothing else. The size
    that an archive claims is looked at before it is unpacked.

    Args:
        path: A file that `torch.save` wrote.
        parameter: What a person sets to name it, for sentences.

    Raises:
        FacadeError: The file is missing, is no such file, would run code, or is larger than any weights (2 GiB).
    """
    if not path.is_file():
        raise FacadeError(f"{parameter} is {path}, and there is no such file. Correct the path.")
    import torch  # here, not above: it takes seconds, and most runs need no network

    if (size := _unpacked(path)) > LARGEST:
        raise FacadeError(f"{parameter} is {path}, which unpacks to {size / 2**30:.0f} GiB: these are no weights.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickles
            return torch.load(path, map_location="cpu", weights_only=True)
    # A reader fed damaged bytes raises whatever it stumbles over.
    except Exception as error:  # noqa: BLE001
        unsafe = isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error)
        reason = "it holds more than tensors and numbers" if unsafe else "torch cannot read it"
        raise FacadeError(f"{parameter} is {path}, which holds no weights that are safe to load: {reason}.") from None


def _unpacked(path: Path) -> int:
    """Bytes that a file takes unpacked; as large as it is where it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except Exception:  # noqa: BLE001 - a reader fed damaged bytes raises whatever it stumbles over
        return path.stat().st_size
