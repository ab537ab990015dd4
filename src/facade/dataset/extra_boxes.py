"""Unlabelled faces that a detector found and that are anonymized in addition to the labelled ones."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facade.dataset.records import Face, Photograph
from facade.errors import FacadeError
from facade.files import read_json

ExtraBoxes = Mapping[str, tuple[Face, ...]]


def read_extra_boxes(path: Path) -> dict[str, tuple[Face, ...]]:
    """Read the additional faces to treat, by photograph, from the COCO file of the stage `unlabelled`.

    Raises:
        FacadeError: The file is missing, or was not written by that stage.
    """
    content = read_json(path)
    faces: dict[str, list[Face]] = {}
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        for annotation in content["annotations"]:
            faces.setdefault(names[annotation["image_id"]], []).append(_face(annotation))
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise FacadeError(
            f"{path} was not written by the stage unlabelled ({reason[:120]}). Run `dvc repro unlabelled`."
        ) from None
    return {name: tuple(boxes) for name, boxes in faces.items()}


def with_extra_boxes(photograph: Photograph, extra_boxes: ExtraBoxes) -> Photograph:
    """A photograph with all faces to treat: the labelled ones, followed by the unlabelled ones."""
    return replace(photograph, faces=(*photograph.faces, *extra_boxes.get(photograph.file, ())))


def _face(annotation: dict[str, Any]) -> Face:
    flat = annotation["keypoints"]
    # The detector of the audit may give no landmarks.
    points = tuple(zip(flat[::3], flat[1::3], strict=True)) if annotation.get("num_keypoints", 5) else None
    return Face(tuple(annotation["bbox"]), points, ignore=True)
