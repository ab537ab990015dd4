"""Two data sets as one: the photographs of the second come behind those of the first."""

from typing import Any

from facade.dataset.store import Photographs


def concatenated(ours: Photographs, more: Photographs | None) -> dict[str, Any]:
    """The labels of a data set with those of another, or of none, behind them, as the content of a COCO file."""
    content = ours.content()
    if more is None or not len(more):
        return content
    after = more.content()
    first_image = max((image["id"] for image in content["images"]), default=0)
    first_face = max((one["id"] for one in content["annotations"]), default=0)
    for image in after["images"]:
        content["images"].append({**image, "id": first_image + image["id"]})
    for one in after["annotations"]:
        content["annotations"].append({**one, "id": first_face + one["id"], "image_id": first_image + one["image_id"]})
    content["info"]["synthetic"] = ours.synthetic and more.synthetic
    return content


def is_concatenation(ours: Photographs, more: Photographs, together: Photographs) -> bool:
    """Whether a data set holds the photographs of one, and behind them, bit by bit, those of another."""
    return list(together) == [*ours, *more] and all(together.read(one) == more.read(one) for one in more)
