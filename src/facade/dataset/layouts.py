"""The layouts of labels that Facade reads, and which of them a data set has."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from facade.dataset.categories import check_wanted
from facade.dataset.coco import is_coco, json_files, read_coco
from facade.dataset.cvat import cvat_files, read_cvat
from facade.dataset.datumaro import is_datumaro, read_datumaro
from facade.dataset.fiftyone import is_fiftyone, read_fiftyone
from facade.dataset.label_studio import is_label_studio, read_label_studio
from facade.dataset.label_text import read_label_json
from facade.dataset.labels import Labels
from facade.dataset.landmark_lines import label_files as landmark_files, read_retinaface
from facade.dataset.pictures import list_pictures
from facade.dataset.splits import subfolders
from facade.dataset.voc import is_voc, read_voc
from facade.dataset.wider import is_wider, read_wider
from facade.dataset.yolo import is_yolo, read_yolo
from facade.errors import FacadeError


@dataclass(frozen=True)
class Layout:
    """A layout of labels.

    Attributes:
        name: As `Labels.layout` gives it.
        matches: Whether a folder has it.
        read: Reads the labels of a folder; the second argument is ingest.categories.
    """

    name: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, Collection[str]], Labels]


def _has_json(kind: Callable[[Any], bool]) -> Callable[[Path], bool]:
    """Whether a folder holds a JSON file of a kind, by the file's content."""
    return lambda root: any(kind(read_label_json(path)) for path in json_files(root))


LAYOUTS = (
    Layout("WIDER FACE", is_wider, read_wider),
    Layout("RetinaFace", lambda root: bool(landmark_files(root)), read_retinaface),
    Layout("FiftyOne", is_fiftyone, read_fiftyone),
    Layout("COCO", _has_json(is_coco), read_coco),
    Layout("Label Studio", _has_json(is_label_studio), read_label_studio),
    Layout("Datumaro", _has_json(is_datumaro), read_datumaro),
    Layout("CVAT", lambda root: bool(cvat_files(root)), read_cvat),
    Layout("YOLO", is_yolo, read_yolo),
    Layout("Pascal VOC", is_voc, read_voc),
)


def layouts_of(root: Path) -> list[Layout]:
    """The layouts whose labels a folder holds.

    WIDER FACE comes alone: what else lies in its folder are landmarks, or labels of somebody's own.
    FiftyOne's `labels.json` is no COCO file.
    """
    found: list[Layout] = []
    for layout in LAYOUTS:
        if layout.name == "COCO" and any(one.name == "FiftyOne" for one in found):
            continue
        if layout.matches(root):
            found.append(layout)
            if layout.name == "WIDER FACE":
                break
    return found


def read_labels(root: Path, categories: Collection[str] = ()) -> Labels:
    """Read the labels of a data set. Its layout is detected from its files.

    Args:
        root: The data set.
        categories: Names of the categories that are faces; empty to take those that are called a face.

    Raises:
        FacadeError: The folder is missing, its layout is unknown or not the only one, a label file is malformed, a
            category is unknown, or the labels name no photograph.
    """
    if not root.is_dir():
        raise FacadeError(f"ingest.path is {root}, but there is no such folder. Correct params.yaml.")
    found = layouts_of(root)
    if len(found) > 1:
        names = " and ".join(layout.name for layout in found)
        raise FacadeError(
            f"{root} holds labels in several layouts: {names}. Keep one of them in the folder: which one is right is "
            "ambiguous."
        )
    if not found and json_files(root):
        found = [layout for layout in LAYOUTS if layout.name == "COCO"]  # its reader says what is wrong with them
    if not found:
        raise FacadeError(_unknown(root))
    labels = found[0].read(root, categories)
    if not labels.photographs:
        raise FacadeError(f"the labels in {root} name no photograph.")
    check_wanted(categories, labels.categories, str(root))
    return labels


def _unknown(root: Path) -> str:
    below = [folder for folder in subfolders(root) if layouts_of(folder)]
    if len(below) == 1:
        return f"{root} holds no labels, but {below[0]} does. Set ingest.path to that folder."
    return (
        f"{root} has neither WIDER FACE layout (a folder wider_face_split) nor COCO layout (annotations/*.json), nor "
        "labels of YOLO, Pascal VOC, RetinaFace, FiftyOne, CVAT (for images 1.1), Label Studio (JSON) or Datumaro. "
        "Other tools export COCO. See docs/data.md."
    )


def unlisted(root: Path, labels: Labels) -> list[str]:
    """The pictures below a data set that no label names: they are not taken, because nobody may have labelled them."""
    real = cache(os.path.realpath)  # of folders, which labels may name by a link

    def place(path: Path) -> tuple[str, str]:
        return real(path.parent), path.name

    listed = {place(one.folder / one.name) for one in labels.photographs if "\0" not in one.name}
    return [path.relative_to(root).as_posix() for path in list_pictures(root) if place(path) not in listed]
