"""The label format of the RetinaFace release: boxes with five landmarks.

A line `# <event>/<file>` is followed by one line per face: x y w h, five times x y and a flag, and a blur score; or
x y w h alone. -1 marks a landmark that could not be annotated.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from facade.dataset.label_text import finite_numbers, read_label_lines
from facade.dataset.labels import Labels, LeftOut
from facade.dataset.pictures import PictureFinder
from facade.dataset.records import Box, Face, Labelled, Point
from facade.dataset.splits import split_folders
from facade.errors import FacadeError

# x y w h, and five times x y and a flag. The blur score follows in most files.
BOX_NUMBERS, LANDMARK_NUMBERS = 4, 19
LABELS = "label.txt"


def read_landmark_lines(path: Path) -> Iterator[tuple[str, list[tuple[Box, tuple[Point, ...] | None]]]]:
    """The photographs of a label file with their boxes, and the landmarks of each where all five are annotated.

    Raises:
        FacadeError: The file is missing or malformed. The message gives the line.
    """
    name = None
    faces: list[tuple[Box, tuple[Point, ...] | None]] = []
    for number, line in enumerate(read_label_lines(path), 1):
        if line.startswith("#"):
            if name is not None:
                yield name, faces
            name, faces = line[1:].strip(), []
        elif line.strip():
            values = finite_numbers(line.split())
            if name is None or values is None or (len(values) != BOX_NUMBERS and len(values) < LANDMARK_NUMBERS):
                raise FacadeError(
                    f"{path}, line {number}: expected `# file`, then x y w h and five landmarks. Fix the line."
                )
            points = tuple(zip(values[4:19:3], values[5:19:3], strict=True))
            annotated = bool(points) and min(min(point) for point in points) >= 0
            faces.append(((values[0], values[1], values[2], values[3]), points if annotated else None))
    if name is not None:
        yield name, faces


def label_files(root: Path) -> list[Path]:
    """The label files of a data set in the layout of the RetinaFace release: `<split>/label.txt`."""
    folders = [folder for folder, _ in split_folders(root)]
    return [folder / LABELS for folder in folders if (folder / LABELS).is_file() and (folder / "images").is_dir()]


def read_retinaface(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set in the layout of the RetinaFace release.

    Args:
        root: The data set.
        categories: Without effect: all boxes are faces.

    Raises:
        FacadeError: A label file is malformed. The message gives the line.
    """
    del categories
    splits = dict(split_folders(root))
    content = {path: list(read_landmark_lines(path)) for path in label_files(root)}
    # The release lists the photographs of val and test without boxes; they are no photographs without faces.
    labelled = {path: photographs for path, photographs in content.items() if any(faces for _, faces in photographs)}
    left_out = [
        LeftOut(path.relative_to(root).as_posix(), "it lists photographs without boxes")
        for path in content
        if path not in labelled
    ]
    finder, found = PictureFinder(), []
    for path, photographs in labelled.items():
        folder = path.parent / "images"
        split = splits[path.parent] if len(labelled) > 1 else None
        for name, faces in photographs:
            known = finder.find([folder], name) or (folder, name)
            boxes = tuple(Face(box, points) for box, points in faces)
            found.append(Labelled(known[1], known[0], split, boxes, labels=path.relative_to(root).as_posix()))
    count = sum(len(one.faces) for one in found)
    return Labels("RetinaFace", tuple(found), {"face": count}, frozenset({"face"}), tuple(left_out))
