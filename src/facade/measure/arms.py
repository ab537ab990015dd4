"""What each arm reaches on the golden set, and how far the other arms are from raw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.measure.arrays import detection_arrays
from facade.measure.average_precision import average_precision
from facade.measure.compare import four_digits
from facade.measure.golden_evaluation import Study
from facade.measure.precision_recall import match, precision_at_recalls, recall_at
from facade.measure.wider_protocol import wider_average_precision

RECALLS = np.linspace(0, 1, 101)
# False positives a photograph at which recall is told, and what the metrics call it (a dot would nest the name).
RATES = {"recall_fppi_0p1": 0.1, "recall_fppi_1": 1.0}


@dataclass(frozen=True)
class Arm:
    """One arm's runs on the golden set.

    Attributes:
        metrics: By name, one value a run; None where there is nothing to measure.
        precision: (runs, 101) float, at recalls 0, 0.01, ... 1.
    """

    metrics: dict[str, list[float | None]]
    precision: np.ndarray

    def mean(self, name: str) -> float | None:
        """Mean over the runs; None where one of them could not be measured."""
        values = [value for value in self.metrics[name] if value is not None]
        return float(np.mean(values)) if values and len(values) == len(self.metrics[name]) else None

    def deviation(self, name: str) -> float | None:
        """Standard deviation over the runs, with n - 1; None for a single run."""
        values = [value for value in self.metrics[name] if value is not None]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def measure_arm(study: Study, name: str, levels: Mapping[str, frozenset[int]], iou: float) -> Arm:
    """Score the runs of an arm.

    Args:
        study: The golden set and the arms.
        name: The arm.
        levels: Faces judged by WIDER FACE's protocol, by the name of the metric.
        iou: Overlap from which a detection is right, for the curve and for recall at a false-positive rate.
    """
    metrics: dict[str, list[float | None]] = {}
    curves = []
    judged = {level: study.faces.among(counted) for level, counted in levels.items()}
    for results, found, outcome in zip(study.results[name], study.found[name], study.outcomes[name], strict=True):
        matched = match(study.faces, found, iou)
        values = average_precision(study.truth, results)
        values |= {level: wider_average_precision(study.faces, found, counted) for level, counted in judged.items()}
        values |= outcome.metrics
        values |= {rate: recall_at(matched, allowed) for rate, allowed in RATES.items()}
        for key, value in values.items():
            metrics.setdefault(key, []).append(value)
        curves.append(precision_at_recalls(matched, RECALLS))
    metrics["AP50_own"] = study.own.get(name, [None] * len(curves))
    return Arm(metrics, np.array(curves))


def summary(truth: dict[str, Any], arms: Mapping[str, Arm]) -> dict[str, Any]:
    """Part of metrics/golden.json: each arm's means, then the differences to raw.

    Values have four significant digits; what could not be measured says so.
    """
    content: dict[str, Any] = {}
    for name, arm in arms.items():
        content[name] = {metric: four_digits(arm.mean(metric)) for metric in arm.metrics}
        content[name]["AP50_sd"] = four_digits(arm.deviation("AP50"))
    for name, arm in arms.items():
        if name != "raw" and "raw" in arms:
            content[f"{name}_minus_raw"] = {
                metric: four_digits(_difference(arm.mean(metric), arms["raw"].mean(metric)))
                for metric in arm.metrics
                if metric != "threshold"  # scores of different nets do not compare
            }
    ignored = sum(annotation["iscrowd"] for annotation in truth["annotations"])
    content["golden"] = {
        "synthetic": truth["info"]["synthetic"],
        "photographs": len(truth["images"]),
        "faces": len(truth["annotations"]) - ignored,
        "ignored": ignored,
        "seeds": min(len(arm.precision) for arm in arms.values()),
    }
    return content


def _difference(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else value - reference


def measure_reference(
    study: Study, results: list[dict[str, Any]], levels: Mapping[str, frozenset[int]], iou: float
) -> dict[str, float | None]:
    """Score somebody else's detector as a run of an arm is scored; it has no operating threshold of this study.

    Args:
        study: The golden set.
        results: COCO results on it.
        levels: Faces judged by WIDER FACE's protocol, by the name of the metric.
        iou: Intersection over union from which a detection is right, for recall at a false-positive rate.
    """
    found = detection_arrays(study.truth, results)
    values = average_precision(study.truth, results)
    values |= {
        level: wider_average_precision(study.faces, found, study.faces.among(counted))
        for level, counted in levels.items()
    }
    matched = match(study.faces, found, iou)
    return values | {name: recall_at(matched, allowed) for name, allowed in RATES.items()}
