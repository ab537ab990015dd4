"""Landmarks of the pictures of a face bank: read from a table in the bank, or detected by facexlib and cached.

The table is `landmarks.csv`: a header, then for each picture its path below the folder, and x and y of the five points
in pixels. A row with a path alone excludes the picture.

Landmarks that facexlib detects while a stage runs are cached under `.work/`, by the content of each picture, and never
written into the bank: it is an input of the stage, and a stage that changes its own input would be stale at once.
`facade bank FOLDER` writes the table on request.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facade.dataset.pixels import BadPhotographError, decode
from facade.errors import FacadeError
from facade.files import write_text
from facade.retinaface import RetinaFace, retinaface_weights

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
TABLE = "landmarks.csv"
HEADER = "file,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5"
# Confidence threshold of facexlib's detector in a bank picture.
MIN_SCORE = 0.8
# Longest side at which RetinaFace sees a picture, pixels: a face that fills a larger one exceeds the largest box that
# it was trained for (512).
MAX_SIDE = 640
# Larger pictures are refused before they are decoded.
MAX_MEGAPIXELS = 50

# None: no face is detected in the picture, or more than one; it is left out.
Landmarks = np.ndarray | None


@dataclass(frozen=True)
class Portraits:
    """Pictures of one face each.

    Attributes:
        files: Paths below the bank's folder.
        keypoints: (N, 5, 2) float, x y in pixels.
    """

    files: list[str]
    keypoints: np.ndarray


def read_picture(path: Path) -> np.ndarray:
    """A picture of a bank, (H, W, 3) uint8, BGR, upright.

    Raises:
        FacadeError: The file is missing or damaged.
    """
    try:
        return decode(path.read_bytes(), MAX_MEGAPIXELS).pixels
    except (OSError, BadPhotographError) as error:
        raise FacadeError(f"the bank picture {path} cannot be read ({error}). Remove or replace it.") from None


def content_key(path: Path) -> str:
    """Hash of a picture's content, 32 hexadecimal digits."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    except OSError as error:
        raise FacadeError(
            f"the bank picture {path} cannot be read ({error.strerror}). Check its permissions."
        ) from None


def read_portraits(folder: Path, weights: Path | None, cache: Path) -> Portraits:
    """The pictures of a bank, with their landmarks.

    Args:
        folder: The bank.
        weights: facexlib's RetinaFace; None downloads the publisher's. Needed only for pictures that are not in the
            table.
        cache: Where detected landmarks are cached.

    Raises:
        FacadeError: The folder is missing or shows no face, a picture is missing or damaged, the table is invalid, or
            the weights are missing.
    """
    named = _all_landmarks(folder, weights, cache)
    usable = {file: points for file, points in named.items() if points is not None}
    if not usable:
        raise FacadeError(f"facexlib detects exactly one face in no picture of the bank {folder}.")
    return Portraits(list(usable), np.stack(list(usable.values())))


def write_landmark_table(folder: Path, weights: Path | None, cache: Path) -> tuple[int, int]:
    """Write `landmarks.csv` into the bank: its existing rows, and what facexlib detects in the other pictures.

    Returns:
        Number of pictures with landmarks; number of pictures left out.

    Raises:
        FacadeError: As `read_portraits`; or the folder is not writable.
    """
    named = _all_landmarks(folder, weights, cache)
    table = io.StringIO()
    table.write(HEADER + "\n")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([file, *_cells(points)] for file, points in named.items())
    try:
        write_text(folder / TABLE, table.getvalue())
    except OSError as error:
        raise FacadeError(f"{folder / TABLE} cannot be written ({error.strerror}). Check the permissions.") from None
    usable = sum(points is not None for points in named.values())
    return usable, len(named) - usable


def _all_landmarks(folder: Path, weights: Path | None, cache: Path) -> dict[str, Landmarks]:
    """Landmarks of every picture of a bank, in the order of their paths."""
    if not folder.is_dir():
        raise FacadeError(f"synthesize.bank is {folder}, which does not exist. Correct params.yaml.")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise FacadeError(f"the bank {folder} has no pictures ({', '.join(SUFFIXES)}).")
    named = _read_table(folder / TABLE) if (folder / TABLE).is_file() else {}
    missing = sorted(named.keys() - set(files))
    if missing:
        raise FacadeError(
            f"{folder / TABLE} names {len(missing)} missing pictures, the first of which is {missing[0]}. Restore "
            "them, or delete their rows."
        )
    unnamed = [file for file in files if file not in named]
    detected = _detect_or_read_cache(folder, unnamed, weights, cache) if unnamed else {}
    return {file: named[file] if file in named else detected[file] for file in files}


def _detect_or_read_cache(folder: Path, files: list[str], weights: Path | None, cache: Path) -> dict[str, Landmarks]:
    weights = retinaface_weights(weights, "synthesize.bank_weights")
    cache_file = cache / f"landmarks-{content_key(weights)[:16]}.csv"
    cached = _read_table(cache_file) if cache_file.is_file() else {}
    keys = {file: content_key(folder / file) for file in files}
    unknown = [file for file in files if keys[file] not in cached]
    if unknown:
        network = RetinaFace(weights)
        for file in tqdm(unknown, f"landmarks of {folder.name}", mininterval=1):
            cached[keys[file]] = detect_landmarks(network, read_picture(folder / file))
        rows = [",".join([key, *_cells(points)]) for key, points in cached.items()]
        write_text(cache_file, "\n".join([HEADER, *rows]) + "\n")
    return {file: cached[keys[file]] for file in files}


def detect_landmarks(network: RetinaFace, picture: np.ndarray) -> Landmarks:
    """The landmarks of the only face of a picture, (5, 2), or None if there is none, or more than one.

    Args:
        network: Face detector.
        picture: (H, W, 3) uint8, BGR.
    """
    faces = network.detect(picture, MIN_SCORE, min(1.0, MAX_SIDE / max(picture.shape[:2])))
    return faces[0].keypoints.round(2) if len(faces) == 1 else None


def _cells(points: Landmarks) -> list[str]:
    return [""] * 10 if points is None else [f"{value:.2f}" for value in points.ravel()]


def _read_table(path: Path) -> dict[str, Landmarks]:
    try:
        with path.open(newline="", encoding="utf-8") as text:
            rows = list(csv.reader(text))[1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FacadeError(f"{path} is not a readable CSV table ({error}). Fix or delete it.") from None
    named: dict[str, Landmarks] = {}
    for line, row in enumerate(rows, 2):
        if not any(row):
            continue
        numbers = [cell for cell in row[1:] if cell.strip()]
        try:
            points = np.array(numbers, float).reshape(5, 2) if numbers else None
        except ValueError:
            raise FacadeError(
                f"{path}, line {line}, must have a path and ten numbers, or a path alone. Fix it."
            ) from None
        # Coinciding or non-finite points cannot be aligned.
        if points is not None and not (np.linalg.norm(points[:2].mean(0) - points[3:].mean(0)) >= 1):
            raise FacadeError(
                f"{path}, line {line}: these are not the landmarks of a face (eyes and mouth coincide). Fix them."
            )
        named[row[0]] = points
    return named
