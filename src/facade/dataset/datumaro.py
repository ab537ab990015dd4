"""Reading Datumaro's own export: `annotations/<subset>.json`, and photographs in `images/` or `images/<subset>/`.

CVAT exports it, too. Source of the format: https://open-edge-platform.github.io/datumaro, "Datumaro" format.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facade.dataset.categories import face_categories
from facade.dataset.coco import json_files
from facade.dataset.label_text import read_label_json
from facade.dataset.labels import Labels
from facade.dataset.pictures import PictureFinder
from facade.dataset.records import Box, Labelled
from facade.dataset.segmentation import box_of_points, box_of_segmentation, rotated_box
from facade.dataset.shapes import UNNAMED, Shape, box_of_ellipse, face_boxes
from facade.dataset.splits import NO_SPLIT, has_both, split_of
from facade.errors import FacadeError


@dataclass(frozen=True)
class _Item:
    """A photograph: its id, the path of its picture, its size if given, and its shapes."""

    id: str
    picture: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]


def is_datumaro(content: Any) -> bool:
    """Whether the content of a JSON file is Datumaro's, valid or not."""
    return isinstance(content, dict) and "items" in content and "categories" in content and "images" not in content


def read_datumaro(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set that Datumaro exported. Subsets called after a split are its splits.

    Args:
        root: The data set.
        categories: Names of the labels that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: A file is malformed.
    """
    contents = {path: read_label_json(path) for path in json_files(root)}
    items = [(path, item) for path, one in contents.items() if is_datumaro(one) for item in _items(path, one)]
    counts = Counter(shape.category for _, item in items for shape in item.shapes)
    faces = face_categories(counts, categories, str(root))
    both = has_both(split_of(path.stem) for path, _ in items)
    finder, photographs = PictureFinder(), []
    for path, item in items:
        folders = [root / "images" / path.stem, root / "images", root]
        found = finder.find(folders, item.picture) if item.picture else None
        found = found or finder.find_stem(folders, item.id)
        folder, name = found or (root, item.picture or item.id or "an item without a name")
        split = split_of(path.stem) if both else None
        boxes, without_box = face_boxes(item.shapes, faces, "annotation")
        photographs.append(
            Labelled(
                name, folder, split, boxes, item.size, labels=path.relative_to(root).as_posix(),
                without_box=without_box, refused=NO_SPLIT if both and split is None else "",
            )
        )  # fmt: skip
    return Labels("Datumaro", tuple(photographs), counts, faces)


def _items(path: Path, content: Mapping[str, Any]) -> list[_Item]:
    try:
        listed = content["categories"].get("label") or {}
        names = [str(one["name"]) for one in listed.get("labels") or []]
        return [_item(one, names) for one in content["items"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise FacadeError(f"{path} is not a valid export of Datumaro ({reason}). Fix the file.") from None


def _item(one: Mapping[str, Any], names: Sequence[str]) -> _Item:
    picture = one.get("image") or one.get("media") or {}
    size = picture.get("size")
    known = (int(size[1]), int(size[0])) if size else None  # height and width
    shapes = tuple(Shape(_category(shape, names), _box(shape)) for shape in one.get("annotations") or [])
    return _Item(str(one["id"]), str(picture.get("path") or ""), known, shapes)


def _category(shape: Mapping[str, Any], names: Sequence[str]) -> str:
    number = shape.get("label_id")
    if number is None:
        return UNNAMED
    if not isinstance(number, int) or not 0 <= number < len(names):
        raise ValueError(f"label_id {str(number)[:20]} is no label")
    return names[number]


def _box(shape: Mapping[str, Any]) -> Box | None:
    """The box of an annotation, in pixels; None of points, captions and labels of the whole photograph."""
    kind = shape["type"]
    degrees = float((shape.get("attributes") or {}).get("rotation") or 0)
    if kind == "bbox":
        x, y, width, height = (float(value) for value in shape["bbox"])
        return rotated_box((x, y, width, height), degrees)
    if kind in ("polygon", "polyline"):
        return box_of_points(shape["points"])
    if kind == "ellipse":
        x1, y1, x2, y2 = (float(value) for value in shape["points"])
        return box_of_ellipse((x1 + x2) / 2, (y1 + y2) / 2, abs(x2 - x1) / 2, abs(y2 - y1) / 2, degrees)
    if kind == "mask":
        return box_of_segmentation(shape["rle"])
    return None
