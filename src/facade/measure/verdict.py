"""The verdict on a difference, at a margin fixed before: non-inferior, inferior or inconclusive."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats

from facade.errors import FacadeError
from facade.measure.bootstrap import Difference

Answer = Literal[
    "non-inferior",
    "inferior",
    "inconclusive",
    "not measurable with one seed",
    "not measurable with so few photographs",
    "not measurable: the other arm may have no more to lose than the margin",
    "not measurable",
]
# With fewer photographs, or events, that hold a face, nothing is known of how they differ.
FEWEST_UNITS = 5
# The power that the planner plans for, and how sure it is that variances are no greater than it takes them to be.
POWER, CONFIDENCE = 0.8, 0.8
# Levels are told down to this.
SMALLEST_LEVEL = 1e-6
# More photographs, or seeds, than this are not worth planning for.
MANY_UNITS, MANY_SEEDS = 100_000_000, 10_000
# The planner looks at numbers so much apart first.
STRIDE = 1.04


@dataclass(frozen=True)
class Verdict:
    """What a difference says.

    Attributes:
        answer: Of the first arm against the second.
        low: Lower one-sided limit: the difference is lower with probability alpha at most.
        high: Upper one-sided limit, in the same way. Limits are those of one comparison, whatever the level of the
            answer.
        units: How many photographs, or events, would decide it with the seeds there are, if the arms do not differ;
            None if no number would.
        seeds: How many would decide it with the photographs there are; None if no number would.
        both: Photographs (or events) and seeds, more of both by one factor, that would; None if no number would.
        level: The level at which it was tested.
    """

    answer: Answer
    low: float
    high: float
    units: int | None = None
    seeds: int | None = None
    both: tuple[int, int] | None = None
    level: float = math.nan


def judge(
    difference: Difference,
    margin: float,
    alpha: float,
    reached: Difference | None = None,
    planned: bool = True,
    level: float | None = None,
) -> Verdict:
    """One-sided tests of non-inferiority and of inferiority.

    Args:
        difference: First arm minus second; a loss is negative.
        margin: The greatest loss that is accepted; not negative.
        alpha: Of the limits, and of the tests where `level` does not say otherwise.
        reached: The second arm against nothing; None where it is known to reach more than the margin. Where its lower
            limit is no more than that, no loss might be greater, and "non-inferior" would say nothing: a study that
            could not have shown a loss has not shown that there is none (assay sensitivity; ICH E10, 2000,
            section 1.5).
        planned: Whether to plan what would decide where the answer is inconclusive.
        level: Of the tests: what `holm` leaves of alpha.
    """
    level = alpha if level is None else level
    if not math.isfinite(difference.error) or difference.units < FEWEST_UNITS:
        few = math.isfinite(difference.seen) and difference.units < FEWEST_UNITS
        return Verdict("not measurable with so few photographs" if few else "not measurable", math.nan, math.nan)
    low, high = limits(difference, alpha)
    if difference.seeds < 2:
        # The limits hold for these very runs. How far others would lie nobody knows, and they often lie far.
        return Verdict("not measurable with one seed", low, high)
    tested = limits(difference, level)
    # A study in which nothing varies has no level at which it would not be decided.
    above, below = tested[0] > -margin, tested[1] < -margin
    if below:
        return Verdict("inferior", low, high, level=level)
    if reached is not None and reached.seen - (reached.reach(1 - level) if above else 0) <= margin:
        answer: Answer = "not measurable: the other arm may have no more to lose than the margin"
        return Verdict(answer, low, high, level=level)
    if above:
        return Verdict("non-inferior", low, high, level=level)
    units, seeds, both = plan(difference, margin, level, reached) if planned else (None, None, None)
    return Verdict("inconclusive", low, high, units, seeds, both, level)


def limits(difference: Difference, alpha: float) -> tuple[float, float]:
    """One-sided limits of a difference at 1 - alpha each. Metrics lie in 0 to 1: no difference is greater than one."""
    reach = difference.reach(1 - alpha)
    return max(difference.seen - reach, -1.0), min(difference.seen + reach, 1.0)


def p_value(difference: Difference, margin: float) -> float:
    """The smallest level at which a one-sided test, of non-inferiority or of inferiority, is decided; up to .5."""
    away = abs(difference.seen + margin)
    if not math.isfinite(difference.error) or difference.seeds < 2 or difference.units < FEWEST_UNITS:
        return 1.0
    low, high = SMALLEST_LEVEL, 0.5
    if difference.reach(1 - low) < away:
        return low
    # `reach` is a mean of quantiles and has no inverse in closed form; it falls as the level grows.
    while high / low > 1 + 1e-5:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if difference.reach(1 - middle) < away else (middle, high)
    return high


def holm(values: Sequence[float], alpha: float) -> list[float]:
    """The level at which each of several hypotheses is tested (Holm, 1979): alpha holds for all of them together.

    The smallest p value is tested at alpha / m, the next at alpha / (m - 1), and so on, until one is not decided; the
    others are then tested at that one's level, at which none of them is.

    Args:
        values: p values.
        alpha: Chance of a wrong answer that is accepted, for all together.

    Returns:
        A level for each, in their order.
    """
    levels = [alpha] * len(values)
    left, going = len(values), True
    level = alpha
    for place in sorted(range(len(values)), key=lambda number: values[number]):
        if going:
            level = alpha / left
            going = values[place] <= level
            left -= 1
        levels[place] = level
    return levels


def spent(alpha: float, seeds: int, looks: Sequence[int]) -> float:
    """What of alpha a look at a growing number of seeds may spend.

    Each look spends alpha in proportion to the seeds that came since the one before (Lan and DeMets, Biometrika 1983,
    with a linear spending function), and its chance of a wrong answer is that at the most; together they spend alpha.
    Nothing is gained from looks being alike, which errs on the safe side.

    Args:
        alpha: Chance of a wrong answer that is accepted, for all looks together.
        seeds: How many there are now.
        looks: The numbers of seeds at which somebody looks, rising; empty for a single look.

    Raises:
        FacadeError: This number of seeds is none of them.
    """
    if not looks:
        return alpha
    if seeds not in looks:
        planned = ", ".join(map(str, looks))
        raise FacadeError(
            f"evaluate.looks plans to look at {planned} seeds, and there are {seeds}. Train as many as it names "
            "(train.seeds), or write the plan before the first look."
        )
    before = max((number for number in looks if number < seeds), default=0)
    return alpha * (seeds - before) / max(looks)


def plan(
    difference: Difference, margin: float, level: float, reached: Difference | None = None, power: float = POWER
) -> tuple[int | None, int | None, tuple[int, int] | None]:
    """How many photographs, or how many seeds, would show non-inferiority, with the given power, if nothing is lost.

    Planned for a true difference of 0: the effect seen in a small study is mostly luck, and a plan that trusts it asks
    for too little half of the time. For the same reason variances are taken at the upper end of their interval.

    Args:
        difference: What was seen.
        margin: See `judge`.
        level: Chance of a wrong answer, of one comparison.
        reached: See `judge`.
        power: Chance of the answer "non-inferior" if the arms do not differ.

    Returns:
        Photographs (or events) with the seeds there are; seeds with the photographs there are; both, as many times
        more of one as of the other. None where no number is enough.
    """
    # How far the limits of each of these must stay off.
    asked = [(_cautious(difference), margin)]
    if reached is not None:
        asked.append((_cautious(reached), reached.seen - margin))

    def decides(units: int, seeds: int) -> bool:
        return all(off >= one.reach(1 - level, units, seeds) + one.reach(power, units, seeds) for one, off in asked)

    units = _least(difference.units, MANY_UNITS, lambda number: decides(number, difference.seeds))
    at_least = max(difference.seeds, 2)
    seeds = _least(at_least, MANY_SEEDS, lambda number: decides(difference.units, number))
    both = _least(at_least, MANY_SEEDS, lambda number: decides(_as_many(difference, number), number))
    return units, seeds, None if both is None else (_as_many(difference, both), both)


def _cautious(difference: Difference) -> Difference:
    """The same with variances at the upper end of their one-sided interval (chi-square)."""
    freedom_units, freedom_seeds = max(difference.units - 1, 1), max(difference.seeds - 1, 1)
    wider = freedom_units / float(stats.chi2.ppf(1 - CONFIDENCE, freedom_units))
    # What was seen to differ between seeds holds what single photographs do in single runs, too.
    between = (difference.seed_variance + difference.run_variance) * freedom_seeds
    between /= float(stats.chi2.ppf(1 - CONFIDENCE, freedom_seeds))
    return replace(
        difference,
        photograph_variance=difference.photograph_variance * wider,
        seed_variance=max(between - difference.run_variance, 0.0),
    )


def _as_many(difference: Difference, seeds: int) -> int:
    """As many times the photographs there are as these seeds are the seeds there are."""
    return math.ceil(difference.units * seeds / difference.seeds)


def _least(start: int, most: int, enough: Callable[[int], bool]) -> int | None:
    """The least number from a start on that is enough, up to a fraction of `STRIDE`; None if none up to the most is.

    Not simply halved: with more photographs the quantile becomes that of a few seeds, and a number that is enough may
    be followed by larger ones that are not.
    """
    before, number = start, start
    while not enough(number):
        if number >= most:
            return None
        before, number = number, min(most, max(number + 1, round(number * STRIDE)))
    while number - before > 1:
        middle = (before + number) // 2
        before, number = (before, middle) if enough(middle) else (middle, number)
    return number
