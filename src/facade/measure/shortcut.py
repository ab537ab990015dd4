"""The shortcut test: how often a detector takes the traces of a treatment for a face, where there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.coco_results import Results, read_runs
from facade.measure.compare import four_digits
from facade.measure.golden_evaluation import Study
from facade.measure.precision_recall import nearest


@dataclass(frozen=True)
class Fired:
    """How often the runs of an arm fire on patches of one kind.

    Attributes:
        kind: "blurred", "pasted", or "untouched", which is what chance, and faces nobody labelled, make of it.
        patches: How many there are.
        share: Of patches on which a run fires, mean over the runs; None where no threshold could be fixed.
        low: Lower end of its 95 % interval (Wilson) over patches.
        high: Upper end.
    """

    kind: str
    patches: int
    share: float | None
    low: float | None
    high: float | None


def measure_shortcut(
    study: Study, patches: dict[str, Any], detections: Mapping[str, Path], iou: float
) -> dict[str, list[Fired]]:
    """How often each arm's detectors fire on patches at their operating thresholds.

    Args:
        study: The golden set and the arms.
        patches: Content of the COCO file of the patches.
        detections: `detections/<arm>` of each arm.
        iou: Overlap of a detection with the patch from which it fires on it.

    Raises:
        FacadeError: Runs are missing, or cannot be scored.
    """
    _, runs = read_runs(patches, {name: folder / "patches" for name, folder in detections.items()})
    return {
        name: fired(patches, own, [outcome.threshold for outcome in study.outcomes[name]], iou)
        for name, own in runs.items()
    }


def shortcut_summary(told: Mapping[str, Sequence[Fired]]) -> dict[str, dict[str, float | str]]:
    """The shares for metrics/golden.json, by arm and kind."""
    return {name: {one.kind: four_digits(one.share) for one in kinds} for name, kinds in told.items()}


def fired(patches: dict[str, Any], runs: list[Results], thresholds: list[float | None], iou: float) -> list[Fired]:
    """Count the patches on which an arm's detectors fire at their operating thresholds.

    Args:
        patches: Content of the COCO file of the patches.
        runs: The detections of each run in the patched photographs.
        thresholds: Of each run.
        iou: Overlap of a detection with the patch from which it fires on it.
    """
    by_kind: dict[str, list[bool]] = {}
    places = ground_truth_arrays(patches)
    kinds = [patches["annotations"][place]["kind"] for place in places.places]
    if None not in thresholds:
        for run, threshold in zip(runs, thresholds, strict=True):
            sure = [one for one in run if one["score"] >= threshold]
            overlap, _ = nearest(places, detection_arrays(patches, sure), iou)
            for kind, fires in zip(kinds, overlap >= iou, strict=True):
                by_kind.setdefault(kind, []).append(bool(fires))
    told = []
    for kind in dict.fromkeys(one["kind"] for one in patches["annotations"]):
        count = sum(one["kind"] == kind for one in patches["annotations"])
        if kind not in by_kind:
            told.append(Fired(kind, count, None, None, None))
            continue
        share = float(np.mean(by_kind[kind]))
        limits = binomtest(round(share * count), count).proportion_ci(0.95, "wilson")
        told.append(Fired(kind, count, share, float(limits.low), float(limits.high)))
    return sorted(told, key=lambda one: one.kind)
