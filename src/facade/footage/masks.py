"""Masks of the pixels that anonymization changed: a PNG for a photograph, COCO run lengths for a video's frames."""

from typing import Any

import cv2
import numpy as np

from facade.files import write_bytes
from facade.storage import AnyPath


def changed_mask(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Pixels that differ in any channel, before the result is encoded; (H, W) bool.

    It needs no knowledge of the treatment. A pixel inside a treated region counts only if its value changed.
    """
    return (before != after).any(2)


def mask_path(target: AnyPath) -> AnyPath:
    """Where the mask of a photograph is written."""
    return target.with_name(f"{target.name}.mask.png")


def masks_path(target: AnyPath) -> AnyPath:
    """Where the masks of a video are written."""
    return target.with_name(f"{target.name}.masks.json")


def write_mask(path: AnyPath, mask: np.ndarray) -> None:
    """Write a mask as a PNG: 255 where the photograph was changed, 0 elsewhere."""
    write_bytes(path, cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes())


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's uncompressed RLE: lengths of alternating runs of 0 and 1 in column order, zeros first.

    Args:
        mask: (H, W) bool.
    """
    flat = mask.ravel(order="F")
    counts = [] if not flat.size or not flat[0] else [0]
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts += np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": list(mask.shape), "counts": counts}
