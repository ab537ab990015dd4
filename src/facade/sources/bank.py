"""A bank: a folder of pictures of synthetic faces (SFHQ, FaceSynthetics, StyleGAN...), with their landmarks.

The landmarks stand in `landmarks.csv` in the folder (file, then x and y of the five points, in pixels). Where it is
missing and facexlib's weights are at hand, facexlib's RetinaFace finds them once, and a cache keeps them.
"""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from facade.dataset.pixels import BadPhotographError, decode
from facade.errors import FacadeError
from facade.files import write_text
from facade.heads.head import Pose
from facade.heads.portrait import Portrait

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# The outline of a face from its landmarks, in distances from the line of the eyes to that of the mouth (about 6.5 cm):
# how far it reaches to each side of the middle (half of 13.7 cm, ear to ear), above the eyes to the hairline (6.3 cm)
# and below the mouth to the chin (4.8 cm). Means of adults (Farkas, Anthropometry of the Head and Face, 1994), rounded.
HALF_WIDTH, ABOVE, BELOW = 1.05, 0.97, 0.74
# How sure facexlib must be of a face in a bank picture.
SURE = 0.8
MAX_MEGAPIXELS = 50


@dataclass(frozen=True)
class _Picture:
    file: str
    keypoints: np.ndarray


class FaceBank:
    """Synthetic faces from a folder of pictures."""

    def __init__(self, folder: Path, weights: Path | None, cache: Path = Path(".work/banks")) -> None:
        """Open a bank.

        Args:
            folder: The pictures, each of one synthetic face.
            weights: facexlib's `detection_mobilenet0.25_Final.pth` or `detection_Resnet50_Final.pth`, needed where
                the folder has no `landmarks.csv`.
            cache: Where landmarks that facexlib found are kept.

        Raises:
            FacadeError: There is no such folder or no picture in it, or nothing tells where the landmarks are.
        """
        self.folder = folder
        if not folder.is_dir():
            raise FacadeError(f"synthesize.bank is {folder}, and there is no such folder. Correct params.yaml.")
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise FacadeError(f"the bank {folder} holds no picture ({', '.join(SUFFIXES)}).")
        self._pictures = _read_or_find_landmarks(folder, files, weights, cache)

    def portrait(self, random: np.random.Generator, pose: Pose, face_height: float) -> Portrait:
        """A picture of the bank, whoever comes up; it is mirrored if that brings it nearer to the pose asked for."""
        picture = self._pictures[int(random.integers(len(self._pictures)))]
        pixels, keypoints = read_picture(self.folder / picture.file), picture.keypoints
        if looks_right(keypoints) * pose.yaw < 0:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            keypoints = np.stack([pixels.shape[1] - keypoints[:, 0], keypoints[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
        centre, half = outline(keypoints)
        # Shrunk with a filter first, or small faces would be speckled.
        factor = min(1.0, 1.5 * face_height / (2 * half[1]))
        pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        keypoints, centre, half = keypoints * factor, centre * factor, half * factor
        height, width = pixels.shape[:2]
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        away = np.hypot((x - centre[0]) / half[0], (y - centre[1]) / half[1])
        face = np.clip((1.12 - away) / 0.12, 0, 1).astype(np.float32)
        return Portrait(
            pixels=pixels.astype(np.float32) / 255,
            head=face,
            face=face,
            keypoints=keypoints.astype(np.float32),
            bbox=(centre[0] - half[0], centre[1] - half[1], 2 * half[0], 2 * half[1]),
        )


def read_picture(path: Path) -> np.ndarray:
    """A picture of a bank, (H, W, 3) uint8, BGR.

    Raises:
        FacadeError: The file is missing or damaged.
    """
    try:
        return decode(path.read_bytes(), MAX_MEGAPIXELS).pixels
    except (OSError, BadPhotographError) as error:
        raise FacadeError(f"the bank picture {path} cannot be read ({error}). Remove or replace it.") from None


def outline(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half axes of an upright face, x y in pixels each, from its five landmarks."""
    eyes, mouth = keypoints[:2].mean(0), keypoints[3:].mean(0)
    unit = max(float(np.linalg.norm(mouth - eyes)), 1e-3)
    top, bottom = eyes[1] - ABOVE * unit, mouth[1] + BELOW * unit
    middle = (eyes[0] + mouth[0]) / 2
    return np.array([middle, (top + bottom) / 2]), np.array([HALF_WIDTH * unit, (bottom - top) / 2])


def looks_right(keypoints: np.ndarray) -> float:
    """How far the nose lies to the right of the middle of the eyes, in eye distances; negative for the left."""
    eyes = keypoints[1] - keypoints[0]
    return float((keypoints[2] - keypoints[:2].mean(0)) @ eyes / max(float(eyes @ eyes), 1e-6))


def _read_or_find_landmarks(folder: Path, files: list[str], weights: Path | None, cache: Path) -> list[_Picture]:
    table = folder / "landmarks.csv"
    if table.is_file():
        return _read_table(table)
    kept = cache / f"{_content_key(folder, files, weights)}.csv"
    if kept.is_file():
        return _read_table(kept)
    if weights is None:
        raise FacadeError(
            f"the bank {folder} has no landmarks.csv. Add one, or give synthesize.bank_weights, the path of facexlib's "
            "detection_mobilenet0.25_Final.pth, with which the landmarks are found."
        )
    pictures = find_landmarks(folder, files, weights)
    rows = [",".join([picture.file, *(f"{v:.2f}" for v in picture.keypoints.ravel())]) for picture in pictures]
    write_text(kept, "\n".join(["file,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5", *rows]) + "\n")
    return pictures


def _content_key(folder: Path, files: list[str], weights: Path | None) -> str:
    """Names the pictures, by content, and what finds their landmarks."""
    digest = hashlib.sha256(str(weights and weights.name).encode())
    for file in files:
        digest.update(file.encode() + hashlib.sha256((folder / file).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _read_table(path: Path) -> list[_Picture]:
    with path.open(newline="", encoding="utf-8") as text:
        rows = list(csv.reader(text))[1:]
    try:
        pictures = [_Picture(row[0], np.array(row[1:], float).reshape(5, 2)) for row in rows]
    except (ValueError, IndexError):
        raise FacadeError(f"{path} must have a header and rows of a file and ten numbers. Mend it.") from None
    if not pictures:
        raise FacadeError(f"{path} names no picture.")
    return pictures


def find_landmarks(folder: Path, files: list[str], weights: Path) -> list[_Picture]:
    """Find the landmarks of bank pictures with facexlib's RetinaFace; pictures without one sure face are left out.

    Raises:
        FacadeError: The weights are missing or are not facexlib's, or there is a face in no picture.
    """
    networks = {
        "detection_mobilenet0.25_Final.pth": "retinaface_mobile0.25",
        "detection_Resnet50_Final.pth": "retinaface_resnet50",
    }
    if not weights.is_file() or weights.name not in networks:
        raise FacadeError(f"synthesize.bank_weights is {weights}, which is none of {', '.join(networks)}.")
    import torch  # here, not above: only a bank without a table needs it, and it takes seconds to import
    from facexlib.detection import init_detection_model

    network = init_detection_model(
        networks[weights.name], half=False, device="cpu", model_rootpath=str(weights.parent.resolve())
    )
    torch.set_num_threads(1)  # many threads on one small picture wait for each other more than they work
    pictures = []
    for file in tqdm(files, f"landmarks of {folder.name}", mininterval=1):
        with torch.no_grad():
            found = network.detect_faces(read_picture(folder / file).astype(np.float32), SURE)
        if len(found) == 1:
            pictures.append(_Picture(file, np.asarray(found[0][5:15], float).reshape(5, 2)))
    if not pictures:
        raise FacadeError(f"facexlib found one sure face in no picture of the bank {folder}.")
    return pictures
