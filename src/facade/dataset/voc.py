"""Reading data sets in Pascal VOC layout: one XML file per photograph.

Labels are `Annotations/*.xml`, `labels/*.xml` (FiftyOne), or XML files next to the photographs, at the root or in
folders `train`, `valid` and `test` (Roboflow). Photographs are in `JPEGImages/`, `images/`, `data/`, or next to the
labels. Lists in `ImageSets/Main/` give the splits.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from facade.dataset.categories import face_categories
from facade.dataset.label_text import finite_numbers, read_label_lines
from facade.dataset.label_xml import read_label_xml
from facade.dataset.labels import Labels, LeftOut
from facade.dataset.pictures import PictureFinder, spelled_alike
from facade.dataset.records import Box, Face, Labelled, Split
from facade.dataset.segmentation import box_of_points, rotated_box
from facade.dataset.splits import NO_SPLIT, has_both, split_folders, split_of, subfolders, with_suffix
from facade.errors import FacadeError

LABEL_FOLDERS = ("annotations", "labels")
IMAGE_FOLDERS = ("jpegimages", "images", "data")


@dataclass(frozen=True)
class VocObject:
    """An object of a label file: its left, top, right and bottom as the file gives them; None if it has no box."""

    name: str
    edges: Box | None
    ignore: bool
    angle: float


@dataclass(frozen=True)
class VocFile:
    """A label file."""

    path: Path
    picture: str
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]
    damage: str = ""


def label_files(root: Path) -> list[Path]:
    """The XML files of a data set at the places where labels can be."""
    folders = [root, *_named(root, LABEL_FOLDERS)]
    for folder in list(folders):
        inner = [path for path, _ in split_folders(folder)]
        folders += [*inner, *(below for path in inner for below in _named(path, LABEL_FOLDERS))]
    return list(dict.fromkeys(with_suffix(folders, ".xml")))


def is_voc(root: Path) -> bool:
    """Whether a data set has Pascal VOC layout: its first XML file is an annotation of one photograph."""
    paths = label_files(root)
    try:
        return bool(paths) and read_label_xml(paths[0]).tag == "annotation"
    except FacadeError:
        return True  # reading it says what is wrong


def read_voc(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set in Pascal VOC layout. `val` and `test` are the golden set.

    VOC counts pixels from 1, and its box includes the last one. Many tools write pixels from 0 into the same fields. If
    any box of the data set begins at 0, all of them count from 0.

    Args:
        root: The data set.
        categories: Names of the objects that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: No object can be a face. A photograph whose label file is malformed is refused.
    """
    files, left_out = [], []
    for path in label_files(root):
        file = _file_or_damage(path)
        if file is not None:
            files.append(file)
        else:
            left_out.append(LeftOut(path.relative_to(root).as_posix(), "it is no annotation of a photograph"))
    counts = Counter(one.name for file in files for one in file.objects)
    faces = face_categories(counts, categories, str(root))
    first = 0 if any(one.edges and min(one.edges[:2]) < 1 for file in files for one in file.objects) else 1
    lists = _lists(root)
    splits = {file.path: _split(root, file.path, lists) for file in files}
    if lists:
        left_out += [
            LeftOut(file.path.relative_to(root).as_posix(), "no list in ImageSets/Main names it")
            for file in files
            if splits[file.path] is None
        ]
        files = [file for file in files if splits[file.path] is not None]
        counts = Counter(one.name for file in files for one in file.objects)
    both = has_both(splits[file.path] for file in files)
    finder, photographs = PictureFinder(), []
    for file in files:
        split = splits[file.path] if both else None
        one = _labelled(root, file, split, faces, first, finder)
        photographs.append(replace(one, refused=NO_SPLIT) if both and split is None else one)
    return Labels("Pascal VOC", tuple(photographs), counts, faces, tuple(left_out))


