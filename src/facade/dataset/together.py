"""Two data sets as one: the photographs of the second come behind those of the first."""

import shutil
from pathlib import Path
from typing import Any

from facade.dataset.store import Photographs
from facade.files import read_json


def appended(ours: Photographs, more: Photographs | None, images: Path) -> dict[str, Any]:
    """The labels of a data set with those of another behind them, whose files are copied.

    Args:
        ours: The data set.
        more: What comes behind it, or None.
        images: Folder to copy the files of `more` into.
    """
    content: dict[str, Any] = read_json(ours.annotations)
    if more is None or not len(more):
        return content
    after = read_json(more.annotations)
    first_image = max((image["id"] for image in content["images"]), default=0)
    first_face = max((one["id"] for one in content["annotations"]), default=0)
    for image in after["images"]:
        shutil.copyfile(more.images / image["file_name"], images / image["file_name"])
        content["images"].append({**image, "id": first_image + image["id"]})
    for one in after["annotations"]:
        content["annotations"].append({**one, "id": first_face + one["id"], "image_id": first_image + one["image_id"]})
    content["info"]["synthetic"] = ours.synthetic and more.synthetic
    return content


def is_appended(ours: Photographs, more: Photographs, together: Photographs) -> bool:
    """Whether a data set holds the photographs of one, and behind them, bit by bit, those of another."""
    return list(together) == [*ours, *more] and all(
        (together.images / one.file).read_bytes() == (more.images / one.file).read_bytes() for one in more
    )
