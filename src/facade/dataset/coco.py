"""Reading data sets in COCO layout: one or more instance files, and the images that they name.

Supported: `annotations/*train*.json` with `annotations/*val*.json` (golden, valid, test), each of which may be several
files; the same in folders `train/`, `valid/` and `test/` (Roboflow, FiftyOne); or a single file, whose photographs
Facade splits itself (Label Studio's `result.json`, FiftyOne's `labels.json`).
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facade.dataset.categories import face_categories
from facade.dataset.label_text import read_label_json
from facade.dataset.labels import Labels, LeftOut
from facade.dataset.pictures import PictureFinder
from facade.dataset.records import ATTRIBUTES, Box, Face, Labelled, Split
from facade.dataset.segmentation import box_of_segmentation, rotated_box
from facade.dataset.splits import split_folders, split_of, split_word, subfolders, with_suffix
from facade.errors import FacadeError

# COCO's own files for other tasks. They list the photographs of an instance file again, or have no boxes.
OTHER_TASKS = ("captions", "image_info", "panoptic", "person_keypoints", "stuff")
# Domain names appear in labels and reports: short identifiers only, so that they cannot hold personal data.
DOMAIN = re.compile(r"[a-z0-9_+-]{1,40}")


@dataclass(frozen=True)
class CocoFile:
    """An instance file of a data set, and its content."""

    path: Path
    split: Split | None
    content: Any


def json_files(root: Path) -> list[Path]:
    """The JSON files of a data set at the places where labels can be."""
    folders = [root, *_named(root, "annotations")]
    for folder in [*_named(root, "annotations"), root]:
        inner = [path for path, _ in split_folders(folder)]
        folders += [*inner, *(below for path in inner for below in _named(path, "annotations"))]
    return list(dict.fromkeys(with_suffix(folders, ".json")))


def is_coco(content: Any) -> bool:
    """Whether the content of a JSON file is COCO's, valid or not."""
    return isinstance(content, dict) and "images" in content


def annotation_files(root: Path) -> tuple[list[CocoFile], list[LeftOut]]:
    """The instance files of a data set, training first, and the JSON files beside them that are none.

    Raises:
        FacadeError: A file is damaged, or there are several whose names do not identify their split.
    """
    paths = json_files(root)
    files = [CocoFile(path, _split(root, path), read_label_json(path)) for path in paths]
    if len(files) > 1:
        files, left_out = _instances(root, files)
    else:
        left_out = []
    if len(files) == 1:
        # A single file is a data set without splits, whatever its name.
        return [CocoFile(files[0].path, None, files[0].content)], left_out
    splits = {file.split for file in files}
    if files and splits != {"train", "golden"}:
        distinct = len({file.path.name for file in files}) == len(files)
        names = ", ".join(str(file.path.name if distinct else file.path.relative_to(root)) for file in files)
        raise FacadeError(
            f"{root} holds several COCO files ({names}) whose names do not identify the training and golden splits. "
            "Keep one with 'train' and one with 'val' in its name, or a single file."
        )
    files.sort(key=lambda file: file.split != "train")
    return files, left_out


