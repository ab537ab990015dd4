"""The verdict at its edges: what decides, what does not, and the search for the sample size that would."""

import math

import numpy as np
import pytest
from scipy import stats

from facade.measure.bootstrap import Difference
from facade.measure.verdict import (
    _proportional_units,
    _smallest_sufficient,
    _with_upper_variances,
    confidence_limits,
    decide,
    holm,
    p_value,
    plan_sample_size,
    spent_alpha,
)

MARGIN, ALPHA = 0.03, 0.05


def exact(estimate: float, units: int = 100, seeds: int = 4) -> Difference:
    """A difference without any variance: its limits are the estimate."""
    return Difference(estimate, 0.0, 0.0, 0.0, units, seeds)


def uncertain(estimate: float, error: float, units: int = 100, seeds: int = 4) -> Difference:
    return Difference(estimate, error, error**2 / 2, error**2 / 2 * seeds, units, seeds)


@pytest.mark.parametrize(
    ("estimate", "verdict"),
    [(-0.031, "inferior"), (-0.029, "non-inferior"), (-MARGIN, "inconclusive"), (0.0, "non-inferior")],
)
def test_a_loss_of_exactly_the_margin_decides_nothing(estimate, verdict):
    decision = decide(exact(estimate), MARGIN, ALPHA)
    assert decision.verdict == verdict
    assert (decision.low, decision.high) == (estimate, estimate)
    assert decision.level == ALPHA


def test_a_margin_of_nothing_is_missed_by_any_loss():
    assert decide(exact(-1e-6), 0.0, ALPHA).verdict == "inferior"
    assert decide(exact(1e-6), 0.0, ALPHA).verdict == "non-inferior"


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [(0.03, "not measurable: the reference arm"), (0.031, "non-inferior"), (0.5, "non-inferior")],
)
def test_the_reference_must_exceed_the_margin(reference, verdict):
    assert decide(exact(0.0), MARGIN, ALPHA, exact(reference)).verdict.startswith(verdict)


def test_the_lower_limit_of_the_reference_counts_where_the_loss_is_small_and_its_estimate_elsewhere():
    noisy = uncertain(0.1, 0.05)
    assert 0.1 - noisy.half_width(1 - ALPHA) < MARGIN
    assert decide(exact(0.0), MARGIN, ALPHA, noisy).verdict.startswith("not measurable: the reference arm")
    assert decide(exact(-0.05), MARGIN, ALPHA, noisy).verdict == "inferior"
    assert decide(uncertain(-0.03, 0.02), MARGIN, ALPHA, noisy, planned=False).verdict == "inconclusive"


def test_the_level_of_the_tests_is_not_that_of_the_limits():
    one = uncertain(0.0, 0.0127)
    loose, strict = decide(one, MARGIN, ALPHA), decide(one, MARGIN, ALPHA, level=ALPHA / 10)
    assert (loose.verdict, strict.verdict) == ("non-inferior", "inconclusive")
    assert (loose.low, loose.high) == (strict.low, strict.high) == confidence_limits(one, ALPHA)
    assert strict.level == ALPHA / 10
    assert strict.both_needed == plan_sample_size(one, MARGIN, ALPHA / 10)[2] == (500, 20)
    assert decide(one, MARGIN, ALPHA, level=ALPHA / 10, planned=False).both_needed is None


@pytest.mark.parametrize(("units", "seeds", "verdict"), [
    (4, 4, "not measurable with so few photographs"), (5, 4, "non-inferior"), (5, 1, "not measurable with one seed"),
    (5, 2, "non-inferior"), (4, 1, "not measurable with so few photographs"),
])  # fmt: skip
def test_five_photographs_and_two_seeds_are_the_least(units, seeds, verdict):
    decision = decide(exact(0.0, units, seeds), MARGIN, ALPHA)
    assert decision.verdict == verdict
    assert math.isnan(decision.low) == math.isnan(decision.high) == (units < 5)
    assert p_value(exact(0.0, units, seeds), MARGIN) == (1e-6 if verdict == "non-inferior" else 1.0)


def test_limits_are_symmetric_and_clipped():
    one = uncertain(0.1, 0.02)
    low, high = confidence_limits(one, ALPHA)
    assert high - 0.1 == pytest.approx(0.1 - low) == pytest.approx(one.half_width(1 - ALPHA))
    assert confidence_limits(uncertain(0.9, 0.2), ALPHA)[1] == 1
    assert confidence_limits(uncertain(-0.9, 0.2), ALPHA)[0] == -1


def test_p_is_half_at_the_margin_and_bounded_far_from_it():
    assert p_value(uncertain(-MARGIN, 0.01), MARGIN) == pytest.approx(0.5, rel=1e-4)
    assert p_value(uncertain(0.5, 1e-4), MARGIN) == 1e-6
    assert p_value(uncertain(-0.5, 1e-4), MARGIN) == 1e-6
    assert p_value(Difference(0.0, math.nan, math.nan, math.nan, 100, 4), MARGIN) == 1.0


@pytest.mark.parametrize("distance", [0.005, 0.012, 0.03])
def test_p_is_the_level_whose_limit_reaches_the_margin(distance):
    one = uncertain(distance - MARGIN, 0.01)
    assert one.half_width(1 - p_value(one, MARGIN)) == pytest.approx(distance, rel=1e-4)


