"""Concatenation of two data sets: the photographs of the second follow those of the first."""

from typing import Any

from facade.dataset.records import without_landmarks
from facade.dataset.store import Photographs


def concatenated(first: Photographs, second: Photographs | None) -> dict[str, Any]:
    """The concatenated labels of two data sets as the content of a COCO file; `second` may be None or empty."""
    content = first.content()
    if second is None or not len(second):
        return content
    after = second.content()
    first_image = max((image["id"] for image in content["images"]), default=0)
    first_face = max((one["id"] for one in content["annotations"]), default=0)
    for image in after["images"]:
        content["images"].append({**image, "id": first_image + image["id"]})
    for one in after["annotations"]:
        content["annotations"].append({**one, "id": first_face + one["id"], "image_id": first_image + one["image_id"]})
    content["info"]["synthetic"] = first.synthetic and second.synthetic
    return content


def is_concatenation(first: Photographs, second: Photographs, combined: Photographs) -> bool:
    """Whether a data set has the boxes of two others in this order, and the files of the second byte for byte.

    Landmarks are compared with none: an arm has none.
    """
    expected = [without_landmarks(one) for one in (*first, *second)]
    return list(combined) == expected and all(combined.read(one) == second.read(one) for one in second)


def coco_without_landmarks(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a COCO file without the landmarks of its faces."""
    faces = [
        {key: value for key, value in one.items() if key not in ("keypoints", "num_keypoints")}
        for one in content["annotations"]
    ]
    return {**content, "annotations": faces}
