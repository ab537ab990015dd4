"""Filter look-alikes out of a face bank, so that each synthetic person occurs once."""

import hashlib
import io
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facade.files import write_bytes
from facade.recognition import align_face, open_recognizer
from facade.sources.bank_landmarks import Portraits, content_key, read_picture

# Cosine similarity from which two faces count as one person. Such networks give the same person about .7 on average and
# different people .1, hardly ever .3. The threshold lies between, nearer to the former, so that the bank is thinned and
# not emptied.
MIN_SIMILARITY = 0.5


def without_lookalikes(folder: Path, portraits: Portraits, recognition: Path, cache: Path) -> Portraits:
    """Drop every picture that resembles an earlier one.

    Args:
        folder: The bank.
        portraits: Its pictures.
        recognition: Weights of a face recognition network (`facade.recognition.open_recognizer`).
        cache: Where embeddings are cached.

    Raises:
        FacadeError: The network is missing or invalid, or a picture cannot be read.
    """
    kept = distinct_embeddings(_embeddings(folder, portraits, recognition, cache), MIN_SIMILARITY)
    dropped = len(portraits.files) - len(kept)
    print(f"bank {folder.name}: {dropped} of {len(portraits.files)} pictures resemble another and are left out")
    return Portraits([portraits.files[number] for number in kept], portraits.keypoints[kept])


def distinct_embeddings(embeddings: np.ndarray, min_similarity: float) -> list[int]:
    """Indices of the embeddings whose cosine similarity to every earlier kept one is below a threshold.

    Args:
        embeddings: (N, D) float32, of length 1.
        min_similarity: The threshold.
    """
    kept: list[int] = []
    matrix = np.empty_like(embeddings)
    for number, embedding in enumerate(embeddings):
        if not kept or float((matrix[: len(kept)] @ embedding).max()) < min_similarity:
            matrix[len(kept)] = embedding
            kept.append(number)
    return kept


def _embeddings(folder: Path, portraits: Portraits, recognition: Path, cache: Path) -> np.ndarray:
    """(N, D) float32, from the cache or computed and cached."""
    network = open_recognizer(recognition, "synthesize.bank_recognition")
    cache_file = cache / f"embeddings-{content_key(recognition)[:16]}.npz"
    cached = _read_cache(cache_file)
    keys = [
        hashlib.sha256(f"{content_key(folder / file)} {points.round(2).tolist()}".encode()).hexdigest()[:32]
        for file, points in zip(portraits.files, portraits.keypoints, strict=True)
    ]
    unknown = [number for number, key in enumerate(keys) if key not in cached]
    if unknown:
        for number in tqdm(unknown, f"people of {folder.name}", mininterval=1):
            picture = read_picture(folder / portraits.files[number])
            cached[keys[number]] = network.embed(align_face(picture, portraits.keypoints[number]))
        content = io.BytesIO()
        np.savez(content, keys=np.array(list(cached)), embeddings=np.stack(list(cached.values())))
        write_bytes(cache_file, content.getvalue())
    return np.stack([cached[key] for key in keys])


def _read_cache(path: Path) -> dict[str, np.ndarray]:
    """Cached embeddings by key; none where the file is missing or damaged, as they can be recomputed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(zip(file["keys"].tolist(), file["embeddings"], strict=True))
    except Exception:  # noqa: BLE001 - a parser of damaged bytes may raise anything
        return {}
