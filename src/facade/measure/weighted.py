"""Average precision of weighted photographs, as the bootstrap needs it: fast, and exact.

The detections of a run are matched to faces once. A bootstrap sample only changes how often each photograph counts;
one pass over the detections, highest score first, then gives the average precision at all IoU thresholds.
"""

from dataclasses import dataclass

import numba
import numpy as np

from facade.measure.arrays import Detections, GroundTruth
from facade.measure.precision_recall import intersection_area

# COCO's IoU thresholds, and the recalls at which it averages precision.
IOU_THRESHOLDS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
RECALLS = np.linspace(0.0, 1.0, 101)
# Kinds of annotation: scored; a single face that is not scored; an area that may hold several faces.
SCORED, UNSCORED, CROWD = 0, 1, 2
# COCO lowers an IoU threshold of 1 by this little.
MAX_IOU_THRESHOLD = 1 - 1e-10


@dataclass(frozen=True)
class MatchedRun:
    """The matched detections of one run, highest score first, over all photographs.

    Attributes:
        photograph: (N,) int32, photograph index of each detection; detections that cannot change the result are
            omitted.
        true_positive: (N,) uint16, bit t is set where the detection is a true positive at IoU threshold t.
        ignored: (N,) uint16, bit t is set where it is neither a true nor a false positive at IoU threshold t.
        faces: (P,) int64, number of faces to detect in each photograph.
        thresholds: Number of IoU thresholds.
    """

    photograph: np.ndarray
    true_positive: np.ndarray
    ignored: np.ndarray
    faces: np.ndarray
    thresholds: int

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Average precision at each IoU threshold, (thresholds,) float, with photograph p counted `weights[p]` times.

        Args:
            weights: (P,) integers.

        Returns:
            NaN where no face counts.
        """
        weights = np.ascontiguousarray(weights, np.int64)
        total = int(weights @ self.faces)
        if total == 0:
            return np.full(self.thresholds, np.nan)
        return _average_precision(
            self.photograph, self.true_positive, self.ignored, weights, total, self.thresholds, RECALLS
        )


def match_run(
    faces: GroundTruth,
    detections: Detections,
    thresholds: tuple[float, ...] = IOU_THRESHOLDS,
    scored: np.ndarray | None = None,
) -> MatchedRun:
    """Match the detections of a run to faces, photograph by photograph, as COCO does.

    In descending order of score, each detection takes the unmatched face with the highest IoU. An ignored area may be
    matched any number of times.

    Args:
        faces: The ground truth.
        detections: The detections of the run.
        thresholds: IoU thresholds for a true positive, ascending; at most 16.
        scored: (M,) bool, which faces are scored; all by default. The first detection of any other face is neither a
            true nor a false positive.
    """
    kinds = np.where(faces.ignored, CROWD, SCORED if scored is None else np.where(scored, SCORED, UNSCORED))
    true_positive, ignored = _matches(
        detections.boxes, detections.starts, faces.boxes, faces.starts, kinds.astype(np.int64),
        np.minimum(thresholds, MAX_IOU_THRESHOLD),
    )  # fmt: skip
    order = np.argsort(-detections.scores, kind="stable")
    true_positive, ignored = true_positive[order], ignored[order]
    # Detections after the last true positive, or ignored at every threshold, do not change average precision.
    last = int(np.flatnonzero(true_positive)[-1]) + 1 if true_positive.any() else 0
    kept = np.flatnonzero(ignored[:last] != (1 << len(thresholds)) - 1)
    photographs = len(faces.starts) - 1
    to_detect = np.bincount(faces.photograph[kinds == SCORED], minlength=photographs)
    return MatchedRun(
        detections.photograph[order][kept].astype(np.int32), true_positive[kept], ignored[kept],
        to_detect.astype(np.int64), len(thresholds),
    )  # fmt: skip


@numba.njit(cache=True)
def _matches(boxes, box_starts, faces, starts, kinds, thresholds):  # type: ignore[no-untyped-def]
    """True-positive and ignored bits of each detection, (N,) uint16 each; (N, 4) and (M, 4) boxes x y w h."""
    true_positive, ignored = np.zeros(boxes.shape[0], np.uint16), np.zeros(boxes.shape[0], np.uint16)
    for p in range(starts.shape[0] - 1):
        box_0, box_count, face_0, face_count = (
            box_starts[p], box_starts[p + 1] - box_starts[p], starts[p], starts[p + 1] - starts[p],
        )  # fmt: skip
        if face_count == 0:
            continue
        iou = np.zeros((box_count, face_count))
        for i in range(box_count):
            for j in range(face_count):
                shared = intersection_area(boxes[box_0 + i], faces[face_0 + j])
                if shared > 0.0:
                    area = boxes[box_0 + i, 2] * boxes[box_0 + i, 3]
                    # For a crowd, COCO divides by the area of the detection alone.
                    crowd = kinds[face_0 + j] == CROWD
                    union = area if crowd else area + faces[face_0 + j, 2] * faces[face_0 + j, 3] - shared
                    iou[i, j] = shared / union
        for t in range(thresholds.shape[0]):
            taken = np.zeros(face_count, np.bool_)
            for i in range(box_count):
                best, at = thresholds[t], -1
                for j in range(face_count):
                    if kinds[face_0 + j] == SCORED and not taken[j] and iou[i, j] >= best:
                        best, at = iou[i, j], j
                if at >= 0:
                    taken[at] = True
                    true_positive[box_0 + i] |= np.uint16(1 << t)
                    continue
                for j in range(face_count):
                    if kinds[face_0 + j] != SCORED and not taken[j] and iou[i, j] >= best:
                        best, at = iou[i, j], j
                if at >= 0:
                    taken[at] = kinds[face_0 + at] == UNSCORED  # a crowd may be matched any number of times
                    ignored[box_0 + i] |= np.uint16(1 << t)
    return true_positive, ignored


@numba.njit(cache=True, nogil=True)
def _average_precision(photograph, true_positive, ignored, weights, total, thresholds, recalls):  # type: ignore[no-untyped-def]
    """See `MatchedRun.average_precision`; `total` is the weighted number of faces."""
    hits = 0
    for i in range(photograph.shape[0]):
        if true_positive[i] != 0:
            hits += 1
    # Points of the precision-recall curve, one per true positive: the true positives and the detections so far.
    tp_at = np.zeros((thresholds, hits), np.int64)
    detections_at = np.zeros((thresholds, hits), np.int64)
    points = np.zeros(thresholds, np.int64)
    tp, skipped = np.zeros(thresholds, np.int64), np.zeros(thresholds, np.int64)
    detections = 0
    for i in range(photograph.shape[0]):
        weight = weights[photograph[i]]
        if weight == 0:
            continue
        detections += weight
        if ignored[i] != 0:
            for t in range(thresholds):
                if (ignored[i] >> t) & 1:
                    skipped[t] += weight
        if true_positive[i] != 0:
            for t in range(thresholds):
                if (true_positive[i] >> t) & 1:
                    tp[t] += weight
                    tp_at[t, points[t]] = tp[t]
                    detections_at[t, points[t]] = detections - skipped[t]
                    points[t] += 1
    result = np.zeros(thresholds)
    for t in range(thresholds):
        best, k = 0.0, recalls.shape[0] - 1
        area = 0.0
        # Backwards from the last true positive: the best precision at or beyond each recall.
        for n in range(points[t] - 1, -1, -1):
            recall = tp_at[t, n] / total
            previous = tp_at[t, n - 1] / total if n > 0 else 0.0
            best = max(best, tp_at[t, n] / detections_at[t, n])
            while k >= 0 and recalls[k] > recall:
                k -= 1
            while k >= 0 and (recalls[k] > previous or n == 0):
                area += best
                k -= 1
        result[t] = area / recalls.shape[0]
    return result
