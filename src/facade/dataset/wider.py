"""Reading data sets in WIDER FACE layout.

Photographs are `WIDER_<split>/images/<event>/*.jpg`, labels `wider_face_split/wider_face_<split>_bbx_gt.txt`.

Optional landmarks use the format of the RetinaFace release: `<split>/label.txt` or `WIDER_<split>/label.txt`, with a
line `# <event>/<file>` followed by one line per face: x y w h, five times x y and a flag, and a blur score. -1 marks a
landmark that could not be annotated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from facade.dataset.records import ATTRIBUTES, Box, Face, Labelled, Point, Split
from facade.errors import FacadeError

SPLITS: Mapping[str, Split] = {"train": "train", "val": "golden"}
Landmarks = dict[str, list[tuple[Box, tuple[Point, ...]]]]


def is_wider(root: Path) -> bool:
    """Whether a data set has WIDER FACE layout."""
    return (root / "wider_face_split").is_dir()


def read_wider(root: Path) -> list[Labelled]:
    """Read the labels of a data set in WIDER FACE layout; its `val` split is the golden set.

    Raises:
        FacadeError: A label file is missing or malformed. The message gives the line.
    """
    labelled: list[Labelled] = []
    for name, split in SPLITS.items():
        labels = root / "wider_face_split" / f"wider_face_{name}_bbx_gt.txt"
        landmarks: Landmarks = {}
        for path in (root / name / "label.txt", root / f"WIDER_{name}" / "label.txt"):
            if path.is_file():
                landmarks = _read_landmarks(path)
        folder = root / f"WIDER_{name}" / "images"
        for picture, faces in _read_boxes(labels):
            with_points = _attach(faces, landmarks.get(picture, []))
            labelled.append(Labelled(picture, folder, split, with_points))
    return labelled


def read_lines(path: Path) -> list[str]:
    """The lines of a label file.

    Raises:
        FacadeError: The file is missing or is not text.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing, but WIDER FACE layout requires it. Check ingest.path.") from None
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except UnicodeDecodeError:
        raise FacadeError(f"{path} is not UTF-8 text. Replace it with the original label file.") from None


def _read_boxes(path: Path) -> Iterator[tuple[str, list[Face]]]:
    lines = read_lines(path)
    at = 0
    while at < len(lines):
        name = lines[at].strip()
        if not name:
            at += 1
            continue
        count = _count(path, lines, at + 1)
        # A photograph without faces still has one line of zeros.
        faces = [_box_line(path, lines, at + 2 + number) for number in range(max(count, 1))]
        at += 2 + max(count, 1)
        yield name, [replace(face, index=index) for index, face in enumerate(faces[:count])]


def _count(path: Path, lines: list[str], at: int) -> int:
    text = lines[at].strip() if at < len(lines) else ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise FacadeError(f"{path}, line {at + 1}: expected the number of faces, found {text[:60]!r}. Fix the line.")
    return int(text)


def _box_line(path: Path, lines: list[str], at: int) -> Face:
    values = _numbers(path, lines, at)
    if len(values) != 4 + len(ATTRIBUTES):
        raise FacadeError(
            f"{path}, line {at + 1}: expected x y w h and {len(ATTRIBUTES)} attributes, found {len(values)} numbers. "
            "Fix the line."
        )
    attributes = {name: int(value) for name, value in zip(ATTRIBUTES, values[4:], strict=True)}
    return Face((values[0], values[1], values[2], values[3]), ignore=bool(attributes["invalid"]), attributes=attributes)


def _numbers(path: Path, lines: list[str], at: int) -> list[float]:
    text = lines[at] if at < len(lines) else ""
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if not values or any(value - value != 0 for value in values):  # rejects inf and nan
        raise FacadeError(f"{path}, line {at + 1}: expected numbers, found {text[:60]!r}. Fix the line.")
    return values


def _read_landmarks(path: Path) -> Landmarks:
    lines = read_lines(path)
    landmarks: Landmarks = {}
    name = None
    for at, line in enumerate(lines):
        if line.startswith("#"):
            name = line[1:].strip()
            landmarks[name] = []
        elif line.strip():
            values = _numbers(path, lines, at)
            if name is None or len(values) < 19:
                raise FacadeError(
                    f"{path}, line {at + 1}: expected `# file`, then x y w h and five landmarks. Fix the line."
                )
            points = tuple(zip(values[4:19:3], values[5:19:3], strict=True))
            if min(min(point) for point in points) >= 0:
                landmarks[name].append(((values[0], values[1], values[2], values[3]), points))
    return landmarks


def _attach(faces: list[Face], landmarks: list[tuple[Box, tuple[Point, ...]]]) -> tuple[Face, ...]:
    """Attach landmarks to the faces with exactly the same box."""
    by_box = dict(landmarks)
    return tuple(replace(face, keypoints=by_box[face.bbox]) if face.bbox in by_box else face for face in faces)
