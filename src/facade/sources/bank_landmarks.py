"""Where the landmarks of a bank's pictures are: in a table beside them, or found by facexlib and kept.

The table is `landmarks.csv`: a header, then for each picture its path below the folder, and x and y of the five points
in pixels. A row of a path alone leaves the picture out.

What facexlib finds while a stage runs is kept under `.work/`, by the content of each picture, and never written into
the folder: the folder is an input of the stage, and an input that changes because its stage ran would make it run
again. `python -m facade.sources.bank FOLDER` writes the table, on purpose.
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
# How sure facexlib must be of a face in a bank picture.
SURE = 0.8
# RetinaFace sees pictures with this longest side at the most, pixels: a face that fills a larger one exceeds the
# largest box that it was trained for (512).
LONGEST_SIDE = 640
# Larger pictures are refused before they are unpacked.
MAX_MEGAPIXELS = 50

# None: there is no sure face in the picture, or more than one; it is left out.
Landmarks = np.ndarray | None


@dataclass(frozen=True)
class Portraits:
    """Pictures of one face each, by name.

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
    """Names a picture by its content, 32 hexadecimal digits."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    except OSError as error:
        raise FacadeError(
            f"the bank picture {path} cannot be read ({error.strerror}). Check its permissions."
        ) from None


def portraits(folder: Path, weights: Path | None, cache: Path) -> Portraits:
    """The pictures of a bank, with their landmarks.

    Args:
        folder: The bank.
        weights: facexlib's RetinaFace; None for the publisher's. Needed only for pictures that no table names.
        cache: Where landmarks that facexlib found are kept.

    Raises:
        FacadeError: There is no such folder, no picture with a face in it, a picture is missing or damaged, the table
            cannot be understood, or the weights are not at hand.
    """
    named = _all_landmarks(folder, weights, cache)
    usable = {file: points for file, points in named.items() if points is not None}
    if not usable:
        raise FacadeError(f"no picture of the bank {folder} shows one face that facexlib is sure of.")
    return Portraits(list(usable), np.stack(list(usable.values())))


def write_table(folder: Path, weights: Path | None, cache: Path) -> tuple[int, int]:
    """Write `landmarks.csv` beside the pictures: what it said before, and what facexlib finds in the others.

    Returns:
        How many pictures have landmarks; how many are left out.

    Raises:
        FacadeError: As `portraits`; or the folder cannot be written.
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
    """Landmarks of every picture of a bank, in the order of their names."""
    if not folder.is_dir():
        raise FacadeError(f"synthesize.bank is {folder}, and there is no such folder. Correct params.yaml.")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise FacadeError(f"the bank {folder} holds no picture ({', '.join(SUFFIXES)}).")
    named = _read_table(folder / TABLE) if (folder / TABLE).is_file() else {}
    missing = sorted(named.keys() - set(files))
    if missing:
        raise FacadeError(
            f"{folder / TABLE} names {len(missing)} pictures that are not there, {missing[0]} the first. Put them "
            "back, or take them out of the table."
        )
    unnamed = [file for file in files if file not in named]
    found = _found_or_kept(folder, unnamed, weights, cache) if unnamed else {}
    return {file: named[file] if file in named else found[file] for file in files}


def _found_or_kept(folder: Path, files: list[str], weights: Path | None, cache: Path) -> dict[str, Landmarks]:
    weights = retinaface_weights(weights, "synthesize.bank_weights")
    kept_in = cache / f"landmarks-{content_key(weights)[:16]}.csv"
    kept = _read_table(kept_in) if kept_in.is_file() else {}
    keys = {file: content_key(folder / file) for file in files}
    unknown = [file for file in files if keys[file] not in kept]
    if unknown:
        network = RetinaFace(weights)
        for file in tqdm(unknown, f"landmarks of {folder.name}", mininterval=1):
            kept[keys[file]] = find_landmarks(network, read_picture(folder / file))
        rows = [",".join([key, *_cells(points)]) for key, points in kept.items()]
        write_text(kept_in, "\n".join([HEADER, *rows]) + "\n")
    return {file: kept[keys[file]] for file in files}


def find_landmarks(network: RetinaFace, picture: np.ndarray) -> Landmarks:
    """The landmarks of the one face of a picture, (5, 2), or None if there is none, or more than one.

    Args:
        network: Finds faces.
        picture: (H, W, 3) uint8, BGR.
    """
    found = network.faces(picture, SURE, min(1.0, LONGEST_SIDE / max(picture.shape[:2])))
    return found[0].keypoints.round(2) if len(found) == 1 else None


def _cells(points: Landmarks) -> list[str]:
    return [""] * 10 if points is None else [f"{value:.2f}" for value in points.ravel()]


def _read_table(path: Path) -> dict[str, Landmarks]:
    try:
        with path.open(newline="", encoding="utf-8") as text:
            rows = list(csv.reader(text))[1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FacadeError(f"{path} cannot be read as a table ({error}). Mend or remove it.") from None
    named: dict[str, Landmarks] = {}
    for line, row in enumerate(rows, 2):
        if not any(row):
            continue
        numbers = [cell for cell in row[1:] if cell.strip()]
        try:
            points = np.array(numbers, float).reshape(5, 2) if numbers else None
        except ValueError:
            raise FacadeError(
                f"{path}, line {line}, must be a file and ten numbers, or a file alone. Mend it."
            ) from None
        # Nothing can be aligned on points that coincide, or are not numbers.
        if points is not None and not (np.linalg.norm(points[:2].mean(0) - points[3:].mean(0)) >= 1):
            raise FacadeError(
                f"{path}, line {line}: these are not the landmarks of a face (eyes on the mouth). Mend it."
            )
        named[row[0]] = points
    return named
