"""Faces that nobody labelled, and that are treated all the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facade.dataset.records import Face, Photograph
from facade.errors import FacadeError
from facade.files import read_json

ExtraBoxes = Mapping[str, tuple[Face, ...]]


def read_extra_boxes(path: Path) -> dict[str, tuple[Face, ...]]:
    """Faces to treat besides the labelled ones, by photograph, from a COCO file that the stage `unlabelled` wrote.

    Raises:
        FacadeError: The file is missing, or not what that stage writes.
    """
    content = read_json(path)
    faces: dict[str, list[Face]] = {}
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        for annotation in content["annotations"]:
            faces.setdefault(names[annotation["image_id"]], []).append(_face(annotation))
    except (KeyError, TypeError, ValueError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise FacadeError(f"{path} is not what `dvc repro unlabelled` writes ({fault[:120]}). Run it again.") from None
    return {name: tuple(found) for name, found in faces.items()}


def with_extra_boxes(photograph: Photograph, also: ExtraBoxes) -> Photograph:
    """A photograph with all faces to treat: those that nobody labelled come behind the labelled ones."""
    return replace(photograph, faces=(*photograph.faces, *also.get(photograph.file, ())))


def _face(annotation: dict[str, Any]) -> Face:
    flat = annotation["keypoints"]
    points = tuple(zip(flat[::3], flat[1::3], strict=True))
    return Face(tuple(annotation["bbox"]), points, ignore=True)
