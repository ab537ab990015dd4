"""Numbers and verdicts as text."""

import math
from collections.abc import Sequence

from facade.measure.compare import NOT_MEASURED, Comparison
from facade.params import MAIN_ARMS, Evaluate
from facade.report.style import NAMES


def format_number(value: float | None, signed: bool = False) -> str:
    """A number with three decimals, or that it was not measured."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    return (f"{value:+.3f}" if signed else f"{value:.3f}").replace("-", "\N{MINUS SIGN}")


def verdict_sentence(compared: Sequence[Comparison], params: Evaluate) -> str:
    """The verdict in one sentence: each anonymized arm against raw, or against each other without a raw arm."""
    primary = [one for one in compared if one.metric == params.metric and not one.is_ablation]
    against_raw = [one for one in primary if one.second == "raw"]
    clauses = "; ".join(_clause(one, params) for one in against_raw or primary) + "."
    return f"{clauses[0].upper()}{clauses[1:]}" if against_raw else f"No raw arm was trained: {clauses}"


def _clause(one: Comparison, params: Evaluate) -> str:
    first = (
        f"{NAMES[one.first]} training photographs"
        if one.first in MAIN_ARMS
        else f"training photographs of the arm {one.first}"
    )
    second = NAMES[one.second].partition(" (")[0]
    low, high = format_number(one.decision.low, True), format_number(one.decision.high, True)
    estimate = f"{format_number(one.difference.estimate, True)} {params.metric}, limits {low} to {high}"
    match one.decision.verdict:
        case "non-inferior":
            return f"{first} are non-inferior to {second}: they cost less than {params.margin:g} ({estimate})"
        case "inferior":
            return f"{first} are inferior to {second}: they cost more than {params.margin:g} ({estimate})"
        case "inconclusive":
            return f"whether {first} cost more than {params.margin:g} against {second} is inconclusive ({estimate})"
        case verdict:
            return f"{first} against {second}: {verdict}"


def needed_to_decide(one: Comparison, params: Evaluate) -> str:
    """The sample size that would decide a comparison."""
    decision = one.decision
    if decision.verdict != "inconclusive":
        return "decided" if decision.verdict in ("non-inferior", "inferior") else decision.verdict
    options = []
    if decision.units_needed is not None:
        options.append(f"{decision.units_needed:,} {params.resample} with {one.difference.seeds} seeds")
    if decision.seeds_needed is not None:
        options.append(f"{decision.seeds_needed:,} seeds with {one.difference.units:,} {params.resample}")
    if not options and decision.both_needed is not None:
        units, seeds = decision.both_needed
        options.append(f"{units:,} {params.resample} with {seeds:,} seeds; neither alone is enough")
    return "a new study of " + ", or ".join(options) if options else "no sample size"