def read_coco(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set in COCO layout.

    Args:
        root: The data set.
        categories: Names of the categories that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: A file is malformed or has no face category.
    """
    files, left_out = annotation_files(root)
    finder, counts, faces = PictureFinder(), Counter[str](), set[str]()
    photographs: list[Labelled] = []
    for file in files:
        photographs += _read(root, file, categories, finder, counts, faces)
    return Labels("COCO", tuple(photographs), counts, frozenset(faces), tuple(left_out))


def _instances(root: Path, files: list[CocoFile]) -> tuple[list[CocoFile], list[LeftOut]]:
    """Of several JSON files those with instances, and the others with the reason."""
    kept: list[CocoFile] = []
    left_out = []
    has_instances = any(file.path.stem.lower().startswith("instances") for file in files)
    for file in files:
        name = file.path.relative_to(root).as_posix()
        if not is_coco(file.content):
            left_out.append(LeftOut(name, "it is no COCO file"))
        elif "annotations" not in file.content or "categories" not in file.content:
            left_out.append(LeftOut(name, "it has no annotations with categories"))
        elif has_instances and file.path.stem.lower().startswith(OTHER_TASKS):
            left_out.append(LeftOut(name, "the instance files hold the boxes"))
        else:
            kept.append(file)
    if len(kept) > 1 and not all(file.split for file in kept):
        return kept, left_out  # the caller names them
    # COCO's test files list photographs whose labels are secret: they are no photographs without faces.
    golden = [file for file in kept if file.split == "golden"]
    if any(file.content["annotations"] for file in golden):
        for file in golden:
            if not file.content["annotations"]:
                kept.remove(file)
                left_out.append(LeftOut(file.path.relative_to(root).as_posix(), "it has no annotations"))
    return kept, left_out


def _read(
    root: Path,
    file: CocoFile,
    wanted: Collection[str],
    finder: PictureFinder,
    counts: Counter[str],
    taken: set[str],
) -> list[Labelled]:
    path, content = file.path, file.content
    try:
        names = {str(category["id"]): str(category["name"]) for category in content["categories"]}
        images = {_id(image["id"]): image for image in content["images"]}
        if len(images) < len(content["images"]):
            raise FacadeError(f"{path} gives two images the same id. Make image ids unique.")
        own = Counter(dict.fromkeys(_used_names(content["categories"]), 0))
        own.update(
            names.get(category := str(annotation["category_id"]), f"id {category}")
            for annotation in content["annotations"]
        )
        categories = face_categories(own, wanted, str(path))
        counts.update({name: 0 for name in own if name not in counts})
        counts.update(own)
        taken |= categories
        faces: dict[str, list[Face]] = {image: [] for image in images}
        without_box: dict[str, list[str]] = {image: [] for image in images}
        for number, annotation in enumerate(content["annotations"]):
            image = _image_of(annotation, images)
            own_faces, own_without_box = faces[image], without_box[image]
            category = str(annotation["category_id"])
            if names.get(category, f"id {category}") in categories:
                if (box := _box(annotation)) is None:
                    own_without_box.append(f"annotation {annotation.get('id', f'number {number}')}")
                else:
                    own_faces.append(_face(annotation, box))
        folders = _folders(root, path)
        return [
            _labelled(root, file, image, folders, finder, tuple(faces[number]), tuple(without_box[number]))
            for number, image in images.items()
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise FacadeError(f"{path} is not a valid COCO instances file ({reason[:120]}). Fix the file.") from None


def _labelled(
    root: Path,
    file: CocoFile,
    image: Mapping[str, Any],
    folders: list[Path],
    finder: PictureFinder,
    faces: tuple[Face, ...],
    without_box: tuple[str, ...],
) -> Labelled:
    name = str(image["file_name"])
    folder, name = finder.find(folders, name) or (root, name)
    size = None
    if image.get("width") is not None and image.get("height") is not None:
        size = (int(image["width"]), int(image["height"]))
    return Labelled(
        name, folder, file.split, faces, size, _domain(file.path, image.get("domain")),
        labels=file.path.relative_to(root).as_posix(), without_box=without_box,
    )  # fmt: skip


def _id(value: Any) -> str:
    """An id of an image: a number, or the same number as a string."""
    if isinstance(value, (dict, list)) or value is None:
        raise TypeError(f"{value!r} is no id")
    return str(value)


def _image_of(annotation: Mapping[str, Any], images: Mapping[str, Any]) -> str:
    """The id of the image that an annotation belongs to."""
    image = _id(annotation["image_id"])
    if image not in images:
        raise KeyError(annotation["image_id"])
    return image


def _used_names(categories: list[dict[str, Any]]) -> list[str]:
    """Names of categories, without the ones that only group others, as Roboflow writes them."""
    groups = {str(category.get("supercategory")) for category in categories}
    names = [str(category["name"]) for category in categories]
    grouping = {
        str(category["name"])
        for category in categories
        if str(category["name"]) in groups and str(category.get("supercategory")) == "none"
    }
    return [name for name in names if name not in grouping] or names


def _domain(path: Path, value: Any) -> str:
    """The domain (camera) of an image, if its labels give one."""
    if value is None:
        return ""
    if not (isinstance(value, str) and DOMAIN.fullmatch(value)):
        raise FacadeError(
            f"{path} gives an image the domain {str(value)[:40]!r}. A domain consists of up to 40 characters out of "
            "a to z, 0 to 9, _, + and -. Rename it."
        )
    return value


def _named(folder: Path, name: str) -> list[Path]:
    return [path for path in subfolders(folder, name) if path.name.lower() == name]


def _split(root: Path, path: Path) -> Split | None:
    """The split of a label file: by its name, else by its folder in the data set."""
    parts = path.relative_to(root).parts[:-1]
    return next((split for name in (path.stem, *reversed(parts)) if (split := split_of(name))), None)


def _folders(root: Path, path: Path) -> list[Path]:
    """The usual image folders of COCO data sets, in the order in which they are searched."""
    word = split_word(path.stem)
    part = "train" if word == "train" else "val"
    own = []
    if path.parent != root and split_of(path.parent.name):  # labels in the folder of their split
        own = [path.parent, path.parent / "images", path.parent / "data"]
    subset = path.stem.rpartition("_")[2].lower()
    return list(dict.fromkeys([
        *own, root / "images",
        *(subfolders(root, word) if word not in (None, part) else []), *subfolders(root, part),
        *(subfolders(root / "images", word) if word not in (None, part) else []), *subfolders(root / "images", part),
        path.parent, root, *_named(root / "images", subset), root / "data",
    ]))  # fmt: skip


def _box(annotation: Mapping[str, Any]) -> Box | None:
    """The box of an annotation; that of its outline or mask if it has none; else None."""
    bbox = annotation.get("bbox")
    if bbox is None or len(bbox) == 0:
        return box_of_segmentation(annotation.get("segmentation"))
    x, y, width, height = map(float, bbox)
    attributes = annotation.get("attributes")
    angle = attributes.get("rotation") if isinstance(attributes, dict) else None  # CVAT's
    return rotated_box((x, y, width, height), float(angle)) if angle else (x, y, width, height)


def _face(annotation: Mapping[str, Any], box: Box) -> Face:
    flat = annotation.get("keypoints") or []
    points = None
    # Visibility 0 means "not labelled". Alignment needs all five landmarks.
    if len(flat) == 15 and all(flat[2::3]):
        points = tuple((float(px), float(py)) for px, py in zip(flat[::3], flat[1::3], strict=True))
    attributes = {name: int(annotation[name]) for name in ATTRIBUTES if name in annotation}
    ignore = bool(annotation.get("iscrowd", 0)) or bool(attributes.get("invalid", 0))
    return Face(box, points, ignore, attributes)
