"""The verdict in words."""

import math
from collections.abc import Sequence

from facade.measure.compare import NOT_MEASURED, Comparison
from facade.params import Evaluate
from facade.report.style import NAMES


def told(value: float | None, signed: bool = False) -> str:
    """A number with three decimals, or that it was not measured."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    return (f"{value:+.3f}" if signed else f"{value:.3f}").replace("-", "\N{MINUS SIGN}")


def sentence(compared: Sequence[Comparison], params: Evaluate) -> str:
    """The verdict in one sentence: what each anonymized arm loses against raw, or one against the other without raw."""
    deciding = [one for one in compared if one.metric == params.metric and not one.is_cause]
    against_raw = [one for one in deciding if one.second == "raw"]
    clauses = "; ".join(_clause(one, params) for one in against_raw or deciding) + "."
    return f"{clauses[0].upper()}{clauses[1:]}" if against_raw else f"No raw arm was trained: {clauses}"


def _clause(one: Comparison, params: Evaluate) -> str:
    first, second = f"{NAMES[one.first]} training photographs", NAMES[one.second].partition(" (")[0]
    low, high = told(one.verdict.low, True), told(one.verdict.high, True)
    seen = f"{told(one.difference.seen, True)} {params.metric}, limits {low} to {high}"
    match one.verdict.answer:
        case "non-inferior":
            return f"{first} are non-inferior to {second}: they cost less than {params.margin:g} ({seen})"
        case "inferior":
            return f"{first} are inferior to {second}: they cost more than {params.margin:g} ({seen})"
        case "inconclusive":
            return f"whether {first} cost more than {params.margin:g} against {second} is inconclusive ({seen})"
        case answer:
            return f"{first} against {second}: {answer}"


def to_decide(one: Comparison, params: Evaluate) -> str:
    """How much more data would settle a comparison."""
    verdict = one.verdict
    if verdict.answer != "inconclusive":
        return "decided" if verdict.answer in ("non-inferior", "inferior") else verdict.answer
    ways = []
    if verdict.units is not None:
        ways.append(f"{verdict.units:,} {params.resample} with {one.difference.seeds} seeds")
    if verdict.seeds is not None:
        ways.append(f"{verdict.seeds:,} seeds with {one.difference.units:,} {params.resample}")
    if not ways and verdict.both is not None:
        ways.append(f"{verdict.both[0]:,} {params.resample} with {verdict.both[1]:,} seeds; neither alone would")
    return "a new study of " + ", or ".join(ways) if ways else "no number of either"
