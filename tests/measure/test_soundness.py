"""Is the verdict sound? Studies drawn from a known model, judged as real ones are."""

import numpy as np
import pytest

from facade.measure.bootstrap import difference, draw, resample
from facade.measure.simulation import (
    AP50,
    LARGE_SPREAD,
    LOOKS,
    SHIFT,
    Setting,
    drawn_runs,
    familywise,
    followed,
    looked_at,
    main,
    simulate,
    true_loss,
)
from facade.measure.verdict import judge
from facade.seeds import generator

PHOTOGRAPHS, SEEDS = 120, 4

pytestmark = pytest.mark.slow


def study(random, shifts, photographs=PHOTOGRAPHS, seeds=SEEDS):
    return drawn_runs(random, shifts, photographs, seeds)


@pytest.fixture(scope="module")
def at_the_margin():
    """The true loss, and studies in which it is the margin."""
    loss = true_loss(SHIFT)
    return loss, [verdict for _, verdict in simulate(Setting(PHOTOGRAPHS, SEEDS, SHIFT, -loss), 200, workers=1)]


def test_a_loss_as_large_as_the_margin_is_seldom_called_non_inferior(at_the_margin):
    answers = np.array([verdict.answer for verdict in at_the_margin[1]])
    # Five in a hundred are meant; with 200 studies chance makes it nine and a half at the most, in 999 of 1,000.
    assert np.mean(answers == "non-inferior") <= 0.095
    assert np.mean(answers == "inferior") <= 0.095


def test_the_interval_covers_the_truth_as_often_as_it_says(at_the_margin):
    loss, verdicts = at_the_margin
    covered = np.mean([verdict.low <= loss <= verdict.high for verdict in verdicts])
    assert 0.84 <= covered <= 0.97, "two one-sided limits at 5 % make an interval of 90 %"


def test_two_halves_of_the_seeds_of_one_arm_are_seldom_called_inferior():
    """A/A: no margin to speak of, and nothing but luck between the two."""
    answers = []
    for number in range(150):
        random = generator("a/a", number)
        (runs,) = study(random, (0.0,), seeds=2 * SEEDS)
        draws = draw(PHOTOGRAPHS, SEEDS, 200, random)
        first, second = (resample(half, draws, threads=1) for half in (runs[:SEEDS], runs[SEEDS:]))
        answers.append(judge(difference(second, first, draws, AP50), 0.0001, 0.05).answer)
    assert np.mean(np.array(answers) == "inferior") <= 0.10


def test_a_planted_loss_is_found():
    answers = [verdict.answer for _, verdict in simulate(Setting(300, SEEDS, -1.5, 0.03), 20, workers=1)]
    assert answers.count("inferior") >= 18


def test_a_planted_loss_of_five_points_is_found_at_a_margin_of_two():
    shift = -0.3
    assert true_loss(shift) == pytest.approx(-0.05, abs=0.005)
    answers = [verdict.answer for _, verdict in simulate(Setting(1500, 8, shift, 0.02), 6, workers=1)]
    assert answers.count("inferior") >= 5


def test_following_the_planner_decides_as_often_as_it_says():
    plans = followed(Setting(400, SEEDS, 0.0, 0.05, 0.25), 100, workers=1)
    done = [answer == "non-inferior" for _, answer in plans if answer != "not followed"]
    assert len(done) > 60
    # Eight in ten are planned for at the least; with 100 studies chance makes it seven at the least.
    assert np.mean(done) >= 0.7


def test_holm_keeps_alpha_over_several_arms(at_the_margin):
    answers = familywise(Setting(PHOTOGRAPHS, SEEDS, SHIFT, -at_the_margin[0]), SHIFT, 200, workers=1)
    assert np.mean(["non-inferior" in one[:2] for one in answers]) <= 0.095


def test_looks_that_spend_alpha_keep_it():
    loss = true_loss(SHIFT, LARGE_SPREAD)
    growing = Setting(PHOTOGRAPHS, max(LOOKS), SHIFT, -loss, LARGE_SPREAD)
    assert np.mean(["non-inferior" in one for one in looked_at(growing, LOOKS, 200, workers=1)]) <= 0.095


def test_the_tables_of_the_simulation_are_written(tmp_path):
    main(tmp_path / "soundness.md", count=3, told=lambda text: None)
    rows = [line for line in (tmp_path / "soundness.md").read_text().splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 8 * 3 + 6
    assert all(line.count("|") == 8 for line in rows)


def test_the_error_is_the_spread_of_studies():
    """Independent oracle: how far the differences of many studies lie apart."""
    results = simulate(Setting(80, 3, 0.0, 0.05), 300, workers=1)
    spread = np.std([seen.seen for seen, _ in results])
    error = np.sqrt(np.mean([seen.error**2 for seen, _ in results]))
    assert error == pytest.approx(spread, rel=0.15)
