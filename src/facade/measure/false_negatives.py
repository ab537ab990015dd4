"""The golden faces that detectors miss at their operating thresholds."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.dataset.coco_content import with_annotations
from facade.dataset.records import ATTRIBUTES
from facade.measure.golden_evaluation import GoldenEvaluation


@dataclass(frozen=True)
class FalseNegative:
    """A face that at least one run misses at its operating threshold.

    Attributes:
        face: Its annotation in the golden set.
        file: Its photograph.
        missed_by: By arm, the seeds of the runs that miss it.
        share: Share of all runs that miss it.
        best_iou: Highest IoU of any run's detection with it, whatever its score.
        best_score: Highest score of a detection of any run with at least the IoU threshold; 0 where there is none.
    """

    face: dict[str, Any]
    file: str
    missed_by: dict[str, list[int]]
    share: float
    best_iou: float
    best_score: float


def false_negatives(evaluation: GoldenEvaluation) -> list[FalseNegative]:
    """The missed faces, hardest first: missed by most runs, then by the lowest best score.

    Runs without an operating threshold, for lack of calibration photographs, do not count.
    """
    files = {image["id"]: image["file_name"] for image in evaluation.truth["images"]}
    runs = [
        (arm, seed, point)
        for arm, points in evaluation.points.items()
        for seed, point in zip(evaluation.seeds, points, strict=True)
        if point.threshold is not None
    ]
    if not runs:
        return []
    iou = np.max([point.best_iou for _, _, point in runs], axis=0)
    score = np.max([point.best_score for _, _, point in runs], axis=0)
    missed = []
    for index, face in enumerate(evaluation.scored_faces):
        missed_by: dict[str, list[int]] = {}
        for arm, seed, point in runs:
            if not point.detected[index]:
                missed_by.setdefault(arm, []).append(seed)
        if missed_by:
            share = sum(map(len, missed_by.values())) / len(runs)
            missed.append(
                FalseNegative(face, files[face["image_id"]], missed_by, share, float(iou[index]), float(score[index]))
            )
    return sorted(missed, key=lambda one: (-one.share, one.best_score, one.best_iou, one.face["id"]))


def as_coco(truth: dict[str, Any], missed: Sequence[FalseNegative]) -> dict[str, Any]:
    """The missed faces as the content of a COCO file; annotations are in the order of the list."""
    annotations = [
        {
            **one.face,
            "missed_share": round(one.share, 4),
            "missed_by": one.missed_by,
            "best_iou": round(one.best_iou, 4),
            "best_score": round(one.best_score, 4),
        }
        for one in missed
    ]
    return with_annotations(truth, annotations, description="golden faces that runs miss at their operating thresholds")


def as_table(missed: Sequence[FalseNegative]) -> str:
    """The missed faces as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known = [name for name in ATTRIBUTES if any(name in one.face for one in missed)]
    writer.writerow(["photograph", "x", "y", "width", "height", *known, "missed", "best_iou", "best_score", "by"])
    for one in missed:
        by = "; ".join(f"{arm}: seed {', '.join(map(str, seeds))}" for arm, seeds in one.missed_by.items())
        attributes = [one.face.get(name, "") for name in known]
        numbers = [f"{value:.3g}" for value in (one.share, one.best_iou, one.best_score)]
        writer.writerow([one.file, *one.face["bbox"], *attributes, *numbers, by])
    return text.getvalue()
