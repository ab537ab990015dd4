"""Reading data sets in WIDER FACE layout, as published or as exported by CVAT and Datumaro.

Photographs are `WIDER_<split>/images/<event>/*.jpg`, labels `wider_face_split/wider_face_<split>_bbx_gt.txt`.

Optional landmarks use the format of the RetinaFace release: `<split>/label.txt` or `WIDER_<split>/label.txt`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from facade.dataset.categories import face_categories
from facade.dataset.label_text import finite_numbers, read_label_lines
from facade.dataset.labels import Labels, LeftOut
from facade.dataset.landmark_lines import read_landmark_lines
from facade.dataset.pictures import SUFFIXES, PictureFinder, spelled_alike
from facade.dataset.records import ATTRIBUTES, Box, Face, Labelled, Point
from facade.dataset.splits import has_both, split_of
from facade.errors import FacadeError

FOLDER = "wider_face_split"
LISTS = re.compile(r"wider_face_(.+)_bbx_gt\.txt", re.IGNORECASE)
Landmarks = dict[str, list[tuple[Box, tuple[Point, ...]]]]
# The category of boxes that name none.
FACE = "face"


@dataclass(frozen=True)
class WiderFace:
    """A line of a label file."""

    face: Face
    category: str


def is_wider(root: Path) -> bool:
    """Whether a data set has WIDER FACE layout."""
    return (root / FOLDER).is_dir()


def read_wider(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set in WIDER FACE layout. Splits other than `train` are the golden set.

    Args:
        root: The data set.
        categories: Names of the categories that are faces, where an export names categories; empty to take those that
            are called a face.

    Raises:
        FacadeError: A label file is missing or malformed. The message gives the line.
    """
    lists = _lists(root)
    # Datumaro lists a photograph without faces by its name alone. In an original file such a line is a damage.
    exported = (root / "labels.txt").is_file()
    read = {name: list(_read_boxes(path, exported)) for name, path in lists.items()}
    counts = Counter(line.category for photographs in read.values() for _, lines in photographs for line in lines)
    counts.setdefault(FACE, 0)
    taken = face_categories(counts, categories, str(root / FOLDER))
    splits = {name: split_of(name) for name in lists}
    if len(lists) > 1 and (None in splits.values() or not has_both(splits.values())):
        raise FacadeError(
            f"{root / FOLDER} holds lists of {', '.join(lists)}, which do not identify the training and golden splits. "
            "Name them train and val."
        )
    finder, labelled = PictureFinder(), []
    for name, photographs in read.items():
        landmarks = _landmarks(root, name)
        folder = root / f"WIDER_{name}" / "images"
        for picture, lines in photographs:
            faces = [replace(line.face, index=index) for index, line in enumerate(lines) if line.category in taken]
            with_points = _attach(faces, landmarks.get(spelled_alike(picture), []))
            known = finder.find([folder], picture) or (folder, picture)
            split = splits[name] if len(lists) > 1 else None
            labels = lists[name].relative_to(root).as_posix()
            labelled.append(Labelled(known[1], known[0], split, with_points, labels=labels))
    return Labels("WIDER FACE", tuple(labelled), counts, taken, tuple(_left_out(root, lists)))


def _lists(root: Path) -> dict[str, Path]:
    """The label files by split as it is spelled, training first."""
    found = {}
    for path in sorted((root / FOLDER).iterdir()):
        match = LISTS.fullmatch(path.name)
        if match and path.is_file():
            found[match[1]] = path
    if not found or {split_of(name) for name in found} in ({"train"}, {"golden"}):
        # One of the two published lists is missing: the message names it.
        for name in ("train", "val"):
            found.setdefault(name, root / FOLDER / f"wider_face_{name}_bbx_gt.txt")
    return dict(sorted(found.items(), key=lambda item: split_of(item[0]) != "train"))


def _left_out(root: Path, lists: dict[str, Path]) -> Iterator[LeftOut]:
    for path in sorted((root / FOLDER).glob("*.txt")):
        if path not in lists.values() and path.name.lower() != "readme.txt":
            yield LeftOut(path.relative_to(root).as_posix(), "it lists photographs without boxes")


def _landmarks(root: Path, name: str) -> Landmarks:
    landmarks: Landmarks = {}
    for path in (root / name / "label.txt", root / f"WIDER_{name}" / "label.txt"):
        if path.is_file():
            landmarks = {
                spelled_alike(picture): [(box, points) for box, points in faces if points is not None]
                for picture, faces in read_landmark_lines(path)
            }
    return landmarks


def _read_boxes(path: Path, exported: bool) -> Iterator[tuple[str, list[WiderFace]]]:
    lines = read_label_lines(path)
    at = 0
    while at < len(lines):
        name = lines[at].strip()
        if not name:
            at += 1
            continue
        if exported and (at + 1 == len(lines) or Path(lines[at + 1].strip()).suffix.lower() in SUFFIXES):
            at += 1
            yield name, []
            continue
        count = _count(path, lines, at + 1)
        faces = [_box_line(path, lines, at + 2 + number, exported) for number in range(count)]
        at += 2 + count
        # A photograph without faces still has one line of zeros, but not in exports.
        if count == 0 and _is_zeros(lines[at] if at < len(lines) else ""):
            at += 1
        yield name, faces


def _count(path: Path, lines: list[str], at: int) -> int:
    text = lines[at].strip() if at < len(lines) else ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise FacadeError(f"{path}, line {at + 1}: expected the number of faces, found {text[:60]!r}. Fix the line.")
    return int(text)


def _is_zeros(line: str) -> bool:
    values = finite_numbers(line.split())
    return bool(values) and len(values or []) >= 4


def _box_line(path: Path, lines: list[str], at: int, exported: bool) -> WiderFace:
    """A face: x y w h, then all attributes or none; in an export - for missing ones, and then a category."""
    words = (lines[at] if at < len(lines) else "").split()
    is_number = [finite_numbers([word]) is not None or (exported and word == "-") for word in words]
    count = is_number.index(False) if False in is_number else len(words)
    category = " ".join(words[count:])
    box = finite_numbers(words[:4])
    if not box or (category and (count < 4 or not exported)):
        text = lines[at] if at < len(lines) else ""
        raise FacadeError(f"{path}, line {at + 1}: expected numbers, found {text[:60]!r}. Fix the line.")
    if count not in (4, 4 + len(ATTRIBUTES)):
        raise FacadeError(
            f"{path}, line {at + 1}: expected x y w h and {len(ATTRIBUTES)} attributes, found {count} numbers. "
            "Fix the line."
        )
    named = zip(ATTRIBUTES, words[4:count], strict=False)
    attributes = {name: int(float(value)) for name, value in named if value != "-"}
    face = Face((box[0], box[1], box[2], box[3]), ignore=bool(attributes.get("invalid", 0)), attributes=attributes)
    return WiderFace(face, category or FACE)


def _attach(faces: list[Face], landmarks: list[tuple[Box, tuple[Point, ...]]]) -> tuple[Face, ...]:
    """Attach landmarks to the faces with exactly the same box."""
    by_box = dict(landmarks)
    return tuple(replace(face, keypoints=by_box[face.bbox]) if face.bbox in by_box else face for face in faces)
