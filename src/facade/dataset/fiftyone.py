"""Reading FiftyOne's own exports: `data/` with `labels.json` (FiftyOneImageDetectionDataset), or with `samples.json`.

Its exports as COCO, YOLO and Pascal VOC are read as those. Boxes are shares of the photograph's width and height.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facade.dataset.categories import face_categories
from facade.dataset.label_text import read_label_json
from facade.dataset.labels import Labels
from facade.dataset.pictures import PictureFinder
from facade.dataset.records import Box, Face, Labelled, Split
from facade.dataset.segmentation import box_of_points
from facade.dataset.splits import NO_SPLIT, has_both, split_of
from facade.errors import FacadeError

LABELS, SAMPLES = "labels.json", "samples.json"
# What the fields of a sample hold.
DETECTIONS, POLYLINES = "Detections", "Polylines"


@dataclass(frozen=True)
class Sample:
    """A photograph and its labels: category, and box in shares or None."""

    name: str
    split: Split | None
    objects: tuple[tuple[str, Box | None], ...]
    size: tuple[int, int] | None = None


def is_fiftyone(root: Path) -> bool:
    """Whether a data set is one of FiftyOne's own exports."""
    if not (root / "data").is_dir():
        return False
    if (root / SAMPLES).is_file():
        return True
    if not (root / LABELS).is_file():
        return False
    content = read_label_json(root / LABELS)
    return isinstance(content, dict) and isinstance(content.get("labels"), dict) and "images" not in content


def read_fiftyone(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set that FiftyOne exported. Tags of samples name their split.

    Args:
        root: The data set.
        categories: Names of the labels that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: The file is malformed.
    """
    path = root / (SAMPLES if (root / SAMPLES).is_file() else LABELS)
    content = read_label_json(path)
    try:
        samples = list(_samples(path, content["samples"]) if path.name == SAMPLES else _listed(content["labels"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise FacadeError(f"{path} is not a valid export of FiftyOne ({reason}). Fix the file.") from None
    counts = Counter(name for sample in samples for name, _ in sample.objects)
    faces = face_categories(counts, categories, str(path))
    both = has_both(sample.split for sample in samples)
    finder, photographs = PictureFinder(), []
    for sample in samples:
        found = finder.find([root, root / "data"], sample.name) or finder.find_stem([root / "data"], sample.name)
        folder, name = found or (root, sample.name)
        kept = [box for category, box in sample.objects if category in faces]
        photographs.append(
            Labelled(
                name, folder, sample.split if both else None, tuple(Face(box) for box in kept if box is not None),
                sample.size, labels=path.name, relative=True,
                refused=NO_SPLIT if both and sample.split is None else "",
                without_box=tuple(f"label {number}" for number, box in enumerate(kept, 1) if box is None),
            )
        )  # fmt: skip
    return Labels("FiftyOne", tuple(photographs), counts, faces)


def _listed(labels: Mapping[str, Any]) -> Iterator[Sample]:
    """The photographs of `labels.json`, by their names without ending."""
    for name, objects in labels.items():
        yield Sample(name, None, tuple((str(one["label"]), _box(one)) for one in objects or []))


def _samples(path: Path, samples: list[dict[str, Any]]) -> Iterator[Sample]:
    """The photographs of `samples.json`, with all detections of their only field that holds any."""
    fields = Counter(
        key for sample in samples for key, value in sample.items() if _kind(value) in (DETECTIONS, POLYLINES)
    )
    if len(fields) > 1:
        raise FacadeError(
            f"{path} has several fields of labels ({', '.join(sorted(fields))}). Export the one that holds the faces."
        )
    for sample in samples:
        objects: list[tuple[str, Box | None]] = []
        for field in fields:
            value = sample.get(field) or {}
            objects += [(str(one["label"]), _box(one)) for one in value.get("detections", value.get("polylines")) or []]
        tags = [str(tag) for tag in sample.get("tags") or []]
        split = next((found for tag in tags if (found := split_of(tag))), None)
        size = sample.get("metadata") or {}
        known = (int(size["width"]), int(size["height"])) if size.get("width") and size.get("height") else None
        yield Sample(str(sample["filepath"]), split, tuple(objects), known)


def _kind(value: Any) -> str | None:
    return value.get("_cls") if isinstance(value, dict) else None


def _box(one: Mapping[str, Any]) -> Box | None:
    """The box of a detection, or around a polyline; None if it has none."""
    if one.get("bounding_box"):
        x, y, width, height = map(float, one["bounding_box"])
        return x, y, width, height
    return box_of_points([point for part in one.get("points") or [] for point in part])
