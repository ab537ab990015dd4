"""The paired bootstrap, its errors, and the planner."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from facade.errors import FacadeError
from facade.measure.bootstrap import Difference, Resampled, difference, draw, resample
from facade.measure.simulation import (
    AP50,
    drawn_runs,
)
from facade.measure.verdict import holm, judge, p_value, plan, spent
from facade.seeds import generator

PHOTOGRAPHS, SEEDS = 120, 4


def study(random, shifts, photographs=PHOTOGRAPHS, seeds=SEEDS):
    return drawn_runs(random, shifts, photographs, seeds)


def test_pairing_narrows_the_interval():
    """The same photographs for both arms: what is hard for one is hard for the other."""
    arms = study(generator("paired"), (0.0, -0.2))
    draws, others = (draw(PHOTOGRAPHS, SEEDS, 400, generator("pairing", n)) for n in (1, 2))
    first, second = (resample(runs, draws) for runs in arms)
    paired = difference(second, first, draws, AP50).error
    unpaired = difference(resample(arms[1], others), first, draws, AP50).error
    assert paired < 0.85 * unpaired


def test_events_are_drawn_whole():
    events = ["a", "a", "b", "b", "b", "c"]
    draws = draw(6, 2, 50, generator("events"), events)
    for row in draws.photographs:
        assert row[0] == row[1]
        assert row[2] == row[3] == row[4]
        assert row[[0, 2, 5]].sum() == 3


def test_one_seed_counts_photographs_alone_and_threads_change_nothing():
    arms = study(generator("one"), (0.0, -0.2), seeds=1)
    draws = draw(PHOTOGRAPHS, 1, 60, generator("d"))
    results = [[resample(runs, draws, threads) for runs in arms] for threads in (1, 3)]
    np.testing.assert_array_equal(results[0][0].drawn, results[1][0].drawn)
    seen = difference(results[0][1], results[0][0], draws, AP50)
    assert judge(seen, 0.5, 0.05).low == pytest.approx(
        seen.seen - stats.t.ppf(0.95, PHOTOGRAPHS - 1) * seen.error, abs=1e-12
    )
    assert seen.seed_variance == seen.run_variance == 0
    assert seen.error == pytest.approx(np.sqrt(seen.photograph_variance))
    assert judge(seen, 0.5, 0.05).answer == "not measurable with one seed", "other seeds may lie anywhere"


@pytest.mark.parametrize("units", [3, 6])
def test_few_events_do_not_make_the_error_too_small(units):
    """Independent oracle: the spread of studies of so many events."""
    random = generator("few events", units)
    truth = [np.mean(random.normal(0, 1, units)) for _ in range(4000)]
    errors = []
    for _ in range(300):
        values = random.normal(0, 1, units)
        draws = draw(units, 2, 400, random)
        means = draws.photographs @ values / units
        drawn = np.repeat(means[:, None, None], 2, axis=1)
        one = Resampled(np.full((2, 1), values.mean()), drawn)
        zero = Resampled(np.zeros((2, 1)), np.zeros_like(drawn))
        errors.append(difference(one, zero, draws, AP50).error ** 2)
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(truth), rel=0.08)


def test_one_photograph_is_not_measurable():
    arms = study(generator("single"), (0.0, -0.2), photographs=1)
    draws = draw(1, SEEDS, 50, generator("d"))
    first, second = (resample(runs, draws) for runs in arms)
    verdict = judge(difference(second, first, draws, AP50), 0.1, 0.05)
    assert verdict.answer == "not measurable with so few photographs"
    assert np.isnan(verdict.low)


def test_what_has_no_value_is_not_measurable():
    unknown = Difference(float("nan"), float("nan"), float("nan"), 0.1, 50, 3)
    assert judge(unknown, 0.1, 0.05).answer == "not measurable"


@pytest.mark.parametrize("effect", [-0.025, 0.0, 0.02])
@pytest.mark.parametrize(("photo", "seed"), [(4e-4, 1e-4), (1e-3, 0.0), (1e-5, 1e-3), (2e-4, 1e-2)])
def test_the_planner_names_the_least_numbers_that_decide(photo, seed, effect):
    """Independent oracle: a study of the planned size has the power, one of a twentieth less has not.

    At a true difference of 0, whatever was seen, and with variances at the upper end of their intervals.
    """
    seen = Difference(effect, float(np.sqrt(photo + seed / 3)), photo, seed, 200, 3)
    margin, level = 0.03, 0.05 / 3
    photo, seed = photo * 199 / stats.chi2.ppf(0.2, 199), seed * 2 / stats.chi2.ppf(0.2, 2)

    def power(units, seeds):
        parts = np.array([photo * 200 / units, seed / seeds])
        error = np.sqrt(parts.sum())

        def quantile(probability):
            return (stats.t.ppf(probability, [units - 1, seeds - 1]) * parts).sum() / parts.sum()

        room = margin / error - quantile(1 - level)
        return 0.0 if room < quantile(0.51) else brentq(lambda p: quantile(p) - room, 0.5, 1 - 1e-12)

    units, seeds, both = plan(seen, margin, level)
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
    wide = judge(Difference(-0.4, 0.5, 0.1, 0.3, 40, 2), 0.03, 0.05 / 3)
    assert wide.low == -1
    assert wide.high == 1


@pytest.mark.parametrize("seeds", [2, 3, 4])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_limits_hold_where_few_seeds_prevail(seeds, share):
    """Independent oracle: normal numbers, of whose variance seeds make a share. One in sixty is meant to be wrong."""
    random = generator("few seeds", seeds, share)
    level, count, units = 0.05 / 3, 6000, 100
    seen = random.normal(0, 1, count)
    by_unit = (1 - share) * random.chisquare(units - 1, count) / (units - 1)
    by_seed = share * random.chisquare(seeds - 1, count) / (seeds - 1)
    wrong = [
        judge(Difference(one, np.sqrt(a + b), a, b * seeds, units, seeds), 1.0, level).low > 0
        for one, a, b in zip(seen / 50, by_unit / 2500, by_seed / 2500, strict=True)
    ]
    assert np.mean(wrong) < level + 3 * np.sqrt(level / count)


def test_a_reference_with_nothing_to_lose_gives_no_verdict():
    sure = Difference(0.0, 1e-4, 1e-8, 1e-9, 100, 4)
    for seen, error in ((0.02, 0.001), (0.04, 0.02), (0.04, 0.2)):
        reached = Difference(seen, error, error**2 / 2, error**2 * 2, 100, 4)
        assert judge(sure, 0.03, 0.05 / 3, reached).answer.startswith("not measurable: the other arm")
    assert judge(sure, 0.03, 0.05 / 3, Difference(0.5, 0.02, 2e-4, 8e-4, 100, 4)).answer == "non-inferior"


def test_a_study_that_no_number_would_decide_is_not_planned():
    wide = Difference(-0.01, 0.02, 1e-4, 3e-4, 40, 2)
    nothing = Difference(0.02, 0.02, 1e-4, 3e-4, 40, 2)
    assert judge(wide, 0.03, 0.05 / 3, nothing).answer.startswith("not measurable: the other arm")
    little, much = (Difference(seen, 0.02, 1e-4, 6e-4, 40, 2) for seen in (0.04, 0.5))
    planned = {one: judge(wide, 0.03, 0.05 / 3, one) for one in (little, much)}
    assert {one.answer for one in planned.values()} == {"inconclusive"}
    # With little to lose, it takes more to know that there is more than the margin.
    assert planned[little].both[0] > planned[much].both[0]


@pytest.mark.parametrize("seen", [-0.05, -0.02, 0.0, 0.01])
def test_a_p_value_is_the_level_at_which_the_answer_changes(seen):
    one, margin = Difference(seen, 0.01, 5e-5, 2e-4, 300, 4), 0.03
    p = p_value(one, margin)
    assert judge(one, margin, 1.001 * p, planned=False).answer in ("non-inferior", "inferior")
    assert judge(one, margin, 0.999 * p, planned=False).answer == "inconclusive"


@pytest.mark.parametrize("seed", range(20))
def test_holm_decides_what_its_definition_decides(seed):
    """Independent oracle: adjusted p values, the greatest of (m - k) p(k) so far (Holm, 1979)."""
    values = np.random.default_rng(seed).uniform(0, 0.05, 4)
    order = np.argsort(values)
    adjusted = np.empty(4)
    adjusted[order] = np.maximum.accumulate(values[order] * [4, 3, 2, 1])
    levels = np.array(holm(list(values), 0.05))
    np.testing.assert_array_equal(values <= levels, adjusted <= 0.05)


def test_looks_spend_alpha_and_no_more():
    looks = (3, 6, 12)
    parts = [spent(0.05, seeds, looks) for seeds in looks]
    assert sum(parts) == pytest.approx(0.05)
    assert parts == pytest.approx([0.0125, 0.0125, 0.025])
    assert spent(0.05, 4, ()) == 0.05
    with pytest.raises(FacadeError, match=r"plans to look at 3, 6, 12 seeds, and there are 4"):
        spent(0.05, 4, looks)
