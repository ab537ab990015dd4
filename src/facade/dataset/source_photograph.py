"""Opening one photograph of an external data set: its file, its upright pixels, and clean labels."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from facade.dataset.names import printable, stored_name
from facade.dataset.orientation import Stored, upright_faces
from facade.dataset.pixels import BadPhotographError, decode
from facade.dataset.records import Face, Labelled
from facade.params import Ingest

# Maximum absolute coordinate in a label, pixels. Larger values are errors and would overflow later.
MAX_COORDINATE = 1e6
# Maximum length of a file name on common file systems, bytes.
MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class SourcePhotograph:
    """A photograph of an external data set, decoded and with cleaned labels.

    Attributes:
        pixels: (H, W, 3) uint8, BGR, upright.
        faces: Its labels, with valid boxes.
        content: The source file.
        dropped: Number of labels without area.
        clipped: Number of labels that reached over the border.
        without_box: Number of labels without a box.
    """

    pixels: np.ndarray
    faces: tuple[Face, ...]
    content: bytes
    dropped: int
    clipped: int
    without_box: int = 0


def open_photograph(root: Path, labelled: Labelled, params: Ingest) -> SourcePhotograph:
    """Read a photograph of an external data set, rotate it to upright, and clean its labels.

    Args:
        root: The data set, which must contain the file.
        labelled: Its labels.
        params: Minimum face height and maximum size of a photograph.

    Raises:
        BadPhotographError: The photograph cannot be used.
    """
    if labelled.refused:
        raise BadPhotographError(labelled.refused)
    try:
        content = resolve_inside(root, labelled).read_bytes()
    except OSError as error:
        raise BadPhotographError(f"cannot be read: {error.strerror}") from None
    decoded = decode(content, params.max_megapixels)
    try:
        faces = upright_faces(labelled, Stored(decoded.stored, decoded.orientation))
    except ValueError as error:
        raise BadPhotographError(str(error)) from None
    height, width = decoded.pixels.shape[:2]
    faces, dropped, clipped = clean_faces(faces, width, height, params.min_face)
    return SourcePhotograph(decoded.pixels, faces, content, dropped, clipped, len(labelled.without_box))


def resolve_inside(root: Path, labelled: Labelled) -> Path:
    """The path of a labelled file inside the data set, with symbolic links resolved.

    A link may leave the data set for DVC's cache, which `cache.type symlink` fills data sets from.

    Raises:
        BadPhotographError: The path leaves the data set, is missing, or is no file.
    """
    if "\0" in labelled.name:
        raise BadPhotographError("its name contains a null byte")
    if labelled.name != printable(labelled.name):
        raise BadPhotographError("its name is not valid UTF-8")
    if any(len(part.encode()) > MAX_NAME_BYTES for part in PurePosixPath(stored_name(labelled.name)).parts):
        raise BadPhotographError("its name is too long")
    named = labelled.folder / labelled.name
    try:
        # Without the link of the file itself: the labels must not name anything outside.
        place, path = named.parent.resolve() / named.name, named.resolve()
    except (OSError, RuntimeError):
        raise BadPhotographError("its path cannot be resolved") from None
    if not path.is_relative_to(root.resolve()) and not (place.is_relative_to(root.resolve()) and is_cached(path)):
        if Path(os.path.normpath(named)).is_relative_to(os.path.normpath(root)):
            raise BadPhotographError(
                "a link in its path leads out of the data set: replace the link by what it links to, or name a folder "
                "that contains both in ingest.path"
            )
        raise BadPhotographError("its path leaves the data set")
    if not path.is_file():
        raise BadPhotographError("there is no such file")
    return path


def is_cached(path: Path) -> bool:
    """Whether a file is one of a DVC cache: `files/md5/ab/cdef...`, named by the md5 of its content.

    The name is checked against the content, so that no other file can be passed off as one.
    """
    parts = path.parts
    if len(parts) < 4 or parts[-4:-2] != ("files", "md5"):
        return False
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == parts[-2] + parts[-1]


def clean_faces(faces: tuple[Face, ...], width: int, height: int, min_face: float) -> tuple[tuple[Face, ...], int, int]:
    """Faces with valid boxes; the number of dropped faces, and of faces clipped at the border.

    Args:
        faces: Boxes in pixels of the photograph.
        width: Of the photograph, pixels.
        height: Of the photograph, pixels.
        min_face: Lower faces are ignored, pixels.
    """
    valid = []
    dropped = clipped = 0
    for face in faces:
        x, y, w, h = face.bbox
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + w, float(width)), min(y + h, float(height))
        # The condition is negated so that NaN is dropped, too.
        if not (
            abs(x) + abs(y) + abs(w) + abs(h) < MAX_COORDINATE and w > 0 and h > 0 and right > left and bottom > top
        ):
            dropped += 1
            continue
        box = tuple(round(value, 2) for value in (left, top, right - left, bottom - top))
        # A box that rounds to zero size holds no pixel.
        if min(box[2:]) <= 0:
            dropped += 1
            continue
        clipped += (left, top, right, bottom) != (x, y, x + w, y + h)
        points = face.keypoints
        if points is not None:
            finite = all(abs(value) < MAX_COORDINATE for point in points for value in point)
            points = tuple((round(px, 2), round(py, 2)) for px, py in points) if finite else None
        ignore = face.ignore or box[3] < min_face
        valid.append(replace(face, bbox=(box[0], box[1], box[2], box[3]), keypoints=points, ignore=ignore))
    return tuple(valid), dropped, clipped
