"""Safe loading of untrusted weights: tensors and numbers alone, no code, and a limit on the unpacked size."""

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

from facade.errors import FacadeError

# Maximum unpacked size, bytes: more than any network here has. A small archive can claim to hold far more.
MAX_SIZE = 2 * 2**30


def read_checkpoint(path: Path, parameter: str) -> Any:
    """Load a file of weights, on the CPU.

    A pickle may run code when it is loaded, so torch is restricted to tensors and plain values. The size that an
    archive claims is checked before it is unpacked.

    Args:
        path: A file that `torch.save` wrote.
        parameter: The parameter that names the file, for error messages.

    Raises:
        FacadeError: The file is missing, is no checkpoint, would run code, or is larger than 2 GiB unpacked.
    """
    if not path.is_file():
        raise FacadeError(f"{parameter} is {path}, which does not exist. Correct the path.")
    import torch  # imported here because it takes seconds, and most commands need no network

    if (size := unpacked_size(path)) > MAX_SIZE:
        raise FacadeError(
            f"{parameter} is {path}, which unpacks to {size / 2**30:.0f} GiB, more than any network here. Replace it."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickles
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a parser fed damaged bytes may raise anything
        unsafe = isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error)
        reason = "it holds more than tensors and numbers" if unsafe else "torch cannot read it"
        raise FacadeError(f"{parameter} is {path}, which holds no weights that are safe to load: {reason}.") from None


def unpacked_size(path: Path) -> int:
    """Unpacked size of an archive, bytes; the file size of anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except Exception:  # noqa: BLE001 - a parser fed damaged bytes may raise anything
        return path.stat().st_size
