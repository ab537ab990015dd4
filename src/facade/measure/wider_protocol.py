"""WIDER FACE's own protocol: average precision on its easy, medium and hard faces.

It follows the evaluation code of the data set's authors (http://shuoyang1213.me/WIDERFACE/): boxes are one pixel wider
and higher, the IoU threshold is .5, the scores of a run are rescaled to 0 to 1, and AP is the area under the curve at a
thousand thresholds. A level is a set of faces. A detection of any other face is ignored, a second detection of the same
face is a false positive, and photographs without faces do not count.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import numba
import numpy as np
from scipy.io import loadmat

from facade.errors import FacadeError
from facade.measure.arrays import Detections, GroundTruth

IOU_THRESHOLD, SCORE_THRESHOLDS = 0.5, 1000
LEVELS = ("easy", "medium", "hard")
# Minimum heights in pixels that replace the levels where no ground truth is given.
HEIGHTS = (34, 16, 9)
# Percent of a level's faces that may be missing from the labels (boxes without area are removed from these).
MAX_MISSING = 1.0


def difficulty_levels(truth: dict[str, Any], ground_truth: Path | None) -> dict[str, frozenset[int]]:
    """The faces that are scored at each level.

    Args:
        truth: Content of the golden set's COCO file.
        ground_truth: Folder of WIDER FACE's `wider_easy_val.mat` and so on; None for levels by height, which have
            different names to avoid confusion.

    Returns:
        Annotation ids, by the name of the metric.

    Raises:
        FacadeError: The ground truth cannot be read, or belongs to another golden set.
    """
    scored = [face for face in truth["annotations"] if not face["iscrowd"]]
    if ground_truth is None:
        return {
            f"AP_from_{height}px": frozenset(face["id"] for face in scored if face["bbox"][3] >= height)
            for height in HEIGHTS
        }
    names = {image["id"]: str(PurePosixPath(image["file_name"]).with_suffix("")) for image in truth["images"]}
    by_index = {(names[face["image_id"]], face.get("index")): face["id"] for face in truth["annotations"]}
    return {
        f"WIDER_{level}": _level(ground_truth / f"wider_{level}_val.mat", by_index, set(names.values()))
        for level in LEVELS
    }


def _level(path: Path, by_index: dict[tuple[str, Any], int], photographs: set[str]) -> frozenset[int]:
    level = _read(path)
    unknown = sorted(photographs - set(level))
    if unknown:
        raise FacadeError(
            f"{path} lacks {len(unknown)} of the golden photographs, for example {unknown[0]}. Set "
            "evaluate.wider_ground_truth to the ground truth of this golden set, or to null."
        )
    faces = [(name, index) for name in sorted(photographs) for index in level[name]]
    missing = [face for face in faces if face not in by_index]
    if len(missing) > MAX_MISSING / 100 * len(faces):
        raise FacadeError(
            f"{len(missing)} of the {len(faces)} faces of {path} are not in the golden labels, for example "
            f"number {missing[0][1] + 1} of {missing[0][0]}. Run `dvc repro ingest` on WIDER FACE's own label files."
        )
    return frozenset(by_index[face] for face in faces if face in by_index)


def _read(path: Path) -> dict[str, list[int]]:
    """Indices of the faces of a level, from 0, by photograph."""
    try:
        content = loadmat(str(path))
        indices: dict[str, list[int]] = {}
        for event, files, lists in zip(
            content["event_list"][:, 0], content["file_list"][:, 0], content["gt_list"][:, 0], strict=True
        ):
            for file, numbers in zip(files[:, 0], lists[:, 0], strict=True):
                indices[f"{event[0]}/{file[0]}"] = [int(number) - 1 for number in numbers.ravel()]
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing. Set evaluate.wider_ground_truth to the folder that holds it.") from None
    # On damaged bytes loadmat raises many kinds of exceptions, including scipy's own bugs.
    except Exception as error:  # noqa: BLE001
        raise FacadeError(f"{path} is not WIDER FACE's ground truth ({error}). Download it again.") from None
    return indices


def wider_average_precision(faces: GroundTruth, detections: Detections, scored: np.ndarray) -> float | None:
    """Average precision at one level.

    Args:
        faces: All labelled faces.
        detections: The detections of one run.
        scored: (M,) bool, the faces of the level.

    Returns:
        None where the level has no face.
    """
    total = int(scored.sum())
    if total == 0:
        return None
    scores = detections.scores
    if not len(scores):
        return 0.0
    true_positive, counts = _matches(
        detections.boxes, detections.starts, faces.boxes, faces.starts, scored, IOU_THRESHOLD
    )
    # Rescaled by the minimum and maximum score of the run, including photographs without faces.
    spread = scores.max() - scores.min()
    normalized = (scores - scores.min()) / spread if spread > 0 else np.ones(len(scores))
    order = np.argsort(-normalized, kind="stable")
    tp = np.concatenate([[0], np.cumsum(true_positive[order])])
    proposals = np.concatenate([[0], np.cumsum(counts[order])])
    thresholds = 1 - np.arange(1, SCORE_THRESHOLDS + 1) / SCORE_THRESHOLDS
    admitted = np.searchsorted(-normalized[order], -thresholds, side="right")
    return _area(tp[admitted] / total, tp[admitted] / np.maximum(proposals[admitted], 1))


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area under the best precision at or beyond each recall (Pascal VOC since 2010)."""
    recall = np.concatenate([[0.0], recall, [1.0]])
    envelope = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(((recall[steps + 1] - recall[steps]) * envelope[steps + 1]).sum())


@numba.njit(cache=True)
def _matches(boxes, box_starts, faces, starts, scored, iou):  # type: ignore[no-untyped-def]
    """Whether each detection, highest score first, is a true positive; and whether it counts at all."""
    true_positive = np.zeros(boxes.shape[0], np.bool_)
    counts = np.ones(boxes.shape[0], np.bool_)
    taken = np.zeros(faces.shape[0], np.bool_)
    for p in range(starts.shape[0] - 1):
        for i in range(box_starts[p], box_starts[p + 1]):
            if starts[p] == starts[p + 1]:
                counts[i] = False
                continue
            best, at = -1.0, -1
            for j in range(starts[p], starts[p + 1]):
                w = min(boxes[i, 0] + boxes[i, 2], faces[j, 0] + faces[j, 2]) - max(boxes[i, 0], faces[j, 0]) + 1
                h = min(boxes[i, 1] + boxes[i, 3], faces[j, 1] + faces[j, 3]) - max(boxes[i, 1], faces[j, 1]) + 1
                value = 0.0
                if w > 0 and h > 0:
                    areas = (boxes[i, 2] + 1) * (boxes[i, 3] + 1) + (faces[j, 2] + 1) * (faces[j, 3] + 1)
                    value = w * h / (areas - w * h)
                if value > best:
                    best, at = value, j
            if best >= iou:
                if not scored[at]:
                    counts[i] = False
                elif not taken[at]:
                    taken[at] = True
                    true_positive[i] = True
    return true_positive, counts
