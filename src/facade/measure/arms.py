"""What each arm reaches on the golden set, and how far the anonymized arms are from raw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facade.errors import FacadeError
from facade.files import read_json
from facade.measure.average_precision import average_precision, check_results
from facade.measure.curves import match, precision_at_recalls, recall_at

RECALLS = np.linspace(0, 1, 101)
NOT_MEASURED = "not measured"
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
        """Mean over the runs."""
        values = [value for value in self.metrics[name] if value is not None]
        return float(np.mean(values)) if values else None

    def deviation(self, name: str) -> float | None:
        """Standard deviation over the runs, with n - 1; None for a single run."""
        values = [value for value in self.metrics[name] if value is not None]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def measure_arm(truth: dict[str, Any], folder: Path, iou: float) -> Arm:
    """Score the detections of an arm.

    Args:
        truth: Content of the golden set's COCO file.
        folder: `detections/<arm>`, a file for each run.
        iou: Overlap from which a detection is right, for the curve and for recall at a false-positive rate.

    Raises:
        FacadeError: There is no run, or its detections cannot be scored.
    """
    files = sorted(folder.glob("seed-*.json"), key=lambda path: int(path.stem.removeprefix("seed-")))
    if not files:
        raise FacadeError(f"{folder} holds no detections. `dvc repro detect@{folder.name}` makes them.")
    metrics: dict[str, list[float | None]] = {}
    curves = []
    for path in files:
        results = read_json(path)
        check_results(truth, results)
        matched = match(truth, results, iou)
        values = average_precision(truth, results)
        values |= {name: recall_at(matched, rate) for name, rate in RATES.items()}
        for name, value in values.items():
            metrics.setdefault(name, []).append(value)
        curves.append(precision_at_recalls(matched, RECALLS))
    return Arm(metrics, np.array(curves))


def summary(truth: dict[str, Any], arms: dict[str, Arm]) -> dict[str, Any]:
    """The content of metrics/golden.json: each arm's means, then the differences to raw.

    Values have four significant digits; what could not be measured says so.
    """
    content: dict[str, Any] = {}
    for name, arm in arms.items():
        content[name] = {metric: _told(arm.mean(metric)) for metric in arm.metrics}
        content[name]["AP50_sd"] = _told(arm.deviation("AP50"))
    for name, arm in arms.items():
        if name != "raw":
            content[f"{name}_minus_raw"] = {
                metric: _told(_difference(arm.mean(metric), arms["raw"].mean(metric))) for metric in arm.metrics
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


def _told(value: float | None) -> float | str:
    return NOT_MEASURED if value is None else float(f"{value:.4g}")
