"""Near-duplicates: training photographs that show what a golden one shows."""

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
LOOKS = "looks.json"


def perceptual_hash(pixels: np.ndarray) -> int:
    """The 64-bit perceptual hash (pHash) of a picture, (H, W, 3) uint8, BGR."""
    bits = imagehash.phash(Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def write_looks(root: Path, looks: Mapping[str, int]) -> None:
    """Keep the perceptual hashes of a data set's photographs, as they came: by file, 16 hexadecimal digits."""
    write_json(root / LOOKS, {file: f"{look:016x}" for file, look in sorted(looks.items())})


def read_looks(golden: Photographs) -> list[int]:
    """The perceptual hashes that `write_looks` kept, of every photograph of a data set.

    Raises:
        FacadeError: One is missing, or the file was damaged.
    """
    path = golden.root / LOOKS
    content = read_json(path)
    try:
        looks = {file: int(look, 16) for file, look in content.items()}
        whole = set(looks) == {photograph.file for photograph in golden} and all(
            0 <= look < 2**BITS for look in looks.values()
        )
    except (AttributeError, TypeError, ValueError):
        whole = False
    if not whole:
        raise FacadeError(f"{path} is not what ingest wrote. Run `dvc checkout`, or `dvc repro ingest`.")
    return list(looks.values())


def near(hashes: list[int], others: list[int], distance: int) -> np.ndarray:
    """Which pictures look like one of some others.

    Args:
        hashes: Perceptual hashes of N pictures.
        others: Perceptual hashes of M pictures.
        distance: Bits in which the hashes of near-duplicates differ at the most.

    Returns:
        (N,) int: the place in `others` of the nearest look-alike, or -1 where there is none.
    """
    found = np.full(len(hashes), -1)
    if not others:
        return found
    table = _bits(others)
    for start in range(0, len(hashes), 1024):  # 1,024 hashes at a time against all others bounds the memory
        mine = _bits(hashes[start : start + 1024])
        apart = mine.sum(1)[:, None] + table.sum(1)[None] - 2 * (mine @ table.T)
        nearest = apart.argmin(1)
        close = apart[np.arange(len(mine)), nearest] <= distance
        found[start : start + len(mine)] = np.where(close, nearest, -1)
    return found


def _bits(hashes: list[int]) -> np.ndarray:
    packed = b"".join(value.to_bytes(BITS // 8, "big") for value in hashes)
    return np.unpackbits(np.frombuffer(packed, np.uint8).reshape(len(hashes), -1), axis=1).astype(np.float32)
