"""Near-duplicate detection with perceptual hashes, to remove training photographs that resemble golden ones."""

from collections.abc import Mapping
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from facade.dataset.store import Photographs
from facade.errors import FacadeError
from facade.files import read_json, write_json

BITS = 64
# The file of a data set that holds the perceptual hashes of its photographs.
HASHES = "perceptual-hashes.json"


def perceptual_hash(pixels: np.ndarray) -> int:
    """The 64-bit perceptual hash (pHash) of a picture, (H, W, 3) uint8, BGR."""
    bits = imagehash.phash(Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def write_hashes(root: Path, hashes: Mapping[str, int]) -> None:
    """Store the perceptual hashes of the source photographs of a data set: by file, 16 hexadecimal digits."""
    write_json(root / HASHES, {file: f"{value:016x}" for file, value in sorted(hashes.items())})


def read_hashes(golden: Photographs) -> list[int]:
    """Read the perceptual hashes of all photographs of a data set, as `write_hashes` stored them.

    Raises:
        FacadeError: A hash is missing, or the file is damaged.
    """
    path = golden.root / HASHES
    content = read_json(path)
    try:
        hashes = {file: int(value, 16) for file, value in content.items()}
        valid = set(hashes) == {photograph.file for photograph in golden} and all(
            0 <= value < 2**BITS for value in hashes.values()
        )
    except (AttributeError, TypeError, ValueError):
        valid = False
    if not valid:
        raise FacadeError(f"{path} was not written by ingest. Run `dvc checkout`, or `dvc repro ingest`.")
    return list(hashes.values())


def nearest_duplicates(hashes: list[int], others: list[int], distance: int) -> np.ndarray:
    """Find the nearest near-duplicate of each picture among others.

    Args:
        hashes: 64-bit perceptual hashes of N pictures.
        others: 64-bit perceptual hashes of M pictures.
        distance: Maximum Hamming distance between near-duplicates.

    Returns:
        (N,) int: index in `others` of the nearest near-duplicate, or -1 if there is none.
    """
    indices = np.full(len(hashes), -1)
    if not others:
        return indices
    table = _bits(others)
    for start in range(0, len(hashes), 1024):  # blocks of 1,024 hashes bound the memory
        block = _bits(hashes[start : start + 1024])
        hamming = block.sum(1)[:, None] + table.sum(1)[None] - 2 * (block @ table.T)
        nearest = hamming.argmin(1)
        close = hamming[np.arange(len(block)), nearest] <= distance
        indices[start : start + len(block)] = np.where(close, nearest, -1)
    return indices


def _bits(hashes: list[int]) -> np.ndarray:
    packed = b"".join(value.to_bytes(BITS // 8, "big") for value in hashes)
    return np.unpackbits(np.frombuffer(packed, np.uint8).reshape(len(hashes), -1), axis=1).astype(np.float32)
