"""The shortcut test: how often a detector mistakes the traces of a treatment for a face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.coco_results import Results, read_runs
from facade.measure.compare import four_digits
from facade.measure.golden_evaluation import GoldenEvaluation
from facade.measure.precision_recall import closest_detections


@dataclass(frozen=True)
class PatchFalsePositives:
    """How often the runs of an arm fire on patches of one kind.

    Attributes:
        kind: "blurred", "pasted", or "untouched", which measures chance and unlabelled faces.
        patches: Number of patches.
        share: Share of patches on which a run fires, mean over the runs; None where no threshold could be fixed.
        low: Lower end of its 95 % interval (Wilson) over patches.
        high: Upper end.
    """

    kind: str
    patches: int
    share: float | None
    low: float | None
    high: float | None


def measure_shortcut(
    evaluation: GoldenEvaluation, patches: dict[str, Any], detections: Mapping[str, Path], iou: float
) -> dict[str, list[PatchFalsePositives]]:
    """How often each arm's detectors fire on patches at their operating thresholds.

    Args:
        evaluation: The golden set and the arms.
        patches: Content of the COCO file of the patches.
        detections: `detections/<arm>` of each arm.
        iou: IoU of a detection with a patch from which it counts as firing on it.

    Raises:
        FacadeError: Runs are missing, or cannot be scored.
    """
    _, runs = read_runs(patches, {name: folder / "patches" for name, folder in detections.items()})
    return {
        name: patch_false_positives(patches, own, [point.threshold for point in evaluation.points[name]], iou)
        for name, own in runs.items()
    }


def shortcut_summary(shortcut: Mapping[str, Sequence[PatchFalsePositives]]) -> dict[str, dict[str, float | str]]:
    """The shares for results/golden.json, by arm and kind."""
    return {name: {one.kind: four_digits(one.share) for one in kinds} for name, kinds in shortcut.items()}


def patch_false_positives(
    patches: dict[str, Any], runs: list[Results], thresholds: list[float | None], iou: float
) -> list[PatchFalsePositives]:
    """Count the patches on which an arm's detectors fire at their operating thresholds.

    Args:
        patches: Content of the COCO file of the patches.
        runs: The detections of each run on the patched photographs.
        thresholds: Operating threshold of each run.
        iou: IoU of a detection with a patch from which it counts as firing on it.
    """
    by_kind: dict[str, list[bool]] = {}
    boxes = ground_truth_arrays(patches)
    kinds = [patches["annotations"][index]["kind"] for index in boxes.annotation_index]
    if None not in thresholds:
        for run, threshold in zip(runs, thresholds, strict=True):
            kept = [one for one in run if one["score"] >= threshold]
            best_iou, _ = closest_detections(boxes, detection_arrays(patches, kept), iou)
            for kind, fires in zip(kinds, best_iou >= iou, strict=True):
                by_kind.setdefault(kind, []).append(bool(fires))
    shares = []
    for kind in dict.fromkeys(one["kind"] for one in patches["annotations"]):
        count = sum(one["kind"] == kind for one in patches["annotations"])
        if kind not in by_kind:
            shares.append(PatchFalsePositives(kind, count, None, None, None))
            continue
        share = float(np.mean(by_kind[kind]))
        interval = binomtest(round(share * count), count).proportion_ci(0.95, "wilson")
        shares.append(PatchFalsePositives(kind, count, share, float(interval.low), float(interval.high)))
    return sorted(shares, key=lambda one: one.kind)
