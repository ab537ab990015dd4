"""Comparison of several trainings of one arm (rounds), paired by photograph and seed like arms."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facade.dataset.calibration import calibration_labels
from facade.dataset.store import load_coco
from facade.measure.compare import RECALL, Comparison, compare_pairs, four_digits
from facade.measure.golden_evaluation import GoldenEvaluation, read_evaluation
from facade.params import Params

REPORTED = ("AP50", RECALL)
RENDERED_NOTE = "**Rendered photographs: these numbers test the method and say nothing about real faces.**\n\n"


def read_rounds(golden: Path, exported: dict[str, Path], params: Params) -> GoldenEvaluation:
    """Read the detections of rounds on a golden set, as an evaluation with the rounds as arms.

    Args:
        golden: The golden set.
        exported: By round, the folder that `Clone.export` wrote.
        params: All of params.yaml.
    """
    labels = {
        name: calibration_labels(load_coco(folder), params.evaluate.calibration) for name, folder in exported.items()
    }
    detections = {name: folder / "detections" for name, folder in exported.items()}
    return read_evaluation(load_coco(golden), labels, detections, params.evaluate)


def compare_rounds(
    evaluation: GoldenEvaluation, pairs: Sequence[tuple[str, str]], params: Params
) -> list[dict[str, Any]]:
    """Compare rounds in AP50 and recall, with limits of a single comparison each; for a JSON file."""
    comparisons = compare_pairs(evaluation, pairs, params.evaluate)
    comparisons = sorted(
        (one for one in comparisons if one.metric in REPORTED), key=lambda one: REPORTED.index(one.metric)
    )
    return [_entry(one) for one in comparisons]


def mean_metric(evaluation: GoldenEvaluation, metric: str) -> dict[str, float | str]:
    """By round, the mean over seeds of a metric at the operating threshold."""
    by_round = {}
    for name, points in evaluation.points.items():
        known = [value for value in (point.metrics[metric] for point in points) if value is not None]
        by_round[name] = four_digits(sum(known) / len(known) if known else None)
    return by_round


def table_rows(differences: Sequence[dict[str, Any]]) -> str:
    """The comparisons as rows of a Markdown table."""
    return "\n".join(
        f"| {one['rounds']} | {one['metric']} | {one['difference']} | {one['low']} | {one['high']} |"
        for one in differences
    )


def _entry(one: Comparison) -> dict[str, Any]:
    return {
        "rounds": f"{one.first} minus {one.second}",
        "metric": one.metric,
        "difference": four_digits(one.difference.estimate),
        "low": four_digits(one.decision.low),
        "high": four_digits(one.decision.high),
    }
