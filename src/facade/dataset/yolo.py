"""Reading data sets in YOLO layout: one text file per photograph, with a line per object.

A line is `class x y w h` (center and size), `class x1 y1 x2 y2 ...` (an outline), or, if `data.yaml` gives a
`kpt_shape`, a box with keypoints. All are shares of the photograph's width and height. Supported are the folders of
Ultralytics (`images/train` with `labels/train`), Roboflow (`train/images` with `train/labels`), Label Studio
(`classes.txt`), and Darknet's as CVAT exports them (`obj.names`, text files next to the photographs).

A photograph whose text file is empty has no face. One without a text file is not taken: nobody may have labelled it.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from facade.dataset.categories import face_categories
from facade.dataset.label_text import finite_numbers, read_label_lines, read_label_text
from facade.dataset.labels import Labels, LeftOut
from facade.dataset.pictures import list_pictures, spelled_alike
from facade.dataset.records import Face, Labelled, Point, Split
from facade.dataset.segmentation import box_of_points
from facade.dataset.splits import NO_SPLIT, has_both, split_folders, split_of, subfolders, with_suffix
from facade.errors import FacadeError

# Keys of data.yaml that name photographs.
PARTS: Mapping[str, Split] = {"train": "train", "val": "golden", "valid": "golden", "test": "golden"}
# Beyond this a coordinate is one in pixels: faces cut by the border reach little over it.
MAX_SHARE = 2.0
# A box and five landmarks, or an outline of seven points.
AMBIGUOUS = 1 + 4 + 10


@dataclass(frozen=True)
class Description:
    """The content of `data.yaml`, or what takes its place.

    Attributes:
        file: Where it stands, for messages.
        names: Names of the classes by number.
        parts: Folders or lists of photographs, as they are named, with their split.
        base: Folder that they are relative to.
        keypoints: Number of keypoints, and of values for each (2 or 3); None if labels have none.
    """

    file: Path
    names: Mapping[int, str]
    parts: tuple[tuple[str, Split], ...] = ()
    base: str = ""
    keypoints: tuple[int, int] | None = None


@dataclass(frozen=True)
class Object:
    """A line of a label file."""

    name: str
    face: Face
    columns: int


def is_yolo(root: Path) -> bool:
    """Whether a data set has YOLO layout."""
    return any(_looks_like_description(path) for path in _yaml_files(root)) or any(True for _ in _label_files(root))


def read_yolo(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set in YOLO layout. `val` and `test` are the golden set.

    Args:
        root: The data set.
        categories: Names of the classes that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: data.yaml is malformed, or no class can be a face. A photograph whose text file is malformed is
            refused; the reason gives the line.
    """
    description = _description(root)
    pictures, left_out = _pictures(root, description)
    label_files = {_key(root, path): path for path in _label_files(root)}
    objects: dict[Path, list[Object]] = {}
    pairs: list[tuple[Path, Split | None, Path]] = []
    for picture, split in pictures:
        key = _key(root, picture)
        path = label_files.get(_label_key(key)) or label_files.get(key)
        if path is not None:
            pairs.append((picture, split, path))
    used = Counter(path for _, _, path in pairs)
    everything = {_label_key(_key(root, picture)) for picture in list_pictures(root)}
    for path in label_files.values():
        if path in used:
            continue
        if _key(root, path) in everything or _label_key(_key(root, path)) in everything:
            left_out.append(LeftOut(path.relative_to(root).as_posix(), f"{description.file.name} names no such part"))
        else:  # ingest refuses it by the name that its photograph would have
            pairs.append((path.with_suffix(".jpg"), split_of(path.parent.relative_to(root).as_posix()), path))
            used[path] += 1
    damaged: dict[Path, str] = {}
    for path in dict.fromkeys(path for _, _, path in pairs):
        objects[path], damaged[path] = _objects_or_damage(path, description)
    if description.keypoints is None:
        _refuse_ambiguous(objects, description.file)
    counts = Counter(dict.fromkeys(description.names.values(), 0))
    counts.update(one.name for _, _, path in pairs for one in objects[path])
    faces = face_categories(counts, categories, str(root))
    both = has_both(split for _, split, _ in pairs)
    photographs = []
    for picture, split, path in pairs:
        kept = tuple(one.face for one in objects[path] if one.name in faces)
        refused = damaged[path] or (NO_SPLIT if both and split is None else "")
        if used[path] > 1:
            refused = f"its label file {path.name} belongs to {used[path]} photographs"
        photographs.append(
            Labelled(
                picture.relative_to(root).as_posix(), root, split if both else None, kept,
                labels="the label files", relative=True, refused=refused,
            )
        )  # fmt: skip
    return Labels("YOLO", tuple(photographs), counts, faces, tuple(left_out))


