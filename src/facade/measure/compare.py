"""The comparisons that the experiment is made for: each anonymized arm against raw, and blur against pseudonyms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facade.measure.bootstrap import Difference, Draws, Resampled, difference, resample
from facade.measure.golden_evaluation import Study
from facade.measure.operating_point import resampled_recall, resampled_recall_at
from facade.measure.verdict import Verdict, holm, judge, p_value, spent
from facade.measure.weighted import OVERLAPS, matched_run
from facade.params import Evaluate

# First arm against second; a loss of the first is negative. On these the verdict is given.
COMPARISONS = (("pseudo", "raw"), ("blur", "raw"), ("blur", "pseudo"))
# Controls, which tell what a loss comes from; no verdict hangs on them.
CAUSES = (("recode", "raw"), ("decoy", "raw"), ("drop", "raw"))
# Which of COCO's overlaps each metric is the mean over.
METRICS = {"AP50": slice(0, 1), "AP": slice(0, len(OVERLAPS))}
RECALL = "recall"
# Recall where every arm has as many false positives: operating thresholds differ from arm to arm.
RECALL_FPPI, FPPI = "recall_fppi_1", 1.0
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Comparison:
    """One arm against another, in one metric.

    Attributes:
        first: Name of the one arm.
        second: Name of the other.
        metric: "AP50", "AP", "recall" at the operating thresholds, or "recall_fppi_1" at one false positive an image.
        difference: First minus second.
        verdict: At the margin.
        margin: Of the verdict.
        further: Answers at other margins, by margin.
        reached: The second arm against nothing; None where it is not known.
    """

    first: str
    second: str
    metric: str
    difference: Difference
    verdict: Verdict
    margin: float = math.nan
    further: Mapping[str, str] = field(default_factory=dict)
    reached: Difference | None = None

    @property
    def is_cause(self) -> bool:
        """Whether it compares a control, on which no verdict hangs."""
        return (self.first, self.second) in CAUSES


@dataclass(frozen=True)
class _Seen:
    """A difference that is still to be judged."""

    pair: tuple[str, str]
    metric: str
    difference: Difference
    reached: Difference
    # First minus a share of the second: whether the loss is more than the rest of it.
    relative: Mapping[str, Difference]


def pairs_of(arms: Sequence[str]) -> list[tuple[str, str]]:
    """The comparisons that some arms allow."""
    return [pair for pair in (*COMPARISONS, *CAUSES) if set(pair) <= set(arms)]


def compare(study: Study, params: Evaluate) -> list[Comparison]:
    """Compare the arms that there are, in every metric, with the same draws of photographs and seeds for all.

    The comparisons on which a verdict hangs share alpha (Holm). A control has it for itself.

    Args:
        study: The golden set and the arms.
        params: Margins, alpha, and at how many seeds somebody looks.

    Raises:
        FacadeError: `looks` plans for other numbers of seeds.
    """
    alpha = spent(params.alpha, len(study.seeds), params.looks)
    seen = _differences(study, pairs_of(list(study.results)), params)
    levels = [alpha] * len(seen)
    for metric in dict.fromkeys(one.metric for one in seen):
        places = [place for place, one in enumerate(seen) if one.metric == metric and one.pair in COMPARISONS]
        shared = holm([p_value(seen[place].difference, params.margin) for place in places], alpha)
        for place, level in zip(places, shared, strict=True):
            levels[place] = level
    return [
        _judged(one, params, params.alpha, level, one.pair in COMPARISONS)
        for one, level in zip(seen, levels, strict=True)
    ]


def compare_pairs(study: Study, pairs: Sequence[tuple[str, str]], params: Evaluate) -> list[Comparison]:
    """Compare pairs of arms in every metric, each for itself.

    Args:
        study: The golden set and the arms.
        pairs: Which.
        params: Margin and alpha.
    """
    return [_judged(one, params, params.alpha, params.alpha, False) for one in _differences(study, pairs, params)]


def _differences(study: Study, pairs: Sequence[tuple[str, str]], params: Evaluate) -> list[_Seen]:
    precision = {
        name: resample([matched_run(study.faces, run) for run in own], study.draws) for name, own in study.found.items()
    }
    recall = {name: resampled_recall(study.faces, own, study.draws) for name, own in study.outcomes.items()}
    at_rate = {
        name: resampled_recall_at(study.faces, own, study.draws, params.iou, FPPI) for name, own in study.found.items()
    }
    units = study.draws.carrying(study.faces.photograph[~study.faces.ignored])
    measured = [(precision, metric, overlaps) for metric, overlaps in METRICS.items()]
    measured += [(recall, RECALL, slice(None)), (at_rate, RECALL_FPPI, slice(None))]
    return [
        _difference(arms, pair, metric, values, study.draws, params, units)
        for pair in pairs
        for arms, metric, values in measured
    ]


def difference_of(
    arms: Mapping[str, Resampled],
    pair: tuple[str, str],
    metric: str,
    values: slice,
    draws: Draws,
    params: Evaluate,
    units: int,
) -> Comparison:
    """One comparison of two arms, for itself; the metric is the mean of some of the values.

    Args:
        arms: What was resampled, by arm.
        pair: The two arms.
        metric: Its name.
        values: Which of the resampled values it is the mean of.
        draws: What was drawn.
        params: Margin and alpha.
        units: How many of the things drawn hold a face to judge.
    """
    seen = _difference(arms, pair, metric, values, draws, params, units)
    return _judged(seen, params, params.alpha, params.alpha, False)


def _difference(
    arms: Mapping[str, Resampled],
    pair: tuple[str, str],
    metric: str,
    values: slice,
    draws: Draws,
    params: Evaluate,
    units: int,
) -> _Seen:
    first, second = (arms[name] for name in pair)

    def against(share: float) -> Difference:
        return difference(first, Resampled(share * second.seen, share * second.drawn), draws, values, units)

    nothing = Resampled(np.zeros_like(second.seen), np.zeros_like(second.drawn))
    relative = {f"{percent:g} % of {pair[1]}": against(1 - percent / 100) for percent in params.relative_margins}
    return _Seen(pair, metric, against(1.0), difference(second, nothing, draws, values, units), relative)


def _judged(seen: _Seen, params: Evaluate, alpha: float, level: float, decides: bool) -> Comparison:
    """A verdict; answers at further margins, and plans, only where it decides."""
    verdict = judge(seen.difference, params.margin, alpha, seen.reached, decides, level)
    further: dict[str, str] = {}
    if decides:
        for margin in params.further_margins:
            further[f"{margin:g}"] = judge(seen.difference, margin, alpha, seen.reached, False, level).answer
        for name, relative in seen.relative.items():
            further[name] = judge(relative, 0.0, alpha, None, False, level).answer
    return Comparison(*seen.pair, seen.metric, seen.difference, verdict, params.margin, further, seen.reached)


def verdicts(compared: Sequence[Comparison], params: Evaluate) -> dict[str, Any]:
    """The comparisons for metrics/golden.json: the metric that decides with its verdict, the others with intervals."""
    told: dict[str, Any] = {"metric": params.metric, "margin": params.margin, "alpha": params.alpha}
    for one in compared:
        if not one.is_cause:
            _tell(told, one, one.metric == params.metric, params.resample)
    return told | {"assay_sensitivity": assay_sensitivity(compared, params.metric)}


def assay_sensitivity(compared: Sequence[Comparison], metric: str) -> str:
    """Whether the study has shown that it can see a loss: that of the control `drop`, which misses photographs."""
    drops = [one for one in compared if one.first == "drop" and one.metric == metric]
    if not drops or drops[0].verdict.answer.startswith("not measurable"):
        return NOT_MEASURED
    return "shown" if drops[0].verdict.high < 0 else "not shown"


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
        entry |= {f"answer_at_{_key(margin)}": answer for margin, answer in one.further.items()}
        entry["p"] = four_digits(p_value(one.difference, one.margin))
        entry["margin_percent_of_second"] = four_digits(100 * margin_share(one))
        if one.verdict.answer == "inconclusive":
            entry[f"{units}_to_decide"] = _count(one.verdict.units)
            entry["seeds_to_decide"] = _count(one.verdict.seeds)
            if one.verdict.units is None and one.verdict.seeds is None and one.verdict.both is not None:
                entry[f"or_{units}"], entry["with_seeds"] = one.verdict.both
    entry[one.metric] = four_digits(one.difference.seen)
    entry[f"{one.metric}_low"], entry[f"{one.metric}_high"] = map(four_digits, (one.verdict.low, one.verdict.high))


def margin_share(one: Comparison) -> float:
    """The margin as a share of what the second arm reaches; not a number where it reaches nothing."""
    return one.margin / one.reached.seen if one.reached is not None and one.reached.seen > 0 else math.nan


def _key(margin: str) -> str:
    """A margin as part of a name: DVC reads a dot as nesting."""
    return margin.replace(".", "p").replace(" % of ", "_percent_of_")


def _count(number: int | None) -> int | str:
    return "no number would" if number is None else number


def four_digits(value: float | None) -> float | str:
    """A value as metrics tell it: four significant digits, or that it was not measured."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else float(f"{value:.4g}")
