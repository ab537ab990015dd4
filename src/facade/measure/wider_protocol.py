"""WIDER FACE's own protocol: average precision on its easy, medium and hard faces.

As the evaluation code of the data set's authors has it (http://shuoyang1213.me/WIDERFACE/): boxes measured with one
pixel more, an overlap of .5, scores of a run stretched to 0 to 1, a thousand thresholds, and the whole area under the
curve. A level is a set of faces; a detection on another one is neither right nor wrong, a second one on the same face
is wrong, and photographs without any face do not count.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import numba
import numpy as np
from scipy.io import loadmat

from facade.errors import FacadeError
from facade.measure.arrays import Faces, Found

OVERLAP, THRESHOLDS = 0.5, 1000
LEVELS = ("easy", "medium", "hard")
# Heights in pixels that take the place of the levels where no ground truth is given.
HEIGHTS = (34, 16, 9)
# Percent of a level's faces that may be missing from the labels (boxes without area were left out).
MOST_MISSING = 1.0


def levels(truth: dict[str, Any], ground_truth: Path | None) -> dict[str, frozenset[int]]:
    """Which faces are judged at each level.

    Args:
        truth: Content of the golden set's COCO file.
        ground_truth: Folder of WIDER FACE's `wider_easy_val.mat` and so on; None for levels by height, which have
            other names, so that nobody takes one for the other.

    Returns:
        By the name of the metric, ids of annotations.

    Raises:
        FacadeError: The ground truth cannot be read, or is not that of this golden set.
    """
    scored = [face for face in truth["annotations"] if not face["iscrowd"]]
    if ground_truth is None:
        return {
            f"AP_from_{height}px": frozenset(face["id"] for face in scored if face["bbox"][3] >= height)
            for height in HEIGHTS
        }
    numbers = {image["id"]: str(PurePosixPath(image["file_name"]).with_suffix("")) for image in truth["images"]}
    placed = {(numbers[face["image_id"]], face.get("index")): face["id"] for face in truth["annotations"]}
    return {
        f"WIDER_{level}": _level(ground_truth / f"wider_{level}_val.mat", placed, set(numbers.values()))
        for level in LEVELS
    }


def _level(path: Path, placed: dict[tuple[str, Any], int], photographs: set[str]) -> frozenset[int]:
    wanted = _read(path)
    unknown = sorted(photographs - set(wanted))
    if unknown:
        raise FacadeError(
            f"{path} does not know {len(unknown)} of the golden photographs, as {unknown[0]}. Give the ground truth of "
            "this golden set as evaluate.wider_ground_truth, or null."
        )
    faces = [(name, place) for name in sorted(photographs) for place in wanted[name]]
    missing = [face for face in faces if face not in placed]
    if len(missing) > MOST_MISSING / 100 * len(faces):
        raise FacadeError(
            f"{len(missing)} of the {len(faces)} faces of {path} are not in the golden labels, as number "
            f"{missing[0][1] + 1} of {missing[0][0]}. Run `dvc repro ingest` on WIDER FACE's own label files."
        )
    return frozenset(placed[face] for face in faces if face in placed)


def _read(path: Path) -> dict[str, list[int]]:
    """Places of the faces of a level, counted from 0, by photograph."""
    try:
        content = loadmat(str(path))
        found: dict[str, list[int]] = {}
        for event, files, lists in zip(
            content["event_list"][:, 0], content["file_list"][:, 0], content["gt_list"][:, 0], strict=True
        ):
            for file, places in zip(files[:, 0], lists[:, 0], strict=True):
                found[f"{event[0]}/{file[0]}"] = [int(place) - 1 for place in places.ravel()]
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing. evaluate.wider_ground_truth names the folder that holds it.") from None
    # A reader fed damaged bytes raises whatever it stumbles over, scipy's own slips among it.
    except Exception as error:  # noqa: BLE001
        raise FacadeError(f"{path} is not WIDER FACE's ground truth ({error}). Fetch it anew.") from None
    return found


def wider_average_precision(faces: Faces, found: Found, counted: np.ndarray) -> float | None:
    """Average precision at one level.

    Args:
        faces: All labelled faces.
        found: The detections of one run.
        counted: (M,) bool, which faces are judged.

    Returns:
        None where no face is judged.
    """
    total = int(counted.sum())
    if total == 0:
        return None
    if not len(found.scores):
        return 0.0
    right, proposed = _matches(found.boxes, found.starts, faces.boxes, faces.starts, counted, OVERLAP)
    # Stretched by the least and the greatest score of the run, in photographs without faces, too.
    spread = found.scores.max() - found.scores.min()
    normal = (found.scores - found.scores.min()) / spread if spread > 0 else np.ones(len(found.scores))
    order = np.argsort(-normal, kind="stable")
    hits = np.concatenate([[0], np.cumsum(right[order])])
    made = np.concatenate([[0], np.cumsum(proposed[order])])
    reached = np.searchsorted(-normal[order], -(1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS), side="right")
    return _area(hits[reached] / total, hits[reached] / np.maximum(made[reached], 1))


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area under the best precision at or beyond each recall (Pascal VOC since 2010)."""
    recall = np.concatenate([[0.0], recall, [1.0]])
    envelope = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(((recall[steps + 1] - recall[steps]) * envelope[steps + 1]).sum())


@numba.njit(cache=True)
def _matches(boxes, box_starts, faces, starts, judged, overlap):  # type: ignore[no-untyped-def]
    """Whether each detection, surest first, found a judged face that none had found; and whether it counts at all."""
    right = np.zeros(boxes.shape[0], np.bool_)
    counts = np.ones(boxes.shape[0], np.bool_)
    taken = np.zeros(faces.shape[0], np.bool_)
    for p in range(starts.shape[0] - 1):
        for i in range(box_starts[p], box_starts[p + 1]):
            if starts[p] == starts[p + 1]:
                counts[i] = False
                continue
            best, at = -1.0, -1
            for j in range(starts[p], starts[p + 1]):
                wide = min(boxes[i, 0] + boxes[i, 2], faces[j, 0] + faces[j, 2]) - max(boxes[i, 0], faces[j, 0]) + 1
                high = min(boxes[i, 1] + boxes[i, 3], faces[j, 1] + faces[j, 3]) - max(boxes[i, 1], faces[j, 1]) + 1
                value = 0.0
                if wide > 0 and high > 0:
                    both = (boxes[i, 2] + 1) * (boxes[i, 3] + 1) + (faces[j, 2] + 1) * (faces[j, 3] + 1)
                    value = wide * high / (both - wide * high)
                if value > best:
                    best, at = value, j
            if best >= overlap:
                if not judged[at]:
                    counts[i] = False
                elif not taken[at]:
                    taken[at] = True
                    right[i] = True
    return right, counts