def _yaml_files(root: Path) -> list[Path]:
    return [*with_suffix([root], ".yaml"), *with_suffix([root], ".yml")]


def _looks_like_description(path: Path) -> bool:
    try:
        content = _load(path)
    except FacadeError:
        return path.name.lower() in ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
    return isinstance(content, dict) and "names" in content and any(part in content for part in PARTS)


def _load(path: Path) -> Any:
    text = read_label_text(path)
    try:
        # Aliases can expand a small file without bound, and no description needs them.
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            raise FacadeError(f"{path} has YAML aliases (*name). Write the values out.")
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, TypeError, AttributeError, LookupError, RecursionError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FacadeError(f"{path} is not valid YAML ({reason}). Fix or replace the file.") from None


def _description(root: Path) -> Description:
    files = [path for path in _yaml_files(root) if _looks_like_description(path)]
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise FacadeError(f"{root} holds several descriptions of a YOLO data set ({names}). Keep one.")
    if files:
        return _parsed(files[0])
    for name in ("classes.txt", "obj.names"):
        if (root / name).is_file():
            lines = [line.strip() for line in read_label_lines(root / name)]
            return Description(root / name, dict(enumerate(line for line in lines if line)))
    return Description(root / "data.yaml", {})


def _parsed(path: Path) -> Description:
    content = _load(path)
    try:
        names = content["names"]
        names = names if isinstance(names, dict) else dict(enumerate(names))
        named = {int(key): _scalar(name) for key, name in names.items()}
        parts = [(one, split) for key, split in PARTS.items() for one in _paths(content.get(key))]
        base = _scalar(content.get("path") or "").replace("\\", "/")
        return Description(path, named, tuple(parts), base, _keypoints(content.get("kpt_shape")))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise FacadeError(f"{path} does not describe a YOLO data set ({reason}). Fix the file.") from None


