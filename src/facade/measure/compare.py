"""The comparisons that the experiment is made for: each anonymized arm against raw, and blur against pseudonyms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facade.measure.bootstrap import Difference, Draws, Resampled, difference, resample
from facade.measure.operating import resampled_recall
from facade.measure.study import Study
from facade.measure.verdict import Verdict, judge
from facade.measure.weighted import OVERLAPS, matched_run
from facade.params import Evaluate

# First arm against second; a loss of the first is negative. On these the verdict is given.
COMPARISONS = (("pseudo", "raw"), ("blur", "raw"), ("blur", "pseudo"))
# Controls, which tell what a loss comes from; no verdict hangs on them.
CAUSES = (("recode", "raw"), ("decoy", "raw"), ("drop", "raw"))
# Which of COCO's overlaps each metric is the mean over.
METRICS = {"AP50": slice(0, 1), "AP": slice(0, len(OVERLAPS))}
RECALL = "recall"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Comparison:
    """One arm against another, in one metric.

    Attributes:
        first: Name of the one arm.
        second: Name of the other.
        metric: "AP50", "AP", or "recall" at the operating thresholds.
        difference: First minus second.
        verdict: At the margin.
    """

    first: str
    second: str
    metric: str
    difference: Difference
    verdict: Verdict

    @property
    def is_cause(self) -> bool:
        """Whether it compares a control, on which no verdict hangs."""
        return (self.first, self.second) in CAUSES


def pairs_of(arms: Sequence[str]) -> list[tuple[str, str]]:
    """The comparisons that some arms allow."""
    return [pair for pair in (*COMPARISONS, *CAUSES) if set(pair) <= set(arms)]


def compare(study: Study, params: Evaluate) -> list[Comparison]:
    """Compare the arms that there are, in every metric, with the same draws of photographs and seeds for all.

    Args:
        study: The golden set and the arms.
        params: Margin and alpha.
    """
    pairs = pairs_of(list(study.results))
    together = sum(pair in COMPARISONS for pair in pairs)
    return compare_pairs(study, {pair: together if pair in COMPARISONS else 1 for pair in pairs}, params)


def compare_pairs(
    study: Study, pairs: Mapping[tuple[str, str], int], params: Evaluate, planned: bool = True
) -> list[Comparison]:
    """Compare pairs of arms in every metric, with the same draws of photographs and seeds for all.

    Args:
        study: The golden set and the arms.
        pairs: Which, and how many comparisons each shares alpha with, itself among them.
        params: Margin and alpha.
        planned: Whether to plan what would decide.
    """
    precision = {
        name: resample([matched_run(study.faces, run) for run in own], study.draws) for name, own in study.found.items()
    }
    recall = {name: resampled_recall(study.faces, own, study.draws) for name, own in study.outcomes.items()}
    units = study.draws.carrying(study.faces.photograph[~study.faces.ignored])
    measured = [(precision, metric, overlaps) for metric, overlaps in METRICS.items()]
    measured.append((recall, RECALL, slice(None)))
    return [
        difference_of(arms, pair, metric, values, study.draws, params, comparisons, units, planned)
        for pair, comparisons in pairs.items()
        for arms, metric, values in measured
    ]


def difference_of(
    arms: Mapping[str, Resampled],
    pair: tuple[str, str],
    metric: str,
    values: slice,
    draws: Draws,
    params: Evaluate,
    comparisons: int,
    units: int,
    planned: bool = True,
) -> Comparison:
    """One comparison of two arms, judged as one of several; the metric is the mean of some of the values.

    Args:
        arms: What was resampled, by arm.
        pair: The two arms.
        metric: Its name.
        values: Which of the resampled values it is the mean of.
        draws: What was drawn.
        params: Margin and alpha.
        comparisons: How many comparisons share alpha.
        units: How many of the things drawn hold a face to judge.
        planned: Whether to plan what would decide.
    """
    first, second = (arms[name] for name in pair)
    seen = difference(first, second, draws, values, units)
    nothing = Resampled(np.zeros_like(second.seen), np.zeros_like(second.drawn))
    reached = difference(second, nothing, draws, values, units)
    verdict = judge(seen, params.margin, params.alpha, comparisons, reached, planned)
    return Comparison(*pair, metric, seen, verdict)


def verdicts(compared: Sequence[Comparison], params: Evaluate) -> dict[str, Any]:
    """The comparisons for metrics/golden.json: the metric that decides with its verdict, the others with intervals."""
    told: dict[str, Any] = {"metric": params.metric, "margin": params.margin, "alpha": params.alpha}
    for one in compared:
        if not one.is_cause:
            _tell(told, one, one.metric == params.metric, params.resample)
    return told


def causes(compared: Sequence[Comparison], params: Evaluate) -> dict[str, Any]:
    """The controls for metrics/golden.json, with limits of one comparison each."""
    told: dict[str, Any] = {}
    for one in compared:
        if one.is_cause:
            _tell(told, one, False, params.resample)
    return told


def _tell(told: dict[str, Any], one: Comparison, decides: bool, units: str) -> None:
    entry = told.setdefault(f"{one.first}_against_{one.second}", {})
    if decides:
        entry["answer"] = one.verdict.answer
        if one.verdict.answer == "inconclusive":
            entry[f"{units}_to_decide"] = _count(one.verdict.units)
            entry["seeds_to_decide"] = _count(one.verdict.seeds)
            if one.verdict.units is None and one.verdict.seeds is None and one.verdict.both is not None:
                entry[f"or_{units}"], entry["with_seeds"] = one.verdict.both
    entry[one.metric] = four_digits(one.difference.seen)
    entry[f"{one.metric}_low"], entry[f"{one.metric}_high"] = map(four_digits, (one.verdict.low, one.verdict.high))


def _count(number: int | None) -> int | str:
    return "no number would" if number is None else number


def four_digits(value: float | None) -> float | str:
    """A value as metrics tell it: four significant digits, or that it was not measured."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else float(f"{value:.4g}")
