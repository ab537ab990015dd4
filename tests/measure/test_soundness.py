"""Error rates of the verdict, on simulated studies with a known truth."""

import numpy as np
import pytest

from facade.measure.bootstrap import draw_bootstrap, paired_difference, resample
from facade.measure.simulation import (
    AP50,
    LARGE_SPREAD,
    LOOKS,
    SHIFT,
    SimulationSetting,
    simulate,
    simulate_families,
    simulate_looks,
    simulate_plans,
    simulated_runs,
    true_loss,
    write_soundness,
)
from facade.measure.verdict import decide
from facade.seeds import generator

PHOTOGRAPHS, SEEDS = 120, 4

pytestmark = pytest.mark.slow


def runs_of_arms(random, shifts, photographs=PHOTOGRAPHS, seeds=SEEDS):
    return simulated_runs(random, shifts, photographs, seeds)


@pytest.fixture(scope="module")
def at_the_margin():
    """The true loss, and the decisions of studies with it as the margin."""
    loss = true_loss(SHIFT)
    return loss, [
        decision for _, decision in simulate(SimulationSetting(PHOTOGRAPHS, SEEDS, SHIFT, -loss), 200, workers=1)
    ]


def test_loss_equal_to_the_margin_is_rarely_called_non_inferior(at_the_margin):
    verdicts = np.array([decision.verdict for decision in at_the_margin[1]])
    # Nominal rate 5 %; with 200 studies the observed rate stays below 9.5 % with a probability of 0.999.
    assert np.mean(verdicts == "non-inferior") <= 0.095
    assert np.mean(verdicts == "inferior") <= 0.095


def test_interval_has_its_nominal_coverage(at_the_margin):
    loss, decisions = at_the_margin
    covered = np.mean([decision.low <= loss <= decision.high for decision in decisions])
    assert 0.84 <= covered <= 0.97, "two one-sided limits at 5 % make an interval of 90 %"


def test_two_halves_of_the_seeds_of_one_arm_are_rarely_called_inferior():
    """A/A test: a negligible margin, and no true difference."""
    verdicts = []
    for number in range(150):
        random = generator("a/a", number)
        (runs,) = runs_of_arms(random, (0.0,), seeds=2 * SEEDS)
        bootstrap = draw_bootstrap(PHOTOGRAPHS, SEEDS, 200, random)
        first, second = (resample(half, bootstrap, threads=1) for half in (runs[:SEEDS], runs[SEEDS:]))
        verdicts.append(decide(paired_difference(second, first, bootstrap, AP50), 0.0001, 0.05).verdict)
    assert np.mean(np.array(verdicts) == "inferior") <= 0.10


def test_true_loss_is_called_inferior():
    verdicts = [decision.verdict for _, decision in simulate(SimulationSetting(300, SEEDS, -1.5, 0.03), 20, workers=1)]
    assert verdicts.count("inferior") >= 18


def test_a_planted_loss_of_five_points_is_found_at_a_margin_of_two():
    shift = -0.3
    assert true_loss(shift) == pytest.approx(-0.05, abs=0.005)
    verdicts = [decision.verdict for _, decision in simulate(SimulationSetting(1500, 8, shift, 0.02), 6, workers=1)]
    assert verdicts.count("inferior") >= 5


def test_planned_studies_have_the_planned_power():
    plans = simulate_plans(SimulationSetting(400, SEEDS, 0.0, 0.05, 0.25), 100, workers=1)
    done = [verdict == "non-inferior" for _, verdict in plans if verdict != "not simulated"]
    assert len(done) > 60
    # The planned power is 80 %; with 100 studies the observed rate is at least 70 %.
    assert np.mean(done) >= 0.7


def test_holm_controls_the_familywise_error_rate(at_the_margin):
    verdicts = simulate_families(SimulationSetting(PHOTOGRAPHS, SEEDS, SHIFT, -at_the_margin[0]), SHIFT, 200, workers=1)
    assert np.mean(["non-inferior" in one[:2] for one in verdicts]) <= 0.095


def test_alpha_spending_controls_the_error_rate():
    loss = true_loss(SHIFT, LARGE_SPREAD)
    growing = SimulationSetting(PHOTOGRAPHS, max(LOOKS), SHIFT, -loss, LARGE_SPREAD)
    assert np.mean(["non-inferior" in one for one in simulate_looks(growing, LOOKS, 200, workers=1)]) <= 0.095


def test_simulation_writes_its_tables(tmp_path):
    write_soundness(tmp_path / "soundness.md", count=3, log_line=lambda text: None)
    rows = [line for line in (tmp_path / "soundness.md").read_text().splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 8 * 3 + 6
    assert all(line.count("|") == 8 for line in rows)


def test_standard_error_equals_the_standard_deviation_of_studies():
    """Independent oracle: the standard deviation of the differences of many studies."""
    results = simulate(SimulationSetting(80, 3, 0.0, 0.05), 300, workers=1)
    spread = np.std([difference.estimate for difference, _ in results])
    error = np.sqrt(np.mean([difference.standard_error**2 for difference, _ in results]))
    assert error == pytest.approx(spread, rel=0.15)
