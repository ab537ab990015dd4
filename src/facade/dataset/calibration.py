"""The calibration split: training photographs that are held out to fix the operating threshold of a detector."""

import hashlib
from collections.abc import Iterable
from typing import Any


def calibration_files(files: Iterable[str], percent: float) -> set[str]:
    """Choose the calibration photographs: the given percentage with the smallest hashes of their names.

    The choice is the same in every arm. It does not depend on the order or the pixels.

    Args:
        files: Names of all training photographs.
        percent: Share to hold out, 0 to 100; at least one photograph if it is not 0.
    """
    ordered = sorted(files, key=lambda file: hashlib.sha256(f"calibration {file}".encode()).digest())
    count = 0 if percent == 0 else max(1, round(percent / 100 * len(ordered)))
    return set(ordered[:count])


def calibration_labels(content: dict[str, Any], percent: float) -> dict[str, Any]:
    """The labels of the calibration split, as the content of a COCO file."""
    return _select(content, percent, calibration=True)


def training_labels(content: dict[str, Any], percent: float) -> dict[str, Any]:
    """The labels of all other photographs: the training split."""
    return _select(content, percent, calibration=False)


def _select(content: dict[str, Any], percent: float, calibration: bool) -> dict[str, Any]:
    files = calibration_files((image["file_name"] for image in content["images"]), percent)
    images = [image for image in content["images"] if (image["file_name"] in files) == calibration]
    kept = {image["id"] for image in images}
    annotations = [annotation for annotation in content["annotations"] if annotation["image_id"] in kept]
    return {**content, "images": images, "annotations": annotations}
