"""The verdict on a difference, at a margin fixed before: non-inferior, inferior or inconclusive."""

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from facade.measure.bootstrap import Difference

Answer = Literal["non-inferior", "inferior", "inconclusive", "not measurable with one seed"]
# The power that the planner plans for.
POWER = 0.8
# More photographs than this are not worth planning for.
MANY = 100_000_000


@dataclass(frozen=True)
class Verdict:
    """What a difference says.

    Attributes:
        answer: Of the first arm against the second.
        low: Lower end of the interval: the difference is lower with probability `alpha` at most.
        high: Upper end, in the same way.
        photographs: How many would decide it at the effect seen, with the seeds there are; None if no number would.
        seeds: How many would decide it with the photographs there are; None if no number would.
    """

    answer: Answer
    low: float
    high: float
    photographs: int | None
    seeds: int | None


def judge(difference: Difference, margin: float, alpha: float, comparisons: int) -> Verdict:
    """One-sided tests of non-inferiority and of inferiority, by t with Satterthwaite's degrees of freedom.

    Args:
        difference: First arm minus second; a loss is negative.
        margin: The greatest loss that is accepted, positive.
        alpha: Chance of a wrong answer that is accepted, for all comparisons together (Bonferroni).
        comparisons: How many are made.
    """
    level = alpha / comparisons
    reach = float(stats.t.ppf(1 - level, difference.freedom)) * difference.error
    low, high = difference.seen - reach, difference.seen + reach
    if difference.seeds < 2:
        # The limits hold for these very runs. How far others would lie nobody knows, and they often lie far.
        return Verdict("not measurable with one seed", low, high, None, None)
    if low > -margin:
        return Verdict("non-inferior", low, high, difference.photographs, difference.seeds)
    if high < -margin:
        return Verdict("inferior", low, high, difference.photographs, difference.seeds)
    return Verdict("inconclusive", low, high, *plan(difference, margin, level))


def plan(difference: Difference, margin: float, level: float, power: float = POWER) -> tuple[int | None, int | None]:
    """How many photographs, or how many seeds, would decide at the effect seen, with the given power.

    Args:
        difference: What was seen.
        margin: See `judge`.
        level: Chance of a wrong answer, of one comparison.
        power: Chance of an answer, if the effect is the one seen.

    Returns:
        Photographs with the seeds there are, seeds with the photographs there are; None where no number is enough.
    """
    effect = abs(difference.seen + margin)
    between = difference.seed_variance / difference.seeds

    def allowed(freedom: float) -> float:
        """The squared error at which the effect is told with the power."""
        reach = stats.t.ppf(1 - level, freedom) + stats.t.ppf(power, freedom)
        return float(effect / reach) ** 2

    photographs = _whole(difference.photographs * difference.photograph_variance, allowed(difference.freedom) - between)
    # More seeds also make their own variance surer.
    seeds = _whole(difference.seed_variance, allowed(1e6) - difference.photograph_variance)
    for _ in range(6):
        if seeds is not None:
            freedom = max(float(seeds - 1), 1.0)
            seeds = _whole(difference.seed_variance, allowed(freedom) - difference.photograph_variance)
    return photographs, seeds


def _whole(variance: float, allowed: float) -> int | None:
    """The least number that brings a variance, divided by it, below what is allowed."""
    if allowed <= 0 or variance / allowed > MANY:
        return None
    return max(1, math.ceil(variance / allowed))
