"""The content of the COCO files that Facade writes: labels, patches, unlabelled faces. One category, `face`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from facade.dataset.records import Photograph

CATEGORY = {
    "id": 1,
    "name": "face",
    "keypoints": ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"],
    "skeleton": [],
}
AREA_DIGITS = 4


def coco_content(
    info: Mapping[str, Any], entries: Iterable[tuple[int, Photograph, Iterable[Mapping[str, Any]]]]
) -> dict[str, Any]:
    """Assemble the content of a COCO file. Annotation ids count from 1 in the given order.

    Args:
        info: Its `info`.
        entries: Image id, photograph, and the annotations of the photograph (`coco_annotation`).
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, photograph, own in entries:
        image = {"id": number, "file_name": photograph.file, "width": photograph.width, "height": photograph.height}
        images.append(image | ({"domain": photograph.domain} if photograph.domain else {}))
        for annotation in own:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
    return {"info": dict(info), "images": images, "annotations": annotations, "categories": [CATEGORY]}


def coco_annotation(
    bbox: Sequence[float],
    *,
    ignore: bool = False,
    keypoints: Iterable[tuple[float, float]] | None = None,
    area_digits: int = AREA_DIGITS,
    **attributes: Any,
) -> dict[str, Any]:
    """An annotation without its ids.

    Args:
        bbox: x, y, width, height, in pixels.
        ignore: Whether COCO's scoring ignores it (`iscrowd`).
        keypoints: x, y of each landmark, in pixels; all are marked as visible.
        area_digits: Decimals of `area`.
        attributes: Further fields, in this order.
    """
    entry: dict[str, Any] = {
        "category_id": CATEGORY["id"],
        "bbox": list(bbox),
        "area": round(bbox[2] * bbox[3], area_digits),
        "iscrowd": int(ignore),
    }
    if keypoints is not None:
        flat = [value for x, y in keypoints for value in (x, y, 2)]
        entry |= {"keypoints": flat, "num_keypoints": len(flat) // 3}
    return {**entry, **attributes}


def with_annotations(
    content: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], **info: Any
) -> dict[str, Any]:
    """A COCO file's content with other annotations, only the images that have any, and further `info`."""
    image_ids = {annotation["image_id"] for annotation in annotations}
    return {
        **content,
        "info": {**content["info"], **info},
        "images": [image for image in content["images"] if image["id"] in image_ids],
        "annotations": list(annotations),
    }
