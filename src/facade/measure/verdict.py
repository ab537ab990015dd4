"""The verdict on a difference, at a predefined margin: non-inferior, inferior or inconclusive."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats

from facade.errors import FacadeError
from facade.measure.bootstrap import Difference

Verdict = Literal[
    "non-inferior",
    "inferior",
    "inconclusive",
    "not measurable with one seed",
    "not measurable with so few photographs",
    "not measurable: the reference arm may score below the margin",
    "not measurable",
]
# Fewer photographs, or events, that contain a face give no usable variance estimate.
MIN_UNITS = 5
# Statistical power of the sample-size planner, and the confidence level of the upper limit at which it takes variances.
POWER, CONFIDENCE = 0.8, 0.8
# The smallest p value that is reported.
MIN_LEVEL = 1e-6
# More photographs, or seeds, than this are not planned for.
MAX_UNITS, MAX_SEEDS = 100_000_000, 10_000
# The planner first tries numbers that grow by this factor.
SEARCH_FACTOR = 1.04


@dataclass(frozen=True)
class Decision:
    """The result of the tests on a difference.

    Attributes:
        verdict: On the first arm against the second.
        low: Lower one-sided confidence limit: the true difference is lower with probability alpha at most.
        high: Upper one-sided confidence limit, likewise. Limits are those of a single comparison, whatever the level of
            the verdict.
        units_needed: Photographs, or events, that would decide it with the present number of seeds, if the arms do not
            differ; None if no number would.
        seeds_needed: Seeds that would decide it with the present photographs; None if no number would.
        both_needed: Photographs (or events) and seeds, both increased by the same factor, that would decide it; None if
            no number would.
        level: Significance level of the tests.
    """

    verdict: Verdict
    low: float
    high: float
    units_needed: int | None = None
    seeds_needed: int | None = None
    both_needed: tuple[int, int] | None = None
    level: float = math.nan


def decide(
    difference: Difference,
    margin: float,
    alpha: float,
    reference: Difference | None = None,
    planned: bool = True,
    level: float | None = None,
) -> Decision:
    """One-sided tests of non-inferiority and of inferiority.

    Args:
        difference: First arm minus second; a loss is negative.
        margin: Non-inferiority margin: the largest acceptable loss; not negative.
        alpha: Significance level of the limits, and of the tests where `level` is not given.
        reference: The metric of the second arm, as a difference from 0; None where it is known to exceed the margin. If
            its lower limit does not exceed the margin, no loss could be larger than the margin, and "non-inferior"
            would be vacuous: a study that cannot show a loss cannot show its absence (assay sensitivity; ICH E10, 2000,
            section 1.5).
        planned: Whether to plan the sample size that would decide an inconclusive comparison.
        level: Significance level of the tests: the share of alpha that `holm` assigns.
    """
    level = alpha if level is None else level
    if not math.isfinite(difference.standard_error) or difference.units < MIN_UNITS:
        few = math.isfinite(difference.estimate) and difference.units < MIN_UNITS
        return Decision("not measurable with so few photographs" if few else "not measurable", math.nan, math.nan)
    low, high = confidence_limits(difference, alpha)
    if difference.seeds < 2:
        # The limits hold for these particular runs. The variance between seeds is unknown, and often large.
        return Decision("not measurable with one seed", low, high)
    tested = confidence_limits(difference, level)
    # With zero variance, both limits equal the estimate, and it is decided at every level.
    above, below = tested[0] > -margin, tested[1] < -margin
    if below:
        return Decision("inferior", low, high, level=level)
    if reference is not None and reference.estimate - (reference.half_width(1 - level) if above else 0) <= margin:
        verdict: Verdict = "not measurable: the reference arm may score below the margin"
        return Decision(verdict, low, high, level=level)
    if above:
        return Decision("non-inferior", low, high, level=level)
    units, seeds, both = plan_sample_size(difference, margin, level, reference) if planned else (None, None, None)
    return Decision("inconclusive", low, high, units, seeds, both, level)


def confidence_limits(difference: Difference, alpha: float) -> tuple[float, float]:
    """One-sided limits of a difference at 1 - alpha each, clipped to -1 and 1, as metrics lie between 0 and 1."""
    half_width = difference.half_width(1 - alpha)
    return max(difference.estimate - half_width, -1.0), min(difference.estimate + half_width, 1.0)


def p_value(difference: Difference, margin: float) -> float:
    """The smallest level at which a one-sided test, of non-inferiority or of inferiority, is decided; up to .5."""
    distance = abs(difference.estimate + margin)
    if not math.isfinite(difference.standard_error) or difference.seeds < 2 or difference.units < MIN_UNITS:
        return 1.0
    low, high = MIN_LEVEL, 0.5
    if difference.half_width(1 - low) < distance:
        return low
    # `half_width` averages quantiles and has no inverse in closed form; it decreases with the level.
    while high / low > 1 + 1e-5:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if difference.half_width(1 - middle) < distance else (middle, high)
    return high


def holm(values: Sequence[float], alpha: float) -> list[float]:
    """The level at which each of several hypotheses is tested (Holm, 1979), with a familywise error rate of alpha.

    The smallest p value is tested at alpha / m, the next at alpha / (m - 1), and so on, until one is not significant;
    the others are then tested at the level of that one, at which none of them is.

    Args:
        values: p values.
        alpha: Familywise error rate.

    Returns:
        A level for each, in their order.
    """
    levels = [alpha] * len(values)
    remaining, rejecting = len(values), True
    level = alpha
    for index in sorted(range(len(values)), key=lambda number: values[number]):
        if rejecting:
            level = alpha / remaining
            rejecting = values[index] <= level
            remaining -= 1
        levels[index] = level
    return levels


def spent_alpha(alpha: float, seeds: int, looks: Sequence[int]) -> float:
    """The alpha that an interim look at a growing number of seeds may spend.

    Each look spends alpha in proportion to the seeds added since the previous one (Lan and DeMets, Biometrika 1983,
    with a linear spending function). Its error rate is at most what it spends; all looks together spend alpha. The
    correlation between looks is not exploited, which is conservative.

    Args:
        alpha: Error rate of all looks together.
        seeds: Current number of seeds.
        looks: The planned numbers of seeds, ascending; empty for a single look.

    Raises:
        FacadeError: The current number of seeds is not a planned look.
    """
    if not looks:
        return alpha
    if seeds not in looks:
        planned = ", ".join(map(str, looks))
        raise FacadeError(
            f"evaluate.looks plans looks at {planned} seeds, but there are {seeds}. Train a planned number of seeds "
            "(train.seeds), or fix the plan before the first look."
        )
    before = max((number for number in looks if number < seeds), default=0)
    return alpha * (seeds - before) / max(looks)


def plan_sample_size(
    difference: Difference, margin: float, level: float, reference: Difference | None = None, power: float = POWER
) -> tuple[int | None, int | None, tuple[int, int] | None]:
    """Photographs, or seeds, that show non-inferiority with the given power if there is no loss.

    Planned for a true difference of 0: the effect estimated by a small study is mostly noise, and a plan that relies on
    it is too small half of the time. For the same reason variances are taken at their upper confidence limit.

    Args:
        difference: The estimated difference.
        margin: See `decide`.
        level: Significance level of one comparison.
        reference: See `decide`.
        power: Probability of the verdict "non-inferior" if the arms do not differ.

    Returns:
        Photographs (or events) with the present number of seeds; seeds with the present photographs; both, increased by
        the same factor. None where no number is enough.
    """
    # Each of these differences, and the distance that its limits have to keep.
    required = [(_with_upper_variances(difference), margin)]
    if reference is not None:
        required.append((_with_upper_variances(reference), reference.estimate - margin))

    def decides(units: int, seeds: int) -> bool:
        return all(
            distance >= one.half_width(1 - level, units, seeds) + one.half_width(power, units, seeds)
            for one, distance in required
        )

    units = _smallest_sufficient(difference.units, MAX_UNITS, lambda number: decides(number, difference.seeds))
    min_seeds = max(difference.seeds, 2)
    seeds = _smallest_sufficient(min_seeds, MAX_SEEDS, lambda number: decides(difference.units, number))
    both = _smallest_sufficient(
        min_seeds, MAX_SEEDS, lambda number: decides(_proportional_units(difference, number), number)
    )
    return units, seeds, None if both is None else (_proportional_units(difference, both), both)


def _with_upper_variances(difference: Difference) -> Difference:
    """The same with variances at their one-sided upper confidence limit (chi-square)."""
    unit_dof, seed_dof = max(difference.units - 1, 1), max(difference.seeds - 1, 1)
    unit_factor = unit_dof / float(stats.chi2.ppf(1 - CONFIDENCE, unit_dof))
    # The observed variance between seeds includes the photograph-seed interaction.
    between_seeds = (difference.seed_variance + difference.run_variance) * seed_dof
    between_seeds /= float(stats.chi2.ppf(1 - CONFIDENCE, seed_dof))
    return replace(
        difference,
        photograph_variance=difference.photograph_variance * unit_factor,
        seed_variance=max(between_seeds - difference.run_variance, 0.0),
    )


def _proportional_units(difference: Difference, seeds: int) -> int:
    """The number of units, increased by the same factor as the seeds."""
    return math.ceil(difference.units * seeds / difference.seeds)


def _smallest_sufficient(start: int, maximum: int, sufficient: Callable[[int], bool]) -> int | None:
    """The smallest sufficient number from `start`, within a factor of `SEARCH_FACTOR`; None if none up to the maximum.

    Plain bisection fails: with more photographs the quantile becomes that of a few seeds, so a sufficient number may be
    followed by larger ones that are not.
    """
    before, number = start, start
    while not sufficient(number):
        if number >= maximum:
            return None
        before, number = number, min(maximum, max(number + 1, round(number * SEARCH_FACTOR)))
    while number - before > 1:
        middle = (before + number) // 2
        before, number = (before, middle) if sufficient(middle) else (middle, number)
    return number
