"""Several detectors joined: the union of their detections."""

from collections.abc import Sequence

import numpy as np

from facade.dataset.iou import iou_matrix
from facade.networks.protocol import BOX_COLUMNS, FaceDetector, sort_by_score, with_landmark_columns, xyxy

# IoU above which two detections are one face. Networks draw boxes of different tightness: with .6, which one network's
# own NMS uses, a union keeps two boxes for some faces, so two tracks and two pseudonyms (docs/detectors.md).
NMS = 0.4
# The score of a joined detection at its own detector's threshold.
COMMON_THRESHOLD = 0.5


def to_common(scores: np.ndarray | float, threshold: float) -> np.ndarray:
    """Scores of one detector on the common scale.

    Piecewise linear: 0 stays 0, `threshold` becomes `COMMON_THRESHOLD`, 1 stays 1. The order of scores stays.

    Args:
        scores: Of the detector, 0 to 1.
        threshold: Its own score threshold, between 0 and 1.
    """
    return np.asarray(np.interp(scores, [0, threshold, 1], [0, COMMON_THRESHOLD, 1]))


def from_common(score: float, threshold: float) -> float:
    """The inverse of `to_common`."""
    return float(np.interp(score, [0, COMMON_THRESHOLD, 1], [0, threshold, 1]))


class JoinedDetector:
    """The union of several detectors, with scores on a common scale.

    Args:
        detectors: The detectors.
        thresholds: The score threshold of each.
    """

    def __init__(self, detectors: Sequence[FaceDetector], thresholds: Sequence[float]) -> None:
        self.name = " + ".join(one.name for one in detectors)
        self._members = list(zip(detectors, thresholds, strict=True))

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`; `min_score` is on the common scale."""
        found = []
        for detector, threshold in self._members:
            rows = detector.detect(image, from_common(min_score, threshold)).astype(float)
            rows[:, 4] = to_common(rows[:, 4], threshold)
            found.append(rows)
        if any(rows.shape[1] > BOX_COLUMNS for rows in found):
            found = [with_landmark_columns(rows) for rows in found]
        return union(np.concatenate(found), NMS)


def join_detectors(detectors: Sequence[FaceDetector], thresholds: Sequence[float]) -> FaceDetector:
    """The union of several detectors; a single one stays as it is, with its own scores.

    Args:
        detectors: At least one.
        thresholds: The score threshold of each.
    """
    return detectors[0] if len(detectors) == 1 else JoinedDetector(detectors, thresholds)


def union(rows: np.ndarray, iou: float) -> np.ndarray:
    """Detections without duplicates; a kept one without landmarks takes those of its highest-scoring duplicate.

    Args:
        rows: (N, 5) or (N, 15) float, see `FaceDetector.detect`, in any order.
        iou: IoU above which the lower-scoring of two is a duplicate.
    """
    rows = sort_by_score(rows)
    boxes = xyxy(rows)
    left = np.ones(len(rows), bool)
    kept = []
    for index in range(len(rows)):
        if not left[index]:
            continue
        kept.append(index)
        # Row by row: a matrix of all pairs would take hundreds of megabytes for some thousand candidates.
        same = iou_matrix(boxes[index : index + 1], boxes)[0] > iou
        group = np.flatnonzero(left & same)
        left[group] = left[index] = False
        if rows.shape[1] > BOX_COLUMNS and np.isnan(rows[index, BOX_COLUMNS:]).any():
            complete = [one for one in group if not np.isnan(rows[one, BOX_COLUMNS:]).any()]
            rows[index, BOX_COLUMNS:] = rows[complete[0], BOX_COLUMNS:] if complete else np.nan
    return rows[kept]
