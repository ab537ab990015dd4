"""Reading Label Studio's own export, JSON: a list of tasks. Boxes are in percent of the photograph's width and height.

Source of the format: https://labelstud.io/guide/export and https://labelstud.io/guide/task_format
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from facade.dataset.categories import face_categories
from facade.dataset.coco import json_files
from facade.dataset.label_text import read_label_json
from facade.dataset.labels import Labels
from facade.dataset.pictures import SUFFIXES, PictureFinder
from facade.dataset.records import Box, Labelled
from facade.dataset.segmentation import box_of_points
from facade.dataset.shapes import UNNAMED, Shape, box_of_ellipse, face_boxes
from facade.errors import FacadeError

# What Label Studio puts before the name of an uploaded file.
UPLOADED = re.compile(r"^[0-9a-f]{8}-")


@dataclass(frozen=True)
class _Task:
    """A photograph: the address of its picture, its size if given, its shapes (boxes in shares), why it is refused."""

    picture: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    refused: str


def is_label_studio(content: Any) -> bool:
    """Whether the content of a JSON file is Label Studio's, valid or not."""
    return isinstance(content, list) and any(
        isinstance(task, dict) and ("annotation_id" in task or {"annotations", "data"} <= task.keys())
        for task in content
    )


def read_label_studio(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set that Label Studio exported.

    A task that nobody has annotated is not taken, nor are annotations that were skipped, and predictions.

    Args:
        root: The data set: the export, and the photographs below it.
        categories: Names of the labels that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: A file is malformed, or is Label Studio's JSON-MIN.
    """
    contents = {path: read_label_json(path) for path in json_files(root)}
    tasks = [(path, task) for path, one in contents.items() if is_label_studio(one) for task in _tasks(path, one)]
    counts = Counter(shape.category for _, task in tasks for shape in task.shapes)
    faces = face_categories(counts, categories, str(root))
    finder, photographs = PictureFinder(), []
    for path, task in tasks:
        folder, name = _find(root, task.picture, finder)
        boxes, without_box = face_boxes(task.shapes, faces, "region")
        photographs.append(
            Labelled(
                name, folder, None, boxes, task.size, labels=path.relative_to(root).as_posix(), relative=True,
                without_box=without_box, refused=task.refused,
            )
        )  # fmt: skip
    return Labels("Label Studio", tuple(photographs), counts, faces)


def _find(root: Path, picture: str, finder: PictureFinder) -> tuple[Path, str]:
    """The file of a picture, by as much of its address as the data set has."""
    parts = [part for part in picture.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    names = ["/".join(parts[start:]) for start in range(len(parts))]
    if parts and UPLOADED.match(parts[-1]):
        names.append(UPLOADED.sub("", parts[-1]))
    for name in names:
        if found := finder.find([root, root / "images"], name):
            return found
    return root, names[0] if names else "a task without a picture"


def _tasks(path: Path, content: list[Any]) -> Iterator[_Task]:
    try:
        for task in content:
            if "annotations" not in task and "annotation_id" in task:
                raise FacadeError(
                    f"{path} is Label Studio's JSON-MIN, which does not tell which annotations were skipped. "
                    "Export the project as JSON."
                )
            if (annotated := _task(task)) is not None:
                yield annotated
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise FacadeError(f"{path} is not a valid export of Label Studio ({reason}). Fix the file.") from None


def _task(task: Mapping[str, Any]) -> _Task | None:
    """A task; None if nobody has annotated it."""
    annotations = [one for one in task["annotations"] if not one.get("was_cancelled")]
    agreed = [one for one in annotations if one.get("ground_truth")]
    if len(agreed) == 1:
        annotations = agreed
    if not annotations:
        return None
    refused = "" if len(annotations) == 1 else (
        f"{len(annotations)} people annotated it, and none of the annotations is marked as ground truth"
    )  # fmt: skip
    regions = [region for one in annotations for region in _regions(one["result"])]
    sizes = {size for region in regions if (size := _size(region)) is not None}
    shapes = tuple(Shape(name, _box(region)) for region in regions for name in _names(region))
    if any(region.get("image_rotation") for region in regions):
        refused = refused or "it was turned in Label Studio while it was labelled, and boxes are for the turned picture"
    if len(sizes) > 1:
        refused = refused or "its labels give it several sizes"
    pictures = [_address(value) for value in task["data"].values() if isinstance(value, str)]
    pictures = [name for name in pictures if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if len(set(pictures)) != 1:
        refused = refused or f"its task names {len(set(pictures)) or 'no'} pictures"
    return _Task(pictures[0] if pictures else "", next(iter(sizes), None), shapes, refused)


def _address(value: str) -> str:
    """The path in an address: of an upload, a local file (`/data/local-files/?d=...`), or an object in storage."""
    parts = urlsplit(value)
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)


def _regions(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Regions of an annotation. A shape and its label may be results of their own, with one id."""
    regions: dict[str, dict[str, Any]] = {}
    for number, result in enumerate(results):
        value = result.get("value") or {}
        labels = [str(name) for key, names in value.items() if key.endswith("labels") for name in names]
        if not labels and not {"x", "points", "rle", "sequence"} & value.keys():
            continue  # a relation, a choice or a text
        region = regions.setdefault(str(result.get("id") or f"result {number}"), {"labels": []})
        names = [*region["labels"], *(name for name in labels if name not in region["labels"])]
        if "type" not in region or result.get("type") != "labels":  # that of the label repeats the shape's numbers
            region |= result
        region["labels"] = names
    return list(regions.values())


def _names(region: Mapping[str, Any]) -> list[str]:
    return region["labels"] or [UNNAMED]


def _size(region: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = region.get("original_width"), region.get("original_height")
    return (int(width), int(height)) if width and height else None


def _box(region: Mapping[str, Any]) -> Box | None:
    """The box of a region, in shares; None of points and brush strokes, or if it is rotated and its size is unknown."""
    value, kind = region.get("value") or {}, str(region.get("type"))
    degrees = float(value.get("rotation") or 0)
    width, height = _size(region) or (1, 1)
    if degrees and _size(region) is None:
        return None
    if kind.startswith("rectangle"):
        # In pixels, because a rotation keeps no percentages. Boxes turn about their upper left corner.
        x, y, w, h = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
        cosine, sine = cos(radians(degrees)), sin(radians(degrees))
        corners = [(a * w * width, b * h * height) for a in (0, 1) for b in (0, 1)]
        around = box_of_points([(a * cosine - b * sine, a * sine + b * cosine) for a, b in corners])
        return None if around is None else _shares(around, x, y, width, height)
    if kind.startswith("ellipse"):
        x, y, across, down = (float(value[key]) / 100 for key in ("x", "y", "radiusX", "radiusY"))
        return _shares(box_of_ellipse(0, 0, across * width, down * height, degrees), x, y, width, height)
    if kind.startswith("polygon"):
        return box_of_points([(float(x) / 100, float(y) / 100) for x, y in value["points"]])
    return None


def _shares(box: Box, x: float, y: float, width: int, height: int) -> Box:
    """A box in pixels relative to the point (x, y), which is in shares, as shares."""
    return x + box[0] / width, y + box[1] / height, box[2] / width, box[3] / height
