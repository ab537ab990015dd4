"""The metrics of each arm on the golden set, and their differences to raw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.measure.arrays import detection_arrays
from facade.measure.average_precision import average_precision
from facade.measure.compare import four_digits
from facade.measure.golden_evaluation import GoldenEvaluation
from facade.measure.precision_recall import match_detections, precision_at_recalls, recall_at_fppi
from facade.measure.wider_protocol import wider_average_precision

RECALLS = np.linspace(0, 1, 101)
# False positives per image at which recall is reported, by the name of the metric (a dot would nest it in DVC).
FPPI_RATES = {"recall_fppi_0p1": 0.1, "recall_fppi_1": 1.0}
# The metrics that are listed first.
MAIN_METRICS = ("AP50", "AP", "precision", "recall")
# What metrics/golden.json keeps of an arm and of a comparison, so that `dvc metrics diff` fits on a screen.
HEADLINE = (
    *MAIN_METRICS, "AP50_sd", "AP_small", "AP_medium", "AP_large", "AP50_calibration", "fn_per_image", "fppi",
    "threshold",
)  # fmt: skip
HEADLINE_VERDICT = ("verdict", "p", "photographs_to_decide", "events_to_decide", "seeds_to_decide")


@dataclass(frozen=True)
class ArmMetrics:
    """The metrics of one arm's runs on the golden set.

    Attributes:
        metrics: By name, one value per run; None where there is nothing to measure.
        precision: (runs, 101) float, at recalls 0, 0.01, ... 1.
    """

    metrics: dict[str, list[float | None]]
    precision: np.ndarray

    def mean(self, name: str) -> float | None:
        """Mean over the runs; None if it could not be measured in one of them."""
        values = [value for value in self.metrics[name] if value is not None]
        return float(np.mean(values)) if values and len(values) == len(self.metrics[name]) else None

    def standard_deviation(self, name: str) -> float | None:
        """Standard deviation over the runs, with n - 1; None for a single run."""
        values = [value for value in self.metrics[name] if value is not None]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def measure_arm(
    evaluation: GoldenEvaluation, name: str, levels: Mapping[str, frozenset[int]], iou: float
) -> ArmMetrics:
    """Score the runs of an arm.

    Args:
        evaluation: The golden set and the arms.
        name: The arm.
        levels: Annotation ids of the faces scored by WIDER FACE's protocol, by the name of the metric.
        iou: IoU threshold for a true positive, for the curve and for recall at a false-positive rate.
    """
    metrics: dict[str, list[float | None]] = {}
    curves = []
    scored = {level: evaluation.faces.mask(ids) for level, ids in levels.items()}
    for results, detections, point in zip(
        evaluation.results[name], evaluation.detections[name], evaluation.points[name], strict=True
    ):
        matched = match_detections(evaluation.faces, detections, iou)
        values = average_precision(evaluation.truth, results)
        values |= {level: wider_average_precision(evaluation.faces, detections, mask) for level, mask in scored.items()}
        values |= point.metrics
        values |= {key: recall_at_fppi(matched, fppi) for key, fppi in FPPI_RATES.items()}
        for key, value in values.items():
            metrics.setdefault(key, []).append(value)
        curves.append(precision_at_recalls(matched, RECALLS))
    metrics["AP50_calibration"] = evaluation.calibration_ap50.get(name, [None] * len(curves))
    return ArmMetrics(metrics, np.array(curves))


def summary(truth: dict[str, Any], arms: Mapping[str, ArmMetrics]) -> dict[str, Any]:
    """Part of results/golden.json: each arm's means, then the differences to raw.

    Values have four significant digits; what could not be measured says so.
    """
    content: dict[str, Any] = {}
    for name, arm in arms.items():
        content[name] = {metric: four_digits(arm.mean(metric)) for metric in _ordered(arm.metrics)}
        content[name]["AP50_sd"] = four_digits(arm.standard_deviation("AP50"))
    for name, arm in arms.items():
        if name != "raw" and "raw" in arms:
            content[f"{name}_minus_raw"] = {
                metric: four_digits(_difference(arm.mean(metric), arms["raw"].mean(metric)))
                for metric in _ordered(arm.metrics)
                if metric != "threshold"  # scores of different models are not comparable
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


def headline(content: Mapping[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    """The part of results/golden.json that is metrics/golden.json: verdicts in the primary metric, and main metrics.

    Args:
        content: Of results/golden.json.
        arms: The arms.
    """
    verdict = content["verdict"]
    primary = verdict["metric"]
    estimates = {f"{metric}{end}" for metric in ("AP50", primary) for end in ("", "_low", "_high")}
    kept_of_verdict = estimates | set(HEADLINE_VERDICT)
    verdicts = {
        name: {key: value for key, value in entry.items() if key in kept_of_verdict}
        if isinstance(entry, dict)
        else entry
        for name, entry in verdict.items()
    }
    metrics = {arm: {key: content[arm][key] for key in HEADLINE if key in content[arm]} for arm in arms}
    return {"verdict": verdicts, **metrics, "golden": content["golden"]}


def _ordered(metrics: Mapping[str, Any]) -> list[str]:
    """The main metrics first, then the others in their order."""
    return list(dict.fromkeys((*(name for name in MAIN_METRICS if name in metrics), *metrics)))


def _difference(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else value - reference


def measure_reference(
    evaluation: GoldenEvaluation, results: list[dict[str, Any]], levels: Mapping[str, frozenset[int]], iou: float
) -> dict[str, float | None]:
    """Score a third-party detector like a run of an arm; it has no operating threshold in this study.

    Args:
        evaluation: The golden set.
        results: COCO results on it.
        levels: Annotation ids of the faces scored by WIDER FACE's protocol, by the name of the metric.
        iou: IoU threshold for a true positive, for recall at a false-positive rate.
    """
    detections = detection_arrays(evaluation.truth, results)
    values = average_precision(evaluation.truth, results)
    values |= {
        level: wider_average_precision(evaluation.faces, detections, evaluation.faces.mask(ids))
        for level, ids in levels.items()
    }
    matched = match_detections(evaluation.faces, detections, iou)
    return values | {name: recall_at_fppi(matched, fppi) for name, fppi in FPPI_RATES.items()}
