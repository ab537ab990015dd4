"""The operating point of a detector: a confidence threshold fixed before the golden set is scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from facade.measure.arrays import Detections, GroundTruth
from facade.measure.bootstrap import BootstrapSamples, Resampled
from facade.measure.precision_recall import (
    FALSE_POSITIVE,
    IGNORED,
    closest_detections,
    match_detections,
    matched_faces,
)


@dataclass(frozen=True)
class OperatingPoint:
    """A run on the golden set at its operating threshold.

    Attributes:
        threshold: Confidence threshold; None where none could be fixed, infinite where the run has no true positive on
            the calibration photographs.
        detected: (F,) bool, whether each face to score is a true positive, in the order of the annotations.
        best_iou: (F,) float: highest IoU of any detection with the face, whatever its score.
        best_score: (F,) float: highest score of a detection with at least the IoU threshold; 0 where there is none.
        false_positives: (P,) int, false positives in each photograph.
    """

    threshold: float | None
    detected: np.ndarray
    best_iou: np.ndarray
    best_score: np.ndarray
    false_positives: np.ndarray

    @property
    def metrics(self) -> dict[str, float | None]:
        """Metrics at the threshold; None for all of them where no threshold could be fixed."""
        names = ("threshold", "precision", "recall", "F1", "fn_per_image", "fppi")
        if self.threshold is None:
            return dict.fromkeys(names)
        tp, fp, faces = int(self.detected.sum()), int(self.false_positives.sum()), len(self.detected)
        precision = tp / (tp + fp) if tp + fp else None
        photographs = len(self.false_positives)
        values = (self.threshold, precision, tp / faces, 2 * tp / (tp + fp + faces), (faces - tp) / photographs,
                  fp / photographs)  # fmt: skip
        return dict(zip(names, values, strict=True))


def calibrate_threshold(faces: GroundTruth, detections: Detections, iou: float) -> float | None:
    """The threshold with the highest F1 on the calibration photographs; of ties, the lowest, which misses fewer faces.

    Args:
        faces: Of the calibration photographs.
        detections: A run's detections on them.
        iou: IoU threshold for a true positive.

    Returns:
        None where there is no face to calibrate on. Infinity where there is no true positive: at any threshold, such a
        run detects nothing that is known to be a face, and no detections at all do least harm.
    """
    if faces.ignored.all():
        return None
    matched = match_detections(faces, detections, iou)
    if not matched.true_positive.any():
        return float("inf")
    tp = np.cumsum(matched.true_positive)
    f1 = 2 * tp / (np.arange(1, len(tp) + 1) + matched.faces)
    f1 = np.where(matched.is_threshold, f1, -1)
    return float(matched.scores[np.flatnonzero(f1 == f1.max())[-1]])


def evaluate_at_threshold(
    faces: GroundTruth, detections: Detections, threshold: float | None, iou: float
) -> OperatingPoint:
    """Score a run at a confidence threshold.

    Args:
        faces: Of the golden set.
        detections: A run's detections.
        threshold: From `calibrate_threshold`.
        iou: IoU threshold for a true positive.
    """
    # Detections match in descending order of score: those below the threshold do not affect those above it.
    matched = matched_faces(faces, detections, iou)
    kept = np.zeros(len(matched), bool) if threshold is None else detections.scores >= threshold
    detected = np.zeros(len(faces.ids), bool)
    detected[matched[kept & (matched >= 0)]] = True
    false_positives = np.bincount(
        detections.photograph[kept & (matched == FALSE_POSITIVE)], minlength=len(faces.starts) - 1
    )
    best_iou, best_score = closest_detections(faces, detections, iou)
    # Back to the order of the annotations.
    order = np.argsort(faces.annotation_index)
    order = order[~faces.ignored[order]]
    return OperatingPoint(threshold, detected[order], best_iou[order], best_score[order], false_positives)


def resampled_recall(
    faces: GroundTruth, points: Sequence[OperatingPoint], bootstrap: BootstrapSamples, scored: np.ndarray | None = None
) -> Resampled:
    """Recall of an arm's runs at their operating thresholds, on the golden set and on every bootstrap sample.

    Args:
        faces: Of the golden set.
        points: One operating point per seed.
        bootstrap: The samples, with photographs in ascending id.
        scored: (F,) bool, a subset of the faces to score, in the order of the annotations; None for all.
    """
    order = np.argsort(faces.annotation_index)
    photograph = faces.photograph[order[~faces.ignored[order]]]
    scored = np.ones(len(photograph), bool) if scored is None else scored
    photographs = len(faces.starts) - 1

    def by_photograph(values: np.ndarray) -> np.ndarray:
        return np.bincount(photograph[scored], weights=values, minlength=photographs)

    total = by_photograph(np.ones(int(scored.sum())))
    tp = np.stack([by_photograph(point.detected[scored].astype(float)) for point in points])
    # Without a threshold, recall is not measured, which is not the same as a recall of 0.
    tp[[point.threshold is None for point in points]] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = tp.sum(1) / total.sum()
        samples = (bootstrap.photograph_counts @ tp.T) / (bootstrap.photograph_counts @ total)[:, None]
    return Resampled(estimate[:, None], samples[:, :, None])


def resampled_recall_at_fppi(
    faces: GroundTruth, runs: Sequence[Detections], bootstrap: BootstrapSamples, iou: float, fppi: float
) -> Resampled:
    """Highest recall of an arm's runs at a false-positive rate, on the golden set and on every bootstrap sample.

    Args:
        faces: Of the golden set.
        runs: Detections, one per seed.
        bootstrap: The samples, with photographs in ascending id.
        iou: IoU threshold for a true positive.
        fppi: Maximum number of false positives per image, on average.
    """
    photographs = len(faces.starts) - 1
    total = np.bincount(faces.photograph[~faces.ignored], minlength=photographs).astype(np.int64)
    once = np.ones((1, photographs), np.int64)
    estimates, samples = [], []
    for run in runs:
        matched = matched_faces(faces, run, iou)
        counts = matched != IGNORED
        order = np.argsort(-run.scores[counts], kind="stable")
        scores, photograph = run.scores[counts][order], run.photograph[counts][order]
        true_positive = (matched != FALSE_POSITIVE)[counts][order]
        # A threshold admits all detections of one score or none.
        last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
        weights = np.ascontiguousarray(bootstrap.photograph_counts)
        estimates.append(_recalls(photograph, true_positive, last, once, total, fppi)[0])
        samples.append(_recalls(photograph, true_positive, last, weights, total, fppi))
    return Resampled(np.array(estimates)[:, None], np.stack(samples, axis=1)[:, :, None])


@numba.njit(cache=True)
def _recalls(photograph, true_positive, last, weights, faces, fppi):  # type: ignore[no-untyped-def]
    """(B,) recall at the false-positive rate for each row of (B, P) weights; NaN where no face counts."""
    recalls = np.full(weights.shape[0], np.nan)
    for sample in range(weights.shape[0]):
        total = np.sum(weights[sample] * faces)
        if total == 0:
            continue
        allowed = fppi * np.sum(weights[sample])
        tp, fp, best = 0, 0, 0
        for i in range(photograph.shape[0]):
            weight = weights[sample, photograph[i]]
            if true_positive[i]:
                tp += weight
            else:
                fp += weight
            if fp > allowed:
                break
            if last[i]:
                best = tp
        recalls[sample] = best / total
    return recalls
