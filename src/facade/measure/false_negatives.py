"""The golden faces that detectors miss where a user would run them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.dataset.records import ATTRIBUTES
from facade.measure.golden_evaluation import Study


@dataclass(frozen=True)
class Miss:
    """A face that at least one run did not find at its operating threshold.

    Attributes:
        face: Its annotation in the golden set.
        file: Its photograph.
        missed_by: By arm, the seeds of the runs that missed it.
        share: Of all runs, how many missed it.
        best_overlap: Greatest overlap of any run's detection with it, however unsure.
        best_score: Score of the surest detection that overlaps it enough, of any run; 0 where there is none.
    """

    face: dict[str, Any]
    file: str
    missed_by: dict[str, list[int]]
    share: float
    best_overlap: float
    best_score: float


def misses(study: Study) -> list[Miss]:
    """The missed faces, the most surely missed first: by most runs, then with the least sure detection.

    Runs without an operating threshold, for want of calibration photographs, do not count.
    """
    files = {image["id"]: image["file_name"] for image in study.truth["images"]}
    runs = [
        (arm, seed, outcome)
        for arm, outcomes in study.outcomes.items()
        for seed, outcome in zip(study.seeds, outcomes, strict=True)
        if outcome.threshold is not None
    ]
    if not runs:
        return []
    overlap = np.max([outcome.best_overlap for _, _, outcome in runs], axis=0)
    score = np.max([outcome.best_score for _, _, outcome in runs], axis=0)
    missed = []
    for place, face in enumerate(study.scored):
        missed_by: dict[str, list[int]] = {}
        for arm, seed, outcome in runs:
            if not outcome.found[place]:
                missed_by.setdefault(arm, []).append(seed)
        if missed_by:
            share = sum(map(len, missed_by.values())) / len(runs)
            missed.append(
                Miss(face, files[face["image_id"]], missed_by, share, float(overlap[place]), float(score[place]))
            )
    return sorted(missed, key=lambda one: (-one.share, one.best_score, one.best_overlap, one.face["id"]))


def as_coco(truth: dict[str, Any], missed: Sequence[Miss]) -> dict[str, Any]:
    """The missed faces as the content of a COCO file; annotations come in the order of the list."""
    shown = {one.face["image_id"] for one in missed}
    annotations = [
        {
            **one.face,
            "missed_share": round(one.share, 4),
            "missed_by": one.missed_by,
            "best_overlap": round(one.best_overlap, 4),
            "best_score": round(one.best_score, 4),
        }
        for one in missed
    ]
    return {
        "info": {**truth["info"], "description": "golden faces that runs miss at their operating thresholds"},
        "images": [image for image in truth["images"] if image["id"] in shown],
        "annotations": annotations,
        "categories": truth["categories"],
    }


def as_table(missed: Sequence[Miss]) -> str:
    """The missed faces as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known = [name for name in ATTRIBUTES if any(name in one.face for one in missed)]
    writer.writerow(["photograph", "x", "y", "width", "height", *known, "missed", "best_overlap", "best_score", "by"])
    for one in missed:
        by = "; ".join(f"{arm}: seed {', '.join(map(str, seeds))}" for arm, seeds in one.missed_by.items())
        attributes = [one.face.get(name, "") for name in known]
        numbers = [f"{value:.3g}" for value in (one.share, one.best_overlap, one.best_score)]
        writer.writerow([one.file, *one.face["bbox"], *attributes, *numbers, by])
    return text.getvalue()
