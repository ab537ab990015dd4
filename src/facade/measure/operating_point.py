"""Where a user would run a detector: at a score that is fixed before the golden set is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from facade.measure.arrays import Faces, Found
from facade.measure.bootstrap import Draws, Resampled
from facade.measure.precision_recall import IGNORED, WRONG, assign, match, nearest


@dataclass(frozen=True)
class Outcome:
    """A run at its operating threshold, on the golden set.

    Attributes:
        threshold: Score from which detections count; None where it could not be fixed, infinite where nothing counts.
        found: (F,) bool, of the faces to judge, in the order of the annotations.
        best_overlap: (F,) float: greatest overlap of any detection with the face, however unsure.
        best_score: (F,) float: score of the surest detection that overlaps it by `iou`; 0 where there is none.
        wrong: (P,) int, false positives in each photograph.
    """

    threshold: float | None
    found: np.ndarray
    best_overlap: np.ndarray
    best_score: np.ndarray
    wrong: np.ndarray

    @property
    def metrics(self) -> dict[str, float | None]:
        """What is told of it; nothing where no threshold could be fixed."""
        names = ("threshold", "precision", "recall", "F1", "misses_a_photo", "false_a_photo")
        if self.threshold is None:
            return dict.fromkeys(names)
        right, wrong, faces = int(self.found.sum()), int(self.wrong.sum()), len(self.found)
        precision = right / (right + wrong) if right + wrong else None
        photographs = len(self.wrong)
        values = (self.threshold, precision, right / faces, 2 * right / (right + wrong + faces),
                  (faces - right) / photographs, wrong / photographs)  # fmt: skip
        return dict(zip(names, values, strict=True))


def frozen_threshold(faces: Faces, found: Found, iou: float) -> float | None:
    """The score with the greatest F1 on the calibration photographs; of equals, the lowest, which misses fewer.

    Args:
        faces: Of the calibration photographs.
        found: A run's detections in them.
        iou: Overlap from which a detection is right.

    Returns:
        None where there is no face to fix it on. Infinity where no face was found: whatever the threshold, such a run
        finds nothing that is known to be a face, and one that fires on nothing does least harm.
    """
    if faces.ignored.all():
        return None
    matched = match(faces, found, iou)
    if not matched.right.any():
        return float("inf")
    hits = np.cumsum(matched.right)
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + matched.faces)
    f1 = np.where(matched.whole, f1, -1)
    return float(matched.scores[np.flatnonzero(f1 == f1.max())[-1]])


def at_threshold(faces: Faces, found: Found, threshold: float | None, iou: float) -> Outcome:
    """What a run finds at a threshold.

    Args:
        faces: Of the golden set.
        found: A run's detections.
        threshold: From `frozen_threshold`.
        iou: Overlap from which a detection is right.
    """
    # Detections choose in the order of their scores: those below the threshold change nothing above it.
    met = assign(faces, found, iou)
    sure = np.zeros(len(met), bool) if threshold is None else found.scores >= threshold
    hit = np.zeros(len(faces.ids), bool)
    hit[met[sure & (met >= 0)]] = True
    wrong = np.bincount(found.photograph[sure & (met == WRONG)], minlength=len(faces.starts) - 1)
    overlap, score = nearest(faces, found, iou)
    # Back in the order of the annotations.
    order = np.argsort(faces.places)
    order = order[~faces.ignored[order]]
    return Outcome(threshold, hit[order], overlap[order], score[order], wrong)


def resampled_recall(
    faces: Faces, outcomes: Sequence[Outcome], draws: Draws, counted: np.ndarray | None = None
) -> Resampled:
    """Recall at the operating thresholds of an arm's runs, as seen and in every draw of photographs.

    Args:
        faces: Of the golden set.
        outcomes: One a seed.
        draws: What was drawn, by photographs in the order of their ids.
        counted: (F,) bool, which of the faces to judge, in the order of the annotations; None for all.
    """
    order = np.argsort(faces.places)
    photograph = faces.photograph[order[~faces.ignored[order]]]
    counted = np.ones(len(photograph), bool) if counted is None else counted
    photographs = len(faces.starts) - 1

    def by_photo(values: np.ndarray) -> np.ndarray:
        return np.bincount(photograph[counted], weights=values, minlength=photographs)

    there = by_photo(np.ones(int(counted.sum())))
    hits = np.stack([by_photo(outcome.found[counted].astype(float)) for outcome in outcomes])
    # Without a threshold nothing was measured, which is not the same as nothing found.
    hits[[outcome.threshold is None for outcome in outcomes]] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = hits.sum(1) / there.sum()
        drawn = (draws.photographs @ hits.T) / (draws.photographs @ there)[:, None]
    return Resampled(seen[:, None], drawn[:, :, None])


def resampled_recall_at(faces: Faces, found: Sequence[Found], draws: Draws, iou: float, rate: float) -> Resampled:
    """Greatest recall of an arm's runs at a rate of false positives, as seen and in every draw of photographs.

    Args:
        faces: Of the golden set.
        found: Detections, one a seed.
        draws: What was drawn, by photographs in the order of their ids.
        iou: Intersection over union from which a detection is right.
        rate: False positives an image that are allowed, on average.
    """
    photographs = len(faces.starts) - 1
    to_find = np.bincount(faces.photograph[~faces.ignored], minlength=photographs).astype(np.int64)
    once = np.ones((1, photographs), np.int64)
    seen, drawn = [], []
    for run in found:
        met = assign(faces, run, iou)
        counts = met != IGNORED
        order = np.argsort(-run.scores[counts], kind="stable")
        scores, photograph = run.scores[counts][order], run.photograph[counts][order]
        right = (met != WRONG)[counts][order]
        # A threshold lets in all detections of one score or none.
        last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
        seen.append(_recalls(photograph, right, last, once, to_find, rate)[0])
        drawn.append(_recalls(photograph, right, last, np.ascontiguousarray(draws.photographs), to_find, rate))
    return Resampled(np.array(seen)[:, None], np.stack(drawn, axis=1)[:, :, None])


@numba.njit(cache=True)
def _recalls(photograph, right, last, weights, to_find, rate):  # type: ignore[no-untyped-def]
    """(B,) recall at the rate in each of (B, P) draws; NaN where a draw holds no face."""
    recalls = np.full(weights.shape[0], np.nan)
    for draw in range(weights.shape[0]):
        total = np.sum(weights[draw] * to_find)
        if total == 0:
            continue
        allowed = rate * np.sum(weights[draw])
        hits, wrong, best = 0, 0, 0
        for i in range(photograph.shape[0]):
            weight = weights[draw, photograph[i]]
            if right[i]:
                hits += weight
            else:
                wrong += weight
            if wrong > allowed:
                break
            if last[i]:
                best = hits
        recalls[draw] = best / total
    return recalls
