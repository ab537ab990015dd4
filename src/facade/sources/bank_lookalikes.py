"""One picture of people who look alike: a bank in which somebody comes twenty times is no crowd."""

import hashlib
import io
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facade.files import write_bytes
from facade.recognition import align, recogniser
from facade.sources.bank_landmarks import Portraits, content_key, read_picture

# Cosine from which two faces count as one person. Networks of this kind give the same person about .7 on average and
# different ones .1, hardly ever .3: between them, nearer to the same, so that the bank is thinned and not emptied.
ALIKE = 0.5


def without_lookalikes(folder: Path, portraits: Portraits, recognition: Path, cache: Path) -> Portraits:
    """Leave out every picture that looks like one before it.

    Args:
        folder: The bank.
        portraits: Its pictures.
        recognition: Weights of face recognition (`facade.recognition.recogniser`).
        cache: Where embeddings are kept.

    Raises:
        FacadeError: The network is missing or of another kind, or a picture cannot be read.
    """
    kept = distinct(_embeddings(folder, portraits, recognition, cache), ALIKE)
    dropped = len(portraits.files) - len(kept)
    print(f"bank {folder.name}: {dropped} of {len(portraits.files)} pictures look like another and are left out")
    return Portraits([portraits.files[number] for number in kept], portraits.keypoints[kept])


def distinct(embeddings: np.ndarray, alike: float) -> list[int]:
    """Numbers of the embeddings that are less than `alike` to every one kept before.

    Args:
        embeddings: (N, D) float32, of length 1.
        alike: Cosine.
    """
    kept: list[int] = []
    matrix = np.empty_like(embeddings)
    for number, embedding in enumerate(embeddings):
        if not kept or float((matrix[: len(kept)] @ embedding).max()) < alike:
            matrix[len(kept)] = embedding
            kept.append(number)
    return kept


def _embeddings(folder: Path, portraits: Portraits, recognition: Path, cache: Path) -> np.ndarray:
    """(N, D) float32: kept ones, and new ones that are kept from now on."""
    network = recogniser(recognition, "synthesize.bank_recognition")
    kept_in = cache / f"embeddings-{content_key(recognition)[:16]}.npz"
    kept = _read_kept(kept_in)
    keys = [
        hashlib.sha256(f"{content_key(folder / file)} {points.round(2).tolist()}".encode()).hexdigest()[:32]
        for file, points in zip(portraits.files, portraits.keypoints, strict=True)
    ]
    unknown = [number for number, key in enumerate(keys) if key not in kept]
    if unknown:
        for number in tqdm(unknown, f"people of {folder.name}", mininterval=1):
            picture = read_picture(folder / portraits.files[number])
            kept[keys[number]] = network.embed(align(picture, portraits.keypoints[number]))
        content = io.BytesIO()
        np.savez(content, keys=np.array(list(kept)), embeddings=np.stack(list(kept.values())))
        write_bytes(kept_in, content.getvalue())
    return np.stack([kept[key] for key in keys])


def _read_kept(path: Path) -> dict[str, np.ndarray]:
    """Embeddings by key; none where the file is missing or damaged, as they can be made again."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(zip(kept["keys"].tolist(), kept["embeddings"], strict=True))
    except Exception:  # noqa: BLE001 - a reader fed damaged bytes raises whatever it stumbles over
        return {}
