"""Trainings of one arm, compared with each other as the arms are: photograph by photograph and seed by seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facade.dataset.calibration import calibration_labels
from facade.dataset.store import content_of
from facade.measure.compare import RECALL, Comparison, compare_pairs, four_digits
from facade.measure.golden_evaluation import Study, read_evaluation
from facade.params import Params

MEASURED = ("AP50", RECALL)
DRAWN = "**Drawn photographs: these numbers prove that it works and say nothing about real faces.**\n\n"


def read_rounds(golden: Path, kept: dict[str, Path], params: Params) -> Study:
    """What rounds detect in a golden set; the rounds are in the place of arms.

    Args:
        golden: The golden set.
        kept: By round, the folder that `Clone.keep` wrote.
        params: All of params.yaml.
    """
    labels = {
        name: calibration_labels(content_of(folder), params.evaluate.calibration) for name, folder in kept.items()
    }
    detections = {name: folder / "detections" for name, folder in kept.items()}
    return read_evaluation(content_of(golden), labels, detections, params.evaluate)


def compared(study: Study, pairs: Sequence[tuple[str, str]], params: Params) -> list[dict[str, Any]]:
    """Rounds against each other in AP50 and recall, each with limits of one comparison; for a JSON file."""
    found = compare_pairs(study, pairs, params.evaluate)
    found = sorted((one for one in found if one.metric in MEASURED), key=lambda one: MEASURED.index(one.metric))
    return [_told(one) for one in found]


def means(study: Study, metric: str) -> dict[str, float | str]:
    """By round, the mean of a metric at the operating threshold over the seeds."""
    by_round = {}
    for name, outcomes in study.outcomes.items():
        known = [value for value in (outcome.metrics[metric] for outcome in outcomes) if value is not None]
        by_round[name] = four_digits(sum(known) / len(known) if known else None)
    return by_round


def rows(differences: Sequence[dict[str, Any]]) -> str:
    """The comparisons as rows of a table in Markdown."""
    return "\n".join(
        f"| {one['rounds']} | {one['metric']} | {one['difference']} | {one['low']} | {one['high']} |"
        for one in differences
    )


def _told(one: Comparison) -> dict[str, Any]:
    return {
        "rounds": f"{one.first} minus {one.second}",
        "metric": one.metric,
        "difference": four_digits(one.difference.seen),
        "low": four_digits(one.verdict.low),
        "high": four_digits(one.verdict.high),
    }
