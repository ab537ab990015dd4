"""The calibration part of the training photographs: never trained on, it tells at which score a detector is used."""

import hashlib
from collections.abc import Iterable
from typing import Any


def calibration_files(files: Iterable[str], percent: float) -> set[str]:
    """Which photographs are kept for calibration: so many percent, those whose names have the smallest hashes.

    The same ones in every arm, whatever their order; the pixels do not matter.

    Args:
        files: Names of all training photographs.
        percent: How many of them, 0 to 100; at least one if it is not 0.
    """
    ordered = sorted(files, key=lambda file: hashlib.sha256(f"calibration {file}".encode()).digest())
    count = 0 if percent == 0 else max(1, round(percent / 100 * len(ordered)))
    return set(ordered[:count])


def calibration_labels(content: dict[str, Any], percent: float) -> dict[str, Any]:
    """The labels of the calibration part, as the content of a COCO file."""
    return _parted(content, percent, apart=True)


def training_labels(content: dict[str, Any], percent: float) -> dict[str, Any]:
    """The labels of all other photographs: those that are trained on."""
    return _parted(content, percent, apart=False)


def _parted(content: dict[str, Any], percent: float, apart: bool) -> dict[str, Any]:
    files = calibration_files((image["file_name"] for image in content["images"]), percent)
    images = [image for image in content["images"] if (image["file_name"] in files) == apart]
    kept = {image["id"] for image in images}
    annotations = [annotation for annotation in content["annotations"] if annotation["image_id"] in kept]
    return {**content, "images": images, "annotations": annotations}
