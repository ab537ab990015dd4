"""Where a user would run a detector: at a score that is fixed before the golden set is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.measure.bootstrap import Draws, Resampled
from facade.measure.curves import WRONG, assign, by_photograph, match, overlaps
from facade.measure.runs import Results


@dataclass(frozen=True)
class Outcome:
    """A run at its operating threshold, on the golden set.

    Attributes:
        threshold: Score from which detections count; None where it could not be fixed, and nothing is found.
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


def frozen_threshold(truth: dict[str, Any], results: Results, iou: float) -> float | None:
    """The score with the greatest F1 on the calibration photographs; of equals, the lowest, which misses fewer.

    Args:
        truth: Content of the COCO file of the calibration photographs.
        results: A run's detections in them.
        iou: Overlap from which a detection is right.

    Returns:
        None where there is no face, or nothing was found: no threshold is better than another then.
    """
    if not any(not face["iscrowd"] for face in truth["annotations"]):
        return None
    matched = match(truth, results, iou)
    if not matched.right.any():
        return None
    hits = np.cumsum(matched.right)
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + matched.faces)
    # A threshold lets in all detections of one score or none.
    whole = np.append(matched.scores[1:] != matched.scores[:-1], True)
    f1 = np.where(whole, f1, -1)
    return float(matched.scores[np.flatnonzero(f1 == f1.max())[-1]])


def at_threshold(truth: dict[str, Any], results: Results, threshold: float | None, iou: float) -> Outcome:
    """What a run finds at a threshold.

    Args:
        truth: Content of the golden set's COCO file.
        results: A run's detections.
        threshold: From `frozen_threshold`.
        iou: Overlap from which a detection is right.
    """
    faces, detections = by_photograph(truth, truth["annotations"]), by_photograph(truth, results)
    found: dict[int, bool] = {}
    best_overlap: dict[int, float] = {}
    best_score: dict[int, float] = {}
    wrong = []
    for image, own in faces.items():
        ordered = sorted(detections[image], key=lambda result: -result["score"])
        sure = [result for result in ordered if threshold is not None and result["score"] >= threshold]
        assigned = assign(sure, own, iou)
        wrong.append(assigned.count(WRONG))
        met = np.zeros((len(ordered), len(own)))
        if ordered and own:
            boxes, others = (np.array([one["bbox"] for one in entries], float) for entries in (ordered, own))
            met = overlaps(boxes, others, np.zeros(len(own), bool))
        for place, face in enumerate(own):
            if not face["iscrowd"]:
                near = np.flatnonzero(met[:, place] >= iou)
                found[face["id"]] = place in assigned
                best_overlap[face["id"]] = float(met[:, place].max(initial=0))
                best_score[face["id"]] = float(ordered[near[0]]["score"]) if len(near) else 0.0
    order = [face["id"] for face in truth["annotations"] if not face["iscrowd"]]
    return Outcome(
        threshold,
        np.array([found[number] for number in order], bool),
        np.array([best_overlap[number] for number in order]),
        np.array([best_score[number] for number in order]),
        np.array(wrong, int),
    )


def resampled_recall(
    truth: dict[str, Any], outcomes: Sequence[Outcome], draws: Draws, counted: np.ndarray | None = None
) -> Resampled:
    """Recall at the operating thresholds of an arm's runs, as seen and in every draw of photographs.

    Args:
        truth: Content of the golden set's COCO file.
        outcomes: One a seed.
        draws: What was drawn, by photographs in the order of their ids.
        counted: (F,) bool, which of the faces to judge; None for all.
    """
    place = {number: at for at, number in enumerate(sorted(image["id"] for image in truth["images"]))}
    scored = [face for face in truth["annotations"] if not face["iscrowd"]]
    counted = np.ones(len(scored), bool) if counted is None else counted
    photograph = np.array([place[face["image_id"]] for face in scored])[counted]

    def by_photo(values: np.ndarray) -> np.ndarray:
        return np.bincount(photograph, weights=values, minlength=len(place))

    faces = by_photo(np.ones(int(counted.sum())))
    hits = np.stack([by_photo(outcome.found[counted].astype(float)) for outcome in outcomes])
    # Without a threshold nothing was measured, which is not the same as nothing found.
    hits[[outcome.threshold is None for outcome in outcomes]] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = hits.sum(1) / faces.sum()
        drawn = (draws.photographs @ hits.T) / (draws.photographs @ faces)[:, None]
    return Resampled(seen[:, None], drawn[:, :, None])