def test_holm_tests_the_smallest_first_and_stops_at_the_first_that_fails():
    assert holm([], 0.05) == []
    assert holm([0.04], 0.05) == [0.05]
    # .012 fails at .05 / 4; the others are tested at its level.
    assert holm([0.02, 0.013, 0.03, 0.04], 0.05) == [0.0125] * 4
    assert holm([0.0125, 0.04, 0.02, 0.5], 0.05) == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 3, 0.05 / 3])


def test_a_look_spends_in_proportion_to_the_seeds_since_the_one_before():
    assert spent_alpha(0.04, 2, [2, 8]) == pytest.approx(0.01)
    assert spent_alpha(0.04, 8, [2, 8]) == pytest.approx(0.03)


@pytest.mark.parametrize("start", [1, 2, 37])
def test_the_search_finds_the_smallest_number_that_is_enough(start):
    for needed in range(301):
        asked = []

        def sufficient(number, needed=needed, asked=asked):
            asked.append(number)
            return number >= needed

        assert _smallest_sufficient(start, 300, sufficient) == max(start, needed)
        assert min(asked) >= start
        assert max(asked) <= 300
        assert len(asked) < 150


def test_the_search_ends_where_nothing_is_enough():
    asked = []
    assert _smallest_sufficient(3, 300, lambda number: bool(asked.append(number))) is None
    assert asked[-1] == 300


def test_the_search_steps_over_at_most_four_percent():
    """So a sufficient number with insufficient ones behind it is found."""
    window = range(1000, 1045)
    assert _smallest_sufficient(2, 100_000, lambda number: number in window) in window


@pytest.mark.parametrize(("units", "seeds"), [(1, 1), (2, 2), (200, 3)])
def test_variances_are_taken_at_their_upper_limit(units, seeds):
    """Independent oracle: (n - 1) s² / chi², of at least one degree of freedom."""
    one = Difference(0.0, 0.02, 3e-4, 5e-4, units, seeds, 2e-4)
    upper = _with_upper_variances(one)
    unit_dof, seed_dof = max(units - 1, 1), max(seeds - 1, 1)
    assert upper.photograph_variance == pytest.approx(3e-4 * unit_dof / stats.chi2.ppf(0.2, unit_dof))
    assert upper.seed_variance == pytest.approx(7e-4 * seed_dof / stats.chi2.ppf(0.2, seed_dof) - 2e-4)
    assert upper.run_variance == 2e-4
    assert _with_upper_variances(Difference(0.0, 0.02, 0.0, 0.0, 100, 4, 0.0)).seed_variance == 0


def test_units_grow_with_the_seeds():
    one = uncertain(0.0, 0.02, units=100, seeds=3)
    assert _proportional_units(one, 3) == 100
    assert _proportional_units(one, 4) == 134  # 133.3, rounded up
    assert _proportional_units(one, 6) == 200


def test_a_plan_from_one_seed_has_two():
    units, seeds, both = plan_sample_size(exact(0.0, 100, 1), MARGIN, ALPHA)
    assert (units, seeds, both) == (100, 2, (200, 2))


def test_a_reference_at_the_margin_can_never_be_planned_for():
    one = uncertain(0.0, 0.02)
    assert plan_sample_size(one, MARGIN, ALPHA, uncertain(MARGIN, 0.01)) == (None, None, None)
    near, far = (plan_sample_size(one, MARGIN, ALPHA, uncertain(value, 0.02)) for value in (0.05, 0.9))
    assert near[2] is not None
    assert far == plan_sample_size(one, MARGIN, ALPHA)
    assert near[2][1] > far[2][1]


@pytest.mark.parametrize(("units", "seeds"), [(100, 4), (2, 2), (1, 1)])
def test_the_quantile_is_that_of_the_variance_that_dominates(units, seeds):
    """Independent oracle: Student's t of one component alone, with at least one degree of freedom."""
    by_unit = Difference(0.0, 0.1, 0.01, 0.0, units, seeds)
    by_seed = Difference(0.0, 0.1, 0.0, 0.01 * seeds, units, seeds)
    assert by_unit.half_width(0.95) == pytest.approx(0.1 * stats.t.ppf(0.95, max(units - 1, 1)))
    assert by_seed.half_width(0.95) == pytest.approx(0.1 * stats.t.ppf(0.95, max(seeds - 1, 1)))


def test_a_larger_study_shrinks_each_variance_by_what_grows():
    one = Difference(0.0, 9.9, 0.004, 0.003, 100, 3, 0.0006)
    errors = {
        (200, 3): 0.002 + 0.001 + 0.0001, (100, 6): 0.004 + 0.0005 + 0.0001, (200, 6): 0.002 + 0.0005 + 0.00005,
    }  # fmt: skip
    for (units, seeds), variance in errors.items():
        interaction = 0.0006 * 100 / units / seeds
        weights = np.array([0.4 / units + interaction, 0.003 / seeds + interaction])
        quantile = (stats.t.ppf(0.9, [units - 1, seeds - 1]) * weights).sum() / weights.sum()
        assert one.half_width(0.9, units, seeds) == pytest.approx(math.sqrt(variance) * quantile)
    assert one.half_width(0.9, units=200) == pytest.approx(one.half_width(0.9, 200, 3))
    assert one.half_width(0.9, seeds=6) == pytest.approx(one.half_width(0.9, 100, 6))
    assert one.half_width(0.9) > 9, "without another size, the measured standard error counts"