def _scalar(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise TypeError("a list stands where a name is expected")
    return str(value)


def _paths(value: Any) -> list[str]:
    """The folders or lists that an entry of data.yaml names."""
    names = [value] if isinstance(value, str) else list(value or [])
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a path is no text")
    return [name.replace("\\", "/") for name in names]


def _keypoints(shape: Any) -> tuple[int, int] | None:
    if shape is None:
        return None
    count, values = int(shape[0]), int(shape[1])
    if count < 1 or values not in (2, 3):
        raise ValueError(f"kpt_shape is [{count}, {values}]")
    return count, values


def _label_files(root: Path) -> Iterator[Path]:
    """The text files at the places where labels are: `labels/`, `<split>/labels/`, and Darknet's `obj_*_data/`."""
    folders = [path for path in subfolders(root, "labels") if path.name.lower() == "labels"]
    for folder, _ in split_folders(root):
        folders += [path for path in subfolders(folder, "labels") if path.name.lower() == "labels"]
    folders += [path for path in subfolders(root, "obj_") if path.name.lower().endswith("_data")]
    for folder in folders:
        paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
        yield from sorted(path for path in paths if path.suffix.lower() == ".txt" and path.name != "classes.txt")


def _pictures(root: Path, description: Description) -> tuple[list[tuple[Path, Split | None]], list[LeftOut]]:
    """The photographs of a data set with their split, and the parts that are missing."""
    parts = list(dict.fromkeys(description.parts))
    if {name for name, split in parts if split == "train"} & {name for name, split in parts if split == "golden"}:
        # Small examples validate on what they train on; Facade splits them itself.
        parts = [(name, "train") for name in dict.fromkeys(name for name, _ in parts)]
    found: dict[Path, Split | None] = {}
    left_out = []
    for name, split in parts:
        place = _inside(root, description, name)
        if place is None:
            left_out.append(LeftOut(name, f"{description.file.name} names it, but {root} does not hold it"))
        else:
            found |= dict.fromkeys(_listed(root, place) if place.suffix == ".txt" else list_pictures(place), split)
    if not found:  # there is no data.yaml, or it names the folders of another machine
        found = {path: split_of(path.parent.relative_to(root).as_posix()) for path in list_pictures(root)}
    return list(found.items()), left_out


def _inside(root: Path, description: Description, name: str) -> Path | None:
    """A part of a data set; Roboflow's `../train/images` means `train/images`."""
    bare = name
    while bare.startswith(("../", "./")):
        bare = bare.partition("/")[2]
    for start, path in ((root / description.base, name), (root, name), (root / description.base, bare), (root, bare)):
        try:
            place = (start / path).resolve()
            inside = place.is_relative_to(root.resolve()) and place.exists()
        except (OSError, ValueError, RuntimeError):
            continue
        if inside:
            return root / place.relative_to(root.resolve())
    return None


def _listed(root: Path, path: Path) -> list[Path]:
    """The photographs that a text file lists. Darknet's lists begin at the folder that holds `data/`."""
    found = []
    for line in read_label_lines(path):
        name = PurePosixPath(line.strip().replace("\\", "/"))
        if not name.name:
            continue
        bare = PurePosixPath(*(part for part in name.parts if part not in ("..", "/")))
        options = (bare, PurePosixPath(*bare.parts[1:])) if bare.parts[0] == "data" else (bare,)
        try:
            found.append(next((root / one for one in options if (root / one).is_file()), root / bare))
        except (OSError, ValueError):
            raise FacadeError(f"{path} lists {line[:60]!r}, which can be no file name. Fix the line.") from None
    return found


def _key(root: Path, path: Path) -> str:
    """Equal for a photograph and its label file, if they lie side by side."""
    return spelled_alike(path.relative_to(root).with_suffix("").as_posix())


def _label_key(key: str) -> str:
    """The key of the label file of a photograph in `images/` (FiftyOne: `data/`)."""
    parts = key.split("/")
    for folder in ("images", "data"):
        if folder in parts[:-1]:
            at = len(parts) - 2 - parts[:-1][::-1].index(folder)
            return "/".join([*parts[:at], "labels", *parts[at + 1 :]])
    return key


def _objects_or_damage(path: Path, description: Description) -> tuple[list[Object], str]:
    """The objects in a label file, and ""; or none, and what is wrong with it."""
    try:
        return list(_read(path, description)), ""
    except FacadeError as error:
        return [], str(error)


def _read(path: Path, description: Description) -> Iterator[Object]:
    for number, line in enumerate(read_label_lines(path), 1):
        words = line.split()
        if not words:
            continue
        values = finite_numbers(words)
        if values is None or values[0] < 0 or values[0] != int(values[0]):
            raise FacadeError(f"{path}, line {number}: expected a class and numbers, found {line[:60]!r}. Fix it.")
        if max(map(abs, values[1:]), default=0) > MAX_SHARE:
            raise FacadeError(
                f"{path}, line {number}: expected shares of width and height, found {line[:60]!r}. Divide pixels by "
                "the size of the photograph."
            )
        face = _object(values[1:], description.keypoints)
        if face is None:
            raise FacadeError(
                f"{path}, line {number}: expected a class, then x y w h or an outline, found {len(values)} numbers. "
                "Fix the line, or give kpt_shape in data.yaml."
            )
        yield Object(description.names.get(int(values[0]), str(int(values[0]))), face, len(values))


def _object(values: list[float], keypoints: tuple[int, int] | None) -> Face | None:
    """A face from the numbers of a line, in shares; None if their number is wrong."""
    count = 0 if keypoints is None else keypoints[0] * keypoints[1]
    if len(values) == 4 or (count and len(values) == 4 + count):
        x, y, width, height = values[:4]
        box = (x - width / 2, y - height / 2, width, height)
        return Face(box, _landmarks(values[4:], keypoints) if len(values) > 4 else None)
    if keypoints is None and len(values) >= 6 and len(values) % 2 == 0:
        outline = box_of_points(values)
        return None if outline is None else Face(outline)
    return None


def _landmarks(values: list[float], keypoints: tuple[int, int] | None) -> tuple[Point, ...] | None:
    if keypoints is None or keypoints[0] != 5:
        return None
    rows = [values[at : at + keypoints[1]] for at in range(0, len(values), keypoints[1])]
    if any(min(row[:2]) < 0 or (len(row) == 3 and row[2] == 0) for row in rows):
        return None  # 0 and -1 mark landmarks that were not annotated
    return tuple((row[0], row[1]) for row in rows)


def _refuse_ambiguous(objects: Mapping[Path, list[Object]], file: Path) -> None:
    """Refuse labels that are boxes with landmarks as well as outlines of seven points."""
    longer = {one.columns for lines in objects.values() for one in lines if one.columns > 5}
    if longer == {AMBIGUOUS}:
        path = next(path for path, lines in objects.items() if any(one.columns == AMBIGUOUS for one in lines))
        raise FacadeError(
            f"{path} has {AMBIGUOUS} numbers a line: a box with five landmarks, or an outline of seven points. For "
            f"landmarks, add `kpt_shape: [5, 2]` to {file.name}."
        )
