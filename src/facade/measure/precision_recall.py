"""True and false positives, and precision and recall at every confidence threshold."""

from dataclasses import dataclass

import numba
import numpy as np

from facade.measure.arrays import Detections, GroundTruth

# Values in place of a face index, for detections that match no scored face.
FALSE_POSITIVE, IGNORED = -1, -2


@dataclass(frozen=True)
class MatchedDetections:
    """The detections of one run that count, highest score first, over all photographs.

    Attributes:
        scores: (N,) float, descending.
        true_positive: (N,) bool; the others are false positives. Detections of ignored faces are omitted: they are
            neither.
        faces: Number of faces to detect.
        photographs: Number of photographs, including those without faces.
    """

    scores: np.ndarray
    true_positive: np.ndarray
    faces: int
    photographs: int

    @property
    def recall(self) -> np.ndarray:
        """(N,) recall with each detection's score as the threshold."""
        return np.cumsum(self.true_positive) / self.faces

    @property
    def is_threshold(self) -> np.ndarray:
        """(N,) bool, where a threshold can lie: after the last of tied scores, as it admits all of them or none."""
        return np.append(self.scores[1:] != self.scores[:-1], True)[: len(self.scores)]

    @property
    def precision(self) -> np.ndarray:
        """(N,) precision with each detection's score as the threshold."""
        return np.cumsum(self.true_positive) / np.arange(1, len(self.true_positive) + 1)


def match_detections(faces: GroundTruth, detections: Detections, iou: float) -> MatchedDetections:
    """Match detections to faces, photograph by photograph, highest score first, each face at most once.

    Args:
        faces: The ground truth.
        detections: The detections of a run.
        iou: IoU threshold for a true positive.
    """
    matched = matched_faces(faces, detections, iou)
    counts = matched != IGNORED
    order = np.argsort(-detections.scores[counts], kind="stable")
    return MatchedDetections(
        detections.scores[counts][order],
        (matched != FALSE_POSITIVE)[counts][order],
        int((~faces.ignored).sum()),
        len(faces.starts) - 1,
    )


def matched_faces(faces: GroundTruth, detections: Detections, iou: float) -> np.ndarray:
    """The face that each detection matches; within a photograph, detections match in descending order of score.

    For an ignored face, IoU is replaced by the share of the detection that lies in it, as in COCO: the ignored area
    may hold several faces.

    Args:
        faces: The ground truth.
        detections: The detections of a run.
        iou: IoU threshold for a true positive.

    Returns:
        (N,) int64, for each detection the index of its face in `faces`, `FALSE_POSITIVE`, or `IGNORED`.
    """
    return np.asarray(
        _matched_faces(faces.boxes, faces.ignored, faces.starts, detections.boxes, detections.starts, iou)
    )


def closest_detections(faces: GroundTruth, detections: Detections, iou: float) -> tuple[np.ndarray, np.ndarray]:
    """How close any detection comes to each face.

    Args:
        faces: The ground truth.
        detections: The detections of a run, whatever their scores.
        iou: IoU threshold for a true positive.

    Returns:
        (M,) highest IoU, and (M,) highest score of a detection with at least `iou`, 0 where there is none.
    """
    best_iou, best_score = _closest_detections(
        faces.boxes, faces.starts, detections.boxes, detections.scores, detections.starts, iou
    )
    return np.asarray(best_iou), np.asarray(best_score)


@numba.njit(cache=True)
def intersection_area(first, second):  # type: ignore[no-untyped-def]
    """Area of the intersection of two boxes x y w h."""
    w = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    h = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    return w * h if w > 0.0 and h > 0.0 else 0.0


@numba.njit(cache=True)
def _matched_faces(faces, ignored, starts, boxes, box_starts, iou):  # type: ignore[no-untyped-def]
    matched = np.full(boxes.shape[0], FALSE_POSITIVE, np.int64)
    taken = np.zeros(faces.shape[0], np.bool_)
    for p in range(starts.shape[0] - 1):
        for i in range(box_starts[p], box_starts[p + 1]):
            best, at, in_ignored = 0.0, -1, False
            area = boxes[i, 2] * boxes[i, 3]
            for j in range(starts[p], starts[p + 1]):
                shared = intersection_area(boxes[i], faces[j])
                if ignored[j]:
                    in_ignored = in_ignored or shared >= iou * max(area, 1e-12)
                elif not taken[j]:
                    value = shared / max(area + faces[j, 2] * faces[j, 3] - shared, 1e-12)
                    if value > best:
                        best, at = value, j
            if at >= 0 and best >= iou:
                taken[at] = True
                matched[i] = at
            elif in_ignored:
                matched[i] = IGNORED
    return matched


@numba.njit(cache=True)
def _closest_detections(faces, starts, boxes, scores, box_starts, iou):  # type: ignore[no-untyped-def]
    best_iou, best_score = np.zeros(faces.shape[0]), np.zeros(faces.shape[0])
    for p in range(starts.shape[0] - 1):
        for i in range(box_starts[p], box_starts[p + 1]):
            for j in range(starts[p], starts[p + 1]):
                shared = intersection_area(boxes[i], faces[j])
                union = boxes[i, 2] * boxes[i, 3] + faces[j, 2] * faces[j, 3] - shared
                value = shared / max(union, 1e-12)
                best_iou[j] = max(best_iou[j], value)
                if value >= iou:
                    best_score[j] = max(best_score[j], scores[i])
    return best_iou, best_score


def recall_at_fppi(matched: MatchedDetections, fppi: float) -> float:
    """Highest recall at any threshold with at most this many false positives per image, on average."""
    false_positives = np.cumsum(~matched.true_positive)
    allowed = matched.is_threshold & (false_positives <= fppi * matched.photographs)
    return float(matched.recall[allowed][-1]) if allowed.any() else 0.0


def precision_at_recalls(matched: MatchedDetections, recalls: np.ndarray) -> np.ndarray:
    """Best precision at or beyond each recall, 0 where it is never reached: the curve whose mean is AP."""
    envelope = np.maximum.accumulate(matched.precision[::-1])[::-1]
    indices = np.searchsorted(matched.recall, recalls, side="left")
    return np.concatenate([envelope, [0.0]])[np.minimum(indices, len(envelope))]
