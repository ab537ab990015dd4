"""The paired bootstrap, its standard errors, and the sample-size planner."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from facade.errors import FacadeError
from facade.measure.bootstrap import Difference, Resampled, draw_bootstrap, paired_difference, resample
from facade.measure.simulation import (
    AP50,
    simulated_runs,
)
from facade.measure.verdict import decide, holm, p_value, plan_sample_size, spent_alpha
from facade.seeds import generator

PHOTOGRAPHS, SEEDS = 120, 4


def runs_of_arms(random, shifts, photographs=PHOTOGRAPHS, seeds=SEEDS):
    return simulated_runs(random, shifts, photographs, seeds)


def test_pairing_narrows_the_interval():
    """A photograph that is difficult for one arm is difficult for the other, too."""
    arms = runs_of_arms(generator("paired"), (0.0, -0.2))
    bootstrap, other = (draw_bootstrap(PHOTOGRAPHS, SEEDS, 400, generator("pairing", n)) for n in (1, 2))
    first, second = (resample(runs, bootstrap) for runs in arms)
    paired = paired_difference(second, first, bootstrap, AP50).standard_error
    unpaired = paired_difference(resample(arms[1], other), first, bootstrap, AP50).standard_error
    assert paired < 0.85 * unpaired


def test_whole_events_are_resampled():
    events = ["a", "a", "b", "b", "b", "c"]
    bootstrap = draw_bootstrap(6, 2, 50, generator("events"), events)
    for row in bootstrap.photograph_counts:
        assert row[0] == row[1]
        assert row[2] == row[3] == row[4]
        assert row[[0, 2, 5]].sum() == 3


def test_one_seed_has_photograph_variance_only_and_threads_change_nothing():
    arms = runs_of_arms(generator("one"), (0.0, -0.2), seeds=1)
    bootstrap = draw_bootstrap(PHOTOGRAPHS, 1, 60, generator("d"))
    results = [[resample(runs, bootstrap, threads) for runs in arms] for threads in (1, 3)]
    np.testing.assert_array_equal(results[0][0].samples, results[1][0].samples)
    difference = paired_difference(results[0][1], results[0][0], bootstrap, AP50)
    assert decide(difference, 0.5, 0.05).low == pytest.approx(
        difference.estimate - stats.t.ppf(0.95, PHOTOGRAPHS - 1) * difference.standard_error, abs=1e-12
    )
    assert difference.seed_variance == difference.run_variance == 0
    assert difference.standard_error == pytest.approx(np.sqrt(difference.photograph_variance))
    assert decide(difference, 0.5, 0.05).verdict == "not measurable with one seed", (
        "the variance between seeds is unknown"
    )


@pytest.mark.parametrize("units", [3, 6])
def test_standard_error_is_not_too_small_with_few_events(units):
    """Independent oracle: the standard deviation over studies of this many events."""
    random = generator("few events", units)
    truth = [np.mean(random.normal(0, 1, units)) for _ in range(4000)]
    errors = []
    for _ in range(300):
        values = random.normal(0, 1, units)
        bootstrap = draw_bootstrap(units, 2, 400, random)
        means = bootstrap.photograph_counts @ values / units
        samples = np.repeat(means[:, None, None], 2, axis=1)
        one = Resampled(np.full((2, 1), values.mean()), samples)
        zero = Resampled(np.zeros((2, 1)), np.zeros_like(samples))
        errors.append(paired_difference(one, zero, bootstrap, AP50).standard_error ** 2)
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(truth), rel=0.08)


def test_interaction_of_photographs_and_seeds_counts_once():
    """Independent oracle: the variance of a mean of independent values; resampling both would give three times that."""
    random, photographs, seeds = generator("interaction"), 100, 4
    squared = []
    for _ in range(40):
        values = random.normal(0, 1, (seeds, photographs))
        bootstrap = draw_bootstrap(photographs, seeds, 400, random)
        samples = (bootstrap.photograph_counts @ values.T / photographs)[:, :, None]
        one = Resampled(values.mean(1)[:, None], samples)
        zero = Resampled(np.zeros((seeds, 1)), np.zeros_like(samples))
        squared.append(paired_difference(one, zero, bootstrap, AP50).standard_error ** 2)
    # A little more than 1: a negative rest counts as 0.
    assert 0.9 < np.mean(squared) * photographs * seeds < 1.7


def test_one_photograph_is_not_measurable():
    arms = runs_of_arms(generator("single"), (0.0, -0.2), photographs=1)
    bootstrap = draw_bootstrap(1, SEEDS, 50, generator("d"))
    first, second = (resample(runs, bootstrap) for runs in arms)
    decision = decide(paired_difference(second, first, bootstrap, AP50), 0.1, 0.05)
    assert decision.verdict == "not measurable with so few photographs"
    assert np.isnan(decision.low)


def test_nan_difference_is_not_measurable():
    unknown = Difference(float("nan"), float("nan"), float("nan"), 0.1, 50, 3)
    assert decide(unknown, 0.1, 0.05).verdict == "not measurable"


@pytest.mark.parametrize("effect", [-0.025, 0.0, 0.02])
@pytest.mark.parametrize(("photo", "seed"), [(4e-4, 1e-4), (1e-3, 0.0), (1e-5, 1e-3), (2e-4, 1e-2)])
def test_planner_returns_the_smallest_deciding_numbers(photo, seed, effect):
    """Independent oracle: a study of the planned size has the power, one 5 % smaller has not.

    At a true difference of 0, whatever the estimate, and with variances at their upper confidence limits.
    """
    difference = Difference(effect, float(np.sqrt(photo + seed / 3)), photo, seed, 200, 3)
    margin, level = 0.03, 0.05 / 3
    photo, seed = photo * 199 / stats.chi2.ppf(0.2, 199), seed * 2 / stats.chi2.ppf(0.2, 2)

    def power(units, seeds):
        parts = np.array([photo * 200 / units, seed / seeds])
        error = np.sqrt(parts.sum())

        def quantile(probability):
            return (stats.t.ppf(probability, [units - 1, seeds - 1]) * parts).sum() / parts.sum()

        room = margin / error - quantile(1 - level)
        return 0.0 if room < quantile(0.51) else brentq(lambda p: quantile(p) - room, 0.5, 1 - 1e-12)

    units, seeds, both = plan_sample_size(difference, margin, level)
    if units is None:
        assert max(power(number, 3) for number in np.geomspace(200, 1e8, 400)) < 0.8
    else:
        assert power(units, 3) >= 0.8 - 1e-9
        assert units == 200 or power(int(units * 0.95), 3) < 0.8
    if seeds is None:
        assert power(200, 10_000) < 0.8
    else:
        assert power(200, seeds) >= 0.8 - 1e-9
        assert seeds == 3 or power(200, seeds - 1) < 0.8
    assert both is not None
    assert power(*both) >= 0.8 - 1e-9


def test_limits_are_differences_that_can_be():
    wide = decide(Difference(-0.4, 0.5, 0.1, 0.3, 40, 2), 0.03, 0.05 / 3)
    assert wide.low == -1
    assert wide.high == 1


@pytest.mark.parametrize("seeds", [2, 3, 4])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_limits_are_valid_where_variance_between_few_seeds_dominates(seeds, share):
    """Independent oracle: normal variables, with a share of their variance from seeds. Nominal error: 1 in 60."""
    random = generator("few seeds", seeds, share)
    level, count, units = 0.05 / 3, 6000, 100
    estimates = random.normal(0, 1, count)
    by_unit = (1 - share) * random.chisquare(units - 1, count) / (units - 1)
    by_seed = share * random.chisquare(seeds - 1, count) / (seeds - 1)
    wrong = [
        decide(Difference(one, np.sqrt(a + b), a, b * seeds, units, seeds), 1.0, level).low > 0
        for one, a, b in zip(estimates / 50, by_unit / 2500, by_seed / 2500, strict=True)
    ]
    assert np.mean(wrong) < level + 3 * np.sqrt(level / count)


def test_reference_arm_below_the_margin_gives_no_verdict():
    precise = Difference(0.0, 1e-4, 1e-8, 1e-9, 100, 4)
    for estimate, error in ((0.02, 0.001), (0.04, 0.02), (0.04, 0.2)):
        reference = Difference(estimate, error, error**2 / 2, error**2 * 2, 100, 4)
        assert decide(precise, 0.03, 0.05 / 3, reference).verdict.startswith("not measurable: the reference arm")
    assert decide(precise, 0.03, 0.05 / 3, Difference(0.5, 0.02, 2e-4, 8e-4, 100, 4)).verdict == "non-inferior"


def test_undecidable_study_is_not_planned():
    wide = Difference(-0.01, 0.02, 1e-4, 3e-4, 40, 2)
    nothing = Difference(0.02, 0.02, 1e-4, 3e-4, 40, 2)
    assert decide(wide, 0.03, 0.05 / 3, nothing).verdict.startswith("not measurable: the reference arm")
    little, much = (Difference(estimate, 0.02, 1e-4, 6e-4, 40, 2) for estimate in (0.04, 0.5))
    planned = {one: decide(wide, 0.03, 0.05 / 3, one) for one in (little, much)}
    assert {one.verdict for one in planned.values()} == {"inconclusive"}
    # With a reference barely above the margin, more data are needed to show that it is above.
    assert planned[little].both_needed[0] > planned[much].both_needed[0]


@pytest.mark.parametrize("estimate", [-0.05, -0.02, 0.0, 0.01])
def test_p_value_is_the_level_at_which_the_verdict_changes(estimate):
    one, margin = Difference(estimate, 0.01, 5e-5, 2e-4, 300, 4), 0.03
    p = p_value(one, margin)
    assert decide(one, margin, 1.001 * p, planned=False).verdict in ("non-inferior", "inferior")
    assert decide(one, margin, 0.999 * p, planned=False).verdict == "inconclusive"


@pytest.mark.parametrize("seed", range(20))
def test_holm_rejects_what_its_definition_rejects(seed):
    """Independent oracle: adjusted p values, the running maximum of (m - k) p(k) (Holm, 1979)."""
    values = np.random.default_rng(seed).uniform(0, 0.05, 4)
    order = np.argsort(values)
    adjusted = np.empty(4)
    adjusted[order] = np.maximum.accumulate(values[order] * [4, 3, 2, 1])
    levels = np.array(holm(list(values), 0.05))
    np.testing.assert_array_equal(values <= levels, adjusted <= 0.05)


def test_interim_looks_spend_exactly_alpha():
    looks = (3, 6, 12)
    parts = [spent_alpha(0.05, seeds, looks) for seeds in looks]
    assert sum(parts) == pytest.approx(0.05)
    assert parts == pytest.approx([0.0125, 0.0125, 0.025])
    assert spent_alpha(0.05, 4, ()) == 0.05
    with pytest.raises(FacadeError, match=r"plans looks at 3, 6, 12 seeds, but there are 4"):
        spent_alpha(0.05, 4, looks)
