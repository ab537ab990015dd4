"""The verdict on a difference, at a margin fixed before: non-inferior, inferior or inconclusive."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
# The power that the planner plans for.
POWER = 0.8
# More photographs, or seeds, than this are not worth planning for.
MANY_UNITS, MANY_SEEDS = 100_000_000, 10_000
# The planner looks at numbers so much apart first.
STRIDE = 1.04


@dataclass(frozen=True)
class Verdict:
    """What a difference says.

    Attributes:
        answer: Of the first arm against the second.
        low: Lower end of the interval: the difference is lower with probability `alpha` at most.
        high: Upper end, in the same way.
        units: How many photographs, or events, would decide it at the effect seen, with the seeds there are; None if
            no number would.
        seeds: How many would decide it with the photographs there are; None if no number would.
        both: Photographs (or events) and seeds, more of both by one factor, that would; None if no number would.
    """

    answer: Answer
    low: float
    high: float
    units: int | None = None
    seeds: int | None = None
    both: tuple[int, int] | None = None


def judge(
    difference: Difference,
    margin: float,
    alpha: float,
    comparisons: int,
    reached: Difference | None = None,
    planned: bool = True,
) -> Verdict:
    """One-sided tests of non-inferiority and of inferiority.

    Args:
        difference: First arm minus second; a loss is negative.
        margin: The greatest loss that is accepted, positive.
        alpha: Chance of a wrong answer that is accepted, for all comparisons together (Bonferroni).
        comparisons: How many are made.
        reached: The second arm against nothing; None where it is known to reach more than the margin. Where its lower
            limit is no more than that, no loss might be greater, and "non-inferior" would say nothing: a study that
            could not have shown a loss has not shown that there is none (assay sensitivity; ICH E10, 2000,
            section 1.5).
        planned: Whether to plan what would decide where the answer is inconclusive.
    """
    level = alpha / comparisons
    if not math.isfinite(difference.error) or difference.units < FEWEST_UNITS:
        few = math.isfinite(difference.seen) and difference.units < FEWEST_UNITS
        return Verdict("not measurable with so few photographs" if few else "not measurable", math.nan, math.nan)
    reach = difference.reach(1 - level)
    # Metrics lie between 0 and 1, so that no difference is greater than one.
    low, high = max(difference.seen - reach, -1.0), min(difference.seen + reach, 1.0)
    if difference.seeds < 2:
        # The limits hold for these very runs. How far others would lie nobody knows, and they often lie far.
        return Verdict("not measurable with one seed", low, high)
    if high < -margin:
        return Verdict("inferior", low, high)
    if reached is not None and reached.seen - (reached.reach(1 - level) if low > -margin else 0) <= margin:
        return Verdict("not measurable: the other arm may have no more to lose than the margin", low, high)
    if low > -margin:
        return Verdict("non-inferior", low, high)
    return Verdict("inconclusive", low, high, *(plan(difference, margin, level, reached) if planned else ()))


def plan(
    difference: Difference, margin: float, level: float, reached: Difference | None = None, power: float = POWER
) -> tuple[int | None, int | None, tuple[int, int] | None]:
    """How many photographs, or how many seeds, would decide at the effect seen, with the given power.

    The limits that a larger study would have follow from the variances seen.

    Args:
        difference: What was seen.
        margin: See `judge`.
        level: Chance of a wrong answer, of one comparison.
        reached: See `judge`.
        power: Chance of an answer, if the effect is the one seen.

    Returns:
        Photographs (or events) with the seeds there are; seeds with the photographs there are; both, as many times
        more of one as of the other. None where no number is enough.
    """
    # How far the limits of each of these must stay off, for the answer that the effect seen would have.
    asked = [(difference, abs(difference.seen + margin))]
    if reached is not None and difference.seen > -margin:
        asked.append((reached, reached.seen - margin))

    def decides(units: int, seeds: int) -> bool:
        return all(off >= one.reach(1 - level, units, seeds) + one.reach(power, units, seeds) for one, off in asked)

    units = _least(difference.units, MANY_UNITS, lambda number: decides(number, difference.seeds))
    at_least = max(difference.seeds, 2)
    seeds = _least(at_least, MANY_SEEDS, lambda number: decides(difference.units, number))
    both = _least(at_least, MANY_SEEDS, lambda number: decides(_as_many(difference, number), number))
    return units, seeds, None if both is None else (_as_many(difference, both), both)


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
