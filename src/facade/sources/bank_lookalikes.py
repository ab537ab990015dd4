"""One picture of people who look alike: a bank in which somebody comes twenty times is no crowd."""

import hashlib
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
from facexlib.detection.matlab_cp2tform import get_similarity_transform_for_cv2
from tqdm import tqdm

from facade.errors import FacadeError
from facade.files import write_bytes
from facade.sources.bank_landmarks import Portraits, content_key, read_picture

# Cosine from which two faces count as one person. Networks of this kind give the same person about .7 on average and
# different ones .1, hardly ever .3: between them, nearer to the same, so that the bank is thinned and not emptied.
ALIKE = 0.5
# Where ArcFace's networks expect the landmarks in a picture of 112 x 112 pixels (insightface's arcface_src1).
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
SIDE = 112
# What the network expects of red, green and blue between 0 and 1: ImageNet's mean and standard deviation.
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def without_lookalikes(folder: Path, portraits: Portraits, recognition: Path, cache: Path) -> Portraits:
    """Leave out every picture that looks like one before it.

    Args:
        folder: The bank.
        portraits: Its pictures.
        recognition: Face recognition network, ONNX: 1 x 3 x 112 x 112 aligned RGB in, an embedding out.
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


def embed(network: cv2.dnn.Net, picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """What a recognition network makes of a face, (D,) float32, of length 1.

    Args:
        network: As `without_lookalikes` says.
        picture: (H, W, 3) uint8, BGR.
        keypoints: (5, 2) float, x y in pixels.
    """
    # Shrunk with a filter first: what a network sees should not depend on the picture's size.
    factor = min(1.0, 1.4 * SIDE / (2.5 * float(np.ptp(keypoints, axis=0).max())))
    shrunk = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    onto = get_similarity_transform_for_cv2(keypoints * factor, TEMPLATE.copy(), reflective=False)
    aligned = cv2.warpAffine(shrunk, np.asarray(onto, float), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    seen = (aligned[..., ::-1] / 255.0 - MEAN) / DEVIATION
    network.setInput(seen.transpose(2, 0, 1)[None].astype(np.float32))
    embedding = np.asarray(network.forward(), np.float32).ravel()
    return np.asarray(embedding / max(float(np.linalg.norm(embedding)), 1e-9))


def _embeddings(folder: Path, portraits: Portraits, recognition: Path, cache: Path) -> np.ndarray:
    """(N, D) float32: kept ones, and new ones that are kept from now on."""
    if not recognition.is_file():
        raise FacadeError(f"synthesize.bank_recognition is {recognition}, and there is no such file. Correct the path.")
    kept_in = cache / f"embeddings-{content_key(recognition)[:16]}.npz"
    kept = _read_kept(kept_in)
    keys = [
        hashlib.sha256(f"{content_key(folder / file)} {points.round(2).tolist()}".encode()).hexdigest()[:32]
        for file, points in zip(portraits.files, portraits.keypoints, strict=True)
    ]
    unknown = [number for number, key in enumerate(keys) if key not in kept]
    if unknown:
        network = _network(recognition)
        for number in tqdm(unknown, f"people of {folder.name}", mininterval=1):
            picture = read_picture(folder / portraits.files[number])
            try:
                kept[keys[number]] = embed(network, picture, portraits.keypoints[number])
            except cv2.error:
                raise FacadeError(
                    f"synthesize.bank_recognition is {recognition}, which takes no 1 x 3 x {SIDE} x {SIDE} picture. "
                    "banks/README.md says which networks fit."
                ) from None
        content = io.BytesIO()
        np.savez(content, keys=np.array(list(kept)), embeddings=np.stack(list(kept.values())))
        write_bytes(kept_in, content.getvalue())
    return np.stack([kept[key] for key in keys])


def _network(recognition: Path) -> cv2.dnn.Net:
    try:
        return cv2.dnn.readNetFromONNX(str(recognition))
    except cv2.error:
        raise FacadeError(
            f"synthesize.bank_recognition is {recognition}, which OpenCV cannot read as ONNX. Correct the path."
        ) from None


def _read_kept(path: Path) -> dict[str, np.ndarray]:
    """Embeddings by key; none where the file is missing or damaged, as they can be made again."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(zip(kept["keys"].tolist(), kept["embeddings"], strict=True))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return {}
