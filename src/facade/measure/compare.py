"""The comparisons of the experiment: each other arm against raw, and blur against pseudonyms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facade.measure.bootstrap import BootstrapSamples, Difference, Resampled, paired_difference, resample
from facade.measure.golden_evaluation import GoldenEvaluation
from facade.measure.operating_point import resampled_recall, resampled_recall_at_fppi
from facade.measure.verdict import Decision, decide, holm, p_value, spent_alpha
from facade.measure.weighted import IOU_THRESHOLDS, match_run
from facade.params import Evaluate

# First arm against second; a loss of the first is negative. These comparisons get a verdict.
COMPARISONS = (("pseudo", "raw"), ("blur", "raw"), ("blur", "pseudo"))
# The IoU thresholds over which each metric is averaged.
METRICS = {"AP50": slice(0, 1), "AP": slice(0, len(IOU_THRESHOLDS))}
RECALL = "recall"
# Recall at an equal false-positive rate in every arm: operating thresholds differ from arm to arm.
RECALL_FPPI, FPPI = "recall_fppi_1", 1.0
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Comparison:
    """One arm against another, in one metric.

    Attributes:
        first: Name of the first arm.
        second: Name of the second arm, the reference.
        metric: "AP50", "AP", "recall" at the operating thresholds, or "recall_fppi_1" at 1 false positive per image.
        difference: First minus second.
        decision: The verdict at the margin, and confidence limits.
        margin: Of the verdict.
        further_verdicts: Verdicts at other margins, by margin.
        reference: The metric of the second arm, as a difference from 0; None where it is not known.
        control: The treatment of the first arm if it is a control, which separates the causes of a loss and gets no
            verdict; else None.
    """

    first: str
    second: str
    metric: str
    difference: Difference
    decision: Decision
    margin: float = math.nan
    further_verdicts: Mapping[str, str] = field(default_factory=dict)
    reference: Difference | None = None
    control: str | None = None

    @property
    def is_ablation(self) -> bool:
        """Whether it compares a control, which gets no verdict."""
        return self.control is not None


@dataclass(frozen=True)
class _Estimate:
    """A difference before its verdict."""

    pair: tuple[str, str]
    metric: str
    difference: Difference
    reference: Difference
    # First minus a fraction of the second, by relative margin: negative if the loss is larger than that margin.
    relative: Mapping[str, Difference]


def available_pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    """The comparisons among these arms: the fixed ones, then every other arm against raw."""
    pairs = [pair for pair in COMPARISONS if set(pair) <= set(arms)]
    known = {name for pair in COMPARISONS for name in pair}
    return pairs + [(arm, "raw") for arm in arms if arm not in known and "raw" in arms]


def compare(
    evaluation: GoldenEvaluation, params: Evaluate, controls: Mapping[str, str] | None = None
) -> list[Comparison]:
    """Compare the arms in every metric, on the same bootstrap samples for all.

    The comparisons that get a verdict share alpha (Holm). A control is tested at the whole of alpha.

    Args:
        evaluation: The golden set and the arms.
        params: Margins, alpha, and the planned interim looks.
        controls: The treatment of each arm that is a control.

    Raises:
        FacadeError: The number of seeds is not among the planned looks.
    """
    alpha = spent_alpha(params.alpha, len(evaluation.seeds), params.looks)
    estimates = _estimates(evaluation, available_pairs(list(evaluation.results)), params)
    controls = controls or {}
    levels = [alpha] * len(estimates)
    for metric in dict.fromkeys(one.metric for one in estimates):
        indices = [index for index, one in enumerate(estimates) if one.metric == metric and one.pair[0] not in controls]
        shared = holm([p_value(estimates[index].difference, params.margin) for index in indices], alpha)
        for index, level in zip(indices, shared, strict=True):
            levels[index] = level
    return [
        replace(
            _decided(one, params, params.alpha, level, one.pair[0] not in controls), control=controls.get(one.pair[0])
        )
        for one, level in zip(estimates, levels, strict=True)
    ]


def compare_pairs(evaluation: GoldenEvaluation, pairs: Sequence[tuple[str, str]], params: Evaluate) -> list[Comparison]:
    """Compare pairs of arms in every metric, each at the whole of alpha.

    Args:
        evaluation: The golden set and the arms.
        pairs: The pairs of arms.
        params: Margin and alpha.
    """
    return [_decided(one, params, params.alpha, params.alpha, False) for one in _estimates(evaluation, pairs, params)]


def _estimates(evaluation: GoldenEvaluation, pairs: Sequence[tuple[str, str]], params: Evaluate) -> list[_Estimate]:
    faces, bootstrap = evaluation.faces, evaluation.bootstrap
    precision = {
        name: resample([match_run(faces, run) for run in own], bootstrap) for name, own in evaluation.detections.items()
    }
    recall = {name: resampled_recall(faces, own, bootstrap) for name, own in evaluation.points.items()}
    at_fppi = {
        name: resampled_recall_at_fppi(faces, own, bootstrap, params.iou, FPPI)
        for name, own in evaluation.detections.items()
    }
    units = bootstrap.units_with(faces.photograph[~faces.ignored])
    measured = [(precision, metric, columns) for metric, columns in METRICS.items()]
    measured += [(recall, RECALL, slice(None)), (at_fppi, RECALL_FPPI, slice(None))]
    return [
        _estimate(arms, pair, metric, columns, bootstrap, params, units)
        for pair in pairs
        for arms, metric, columns in measured
    ]


def compare_resampled(
    arms: Mapping[str, Resampled],
    pair: tuple[str, str],
    metric: str,
    columns: slice,
    bootstrap: BootstrapSamples,
    params: Evaluate,
    units: int,
) -> Comparison:
    """Compare two arms at the whole of alpha; the metric is the mean of some of the resampled values.

    Args:
        arms: The resampled values, by arm.
        pair: The two arms.
        metric: Name of the metric.
        columns: The resampled values of which it is the mean.
        bootstrap: The bootstrap samples.
        params: Margin and alpha.
        units: Number of resampling units that contain a face to score.
    """
    estimate = _estimate(arms, pair, metric, columns, bootstrap, params, units)
    return _decided(estimate, params, params.alpha, params.alpha, False)


def _estimate(
    arms: Mapping[str, Resampled],
    pair: tuple[str, str],
    metric: str,
    columns: slice,
    bootstrap: BootstrapSamples,
    params: Evaluate,
    units: int,
) -> _Estimate:
    first, second = (arms[name] for name in pair)

    def minus_fraction(fraction: float) -> Difference:
        scaled = Resampled(fraction * second.estimate, fraction * second.samples)
        return paired_difference(first, scaled, bootstrap, columns, units)

    zero = Resampled(np.zeros_like(second.estimate), np.zeros_like(second.samples))
    reference = paired_difference(second, zero, bootstrap, columns, units)
    relative = {f"{percent:g} % of {pair[1]}": minus_fraction(1 - percent / 100) for percent in params.relative_margins}
    return _Estimate(pair, metric, minus_fraction(1.0), reference, relative)


def _decided(estimate: _Estimate, params: Evaluate, alpha: float, level: float, has_verdict: bool) -> Comparison:
    """Decide a comparison; verdicts at further margins, and plans, only where it gets a verdict."""
    difference, reference = estimate.difference, estimate.reference
    decision = decide(difference, params.margin, alpha, reference, has_verdict, level)
    further: dict[str, str] = {}
    if has_verdict:
        for margin in params.further_margins:
            further[f"{margin:g}"] = decide(difference, margin, alpha, reference, False, level).verdict
        for name, relative in estimate.relative.items():
            further[name] = decide(relative, 0.0, alpha, None, False, level).verdict
    return Comparison(*estimate.pair, estimate.metric, difference, decision, params.margin, further, reference)


def verdicts(compared: Sequence[Comparison], params: Evaluate) -> dict[str, Any]:
    """The comparisons for results/golden.json: the primary metric with its verdict, the others with limits."""
    content: dict[str, Any] = {"metric": params.metric, "margin": params.margin, "alpha": params.alpha}
    for one in compared:
        if not one.is_ablation:
            _add_entry(content, one, one.metric == params.metric, params.resample)
    return content | {"assay_sensitivity": assay_sensitivity(compared, params.metric)}


def assay_sensitivity(compared: Sequence[Comparison], metric: str) -> str:
    """Whether the study has shown that it can detect a loss: that of the control `drop`, which lacks photographs."""
    drops = [one for one in compared if one.control == "drop" and one.metric == metric]
    if not drops or drops[0].decision.verdict.startswith("not measurable"):
        return NOT_MEASURED
    return "shown" if drops[0].decision.high < 0 else "not shown"


def ablations(compared: Sequence[Comparison], params: Evaluate) -> dict[str, Any]:
    """The controls for results/golden.json, with limits of a single comparison each."""
    content: dict[str, Any] = {}
    for one in compared:
        if one.is_ablation:
            _add_entry(content, one, False, params.resample)
    return content


def _add_entry(content: dict[str, Any], one: Comparison, has_verdict: bool, units: str) -> None:
    entry = content.setdefault(f"{one.first}_vs_{one.second}", {})
    decision = one.decision
    if has_verdict:
        entry["verdict"] = decision.verdict
        entry |= {f"verdict_at_{_key(margin)}": verdict for margin, verdict in one.further_verdicts.items()}
        entry["p"] = four_digits(p_value(one.difference, one.margin))
        entry["margin_percent_of_second"] = four_digits(100 * relative_margin(one))
        if decision.verdict == "inconclusive":
            entry[f"{units}_to_decide"] = _count(decision.units_needed)
            entry["seeds_to_decide"] = _count(decision.seeds_needed)
            if decision.units_needed is None and decision.seeds_needed is None and decision.both_needed is not None:
                entry[f"or_{units}"], entry["with_seeds"] = decision.both_needed
    entry[one.metric] = four_digits(one.difference.estimate)
    entry[f"{one.metric}_low"], entry[f"{one.metric}_high"] = map(four_digits, (decision.low, decision.high))


def relative_margin(one: Comparison) -> float:
    """The margin as a fraction of the second arm's metric; NaN where that is 0."""
    reference = one.reference
    return one.margin / reference.estimate if reference is not None and reference.estimate > 0 else math.nan


def _key(margin: str) -> str:
    """A margin as part of a key: DVC reads a dot as nesting."""
    return margin.replace(".", "p").replace(" % of ", "_percent_of_")


def _count(number: int | None) -> int | str:
    return "no number would" if number is None else number


def four_digits(value: float | None) -> float | str:
    """A value as metrics files hold it: four significant digits, or that it was not measured."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else float(f"{value:.4g}")