def _labelled(
    root: Path, file: VocFile, split: Split | None, faces: Collection[str], first: int, finder: PictureFinder
) -> Labelled:
    folders = [
        *_named(file.path.parent, IMAGE_FOLDERS), file.path.parent,
        *_named(file.path.parent.parent, IMAGE_FOLDERS), *_named(root, IMAGE_FOLDERS),
        # labels/train with images/train
        *(path for folder in _named(root, IMAGE_FOLDERS) for path in _named(folder, (file.path.parent.name.lower(),))),
    ]  # fmt: skip
    folders = [folder for folder in dict.fromkeys(folders) if folder.is_relative_to(root)]
    known = finder.find(folders, file.picture) if file.picture else None
    known = known or finder.find_stem(folders, file.path.stem)
    folder, name = known or (root, file.picture or f"{file.path.stem}.jpg")
    kept, without_box = [], []
    for number, one in enumerate(file.objects, 1):
        if one.name not in faces:
            continue
        if one.edges is None:
            without_box.append(f"object {number} of {file.path.name}")
            continue
        left, top, right, bottom = one.edges
        box = (left - first, top - first, right - left + first, bottom - top + first)
        kept.append(Face(rotated_box(box, one.angle) if one.angle else box, ignore=one.ignore))
    return Labelled(
        name,
        folder,
        split,
        tuple(kept),
        file.size,
        labels="the label files",
        without_box=tuple(without_box),
        refused=file.damage,
    )


def _named(folder: Path, names: Collection[str]) -> list[Path]:
    return [path for path in subfolders(folder) if path.name.lower() in names]


def _lists(root: Path) -> dict[str, Split]:
    """The split of each photograph by its name without ending, from ImageSets/Main."""
    lists: dict[str, Split] = {}
    folders = [below for folder in _named(root, ["imagesets"]) for below in _named(folder, ["main"])]
    for path in with_suffix(folders, ".txt"):
        # <class>_train.txt lists the photographs again. trainval.txt is the union of train.txt and val.txt.
        split = split_of(path.stem)
        if split is None or "_" in path.stem or path.stem.lower() == "trainval":
            continue
        for line in read_label_lines(path):
            if words := line.split():
                lists[spelled_alike(words[0])] = split
    return lists


def _split(root: Path, path: Path, lists: dict[str, Split]) -> Split | None:
    if lists:
        return lists.get(spelled_alike(path.stem))
    return split_of(path.parent.relative_to(root).as_posix())


def _file_or_damage(path: Path) -> VocFile | None:
    """A label file, or what is wrong with it; None if it is another XML file."""
    try:
        tree = read_label_xml(path)
        return _read(path, tree) if tree.tag == "annotation" else None
    except FacadeError as error:  # ingest refuses the photograph, not the data set
        return VocFile(path, "", None, (), str(error))


def _read(path: Path, tree: Element) -> VocFile:
    width, height = _number(path, tree, "size/width"), _number(path, tree, "size/height")
    size = (int(width), int(height)) if width and height else None  # some tools write 0
    objects = tuple(_object(path, element) for element in tree.findall("object"))
    return VocFile(path, (tree.findtext("filename") or "").strip(), size, objects)


def _object(path: Path, element: Element) -> VocObject:
    name = (element.findtext("name") or "").strip()
    ignore = any(_number(path, element, key) not in (None, 0) for key in ("difficult", "ignore"))
    values = [_number(path, element, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
    edges: Box | None = None
    if all(value is not None for value in values):
        left, top, right, bottom = (float(value or 0) for value in values)
        edges = (left, top, right, bottom)
    elif element.find("bndbox") is None and (points := list(_outline(path, element))):
        outline = box_of_points(points)
        if outline is not None:
            edges = (outline[0], outline[1], outline[0] + outline[2], outline[1] + outline[3])
    return VocObject(name, edges, ignore, _angle(path, element))


def _outline(path: Path, element: Element) -> Iterator[tuple[float, float]]:
    """The points of a polygon: x1, y1, x2, y2 ... (Roboflow), or pt/x, pt/y (LabelMe)."""
    number = 1
    while (x := _number(path, element, f"polygon/x{number}")) is not None:
        y = _number(path, element, f"polygon/y{number}")
        if y is None:
            return
        yield x, y
        number += 1
    for point in element.findall("polygon/pt"):
        px, py = _number(path, point, "x"), _number(path, point, "y")
        if px is not None and py is not None:
            yield px, py


def _angle(path: Path, element: Element) -> float:
    """The rotation of a box in degrees, clockwise, as CVAT writes it."""
    for attribute in element.findall("attributes/attribute"):
        if (attribute.findtext("name") or "").strip() == "rotation":
            return _number(path, attribute, "value") or 0.0
    return 0.0


def _number(path: Path, element: Element, key: str) -> float | None:
    """The number in a field; None if the field is missing or empty."""
    text = (element.findtext(key) or "").strip()
    if not text:
        return None
    values = finite_numbers([text])
    if values is None:
        raise FacadeError(f"{path}: expected a number as {key.replace('/', ' ')}, found {text[:60]!r}. Fix the file.")
    return values[0]
