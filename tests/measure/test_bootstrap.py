"""Is the test sound? Studies drawn from a known model, judged as real ones are."""

import numpy as np
import pytest

from facade.measure.bootstrap import Difference, difference, draw, resample
from facade.measure.verdict import judge, plan
from facade.measure.weighted import Run
from facade.seeds import generator

AP50 = slice(0, 1)
PHOTOGRAPHS, SEEDS, DRAWS = 120, 4, 200


def study(random, shifts, photographs=PHOTOGRAPHS, seeds=SEEDS, seed_spread=0.15):
    """Runs of arms whose chance to find a face differs by a shift in logits.

    Photographs are hard or easy, for every arm alike; so are seeds, for each arm in its own way.
    """
    faces = random.integers(1, 7, photographs)
    photo = np.repeat(np.arange(photographs), faces)
    hard = np.repeat(random.normal(0, 1.2, photographs), faces) + random.normal(0, 0.8, len(photo))
    arms = []
    for shift in shifts:
        runs = []
        for _ in range(seeds):
            chance = 1 / (1 + np.exp(-(0.8 + shift + random.normal(0, seed_spread) + hard)))
            found = random.random(len(photo)) < chance
            wrong = random.poisson(2.0, photographs)
            scores = np.concatenate([random.normal(1.5, 1, found.sum()), random.normal(0, 1, wrong.sum())])
            places = np.concatenate([photo[found], np.repeat(np.arange(photographs), wrong)])
            right = np.concatenate([np.ones(found.sum()), np.zeros(wrong.sum())])
            order = np.argsort(-scores, kind="stable")
            runs.append(Run(places[order].astype(np.int32), right[order].astype(np.uint16),
                            np.zeros(len(order), np.uint16), faces.astype(np.int64), 1))  # fmt: skip
        arms.append(runs)
    return arms


def ap(runs):
    return np.mean([run.average_precision(np.ones(len(run.faces)))[0] for run in runs])


@pytest.fixture(scope="module")
def loss_of_shift():
    """The true loss in AP50 of a shift: of a golden set so large, and seeds so many, that chance is spent."""
    random = generator("truth")
    shift = -0.5
    first, second = study(random, (0.0, shift), photographs=20_000, seeds=30)
    return shift, float(ap(second) - ap(first))


def judged(random, shifts, margin, alpha=0.05, **sizes):
    arms = study(random, shifts, **sizes)
    draws = draw(len(arms[0][0].faces), len(arms[0]), DRAWS, random)
    first, second = (resample(runs, draws, threads=1) for runs in arms)
    return difference(second, first, draws, AP50), judge(difference(second, first, draws, AP50), margin, alpha, 1)


def test_a_loss_as_large_as_the_margin_is_seldom_called_non_inferior(loss_of_shift):
    shift, loss = loss_of_shift
    answers = [judged(generator("at the margin", n), (0.0, shift), -loss)[1].answer for n in range(200)]
    # Five in a hundred are meant; with 200 studies chance makes it nine and a half at the most, in 999 of 1,000.
    assert np.mean(np.array(answers) == "non-inferior") <= 0.095
    assert np.mean(np.array(answers) == "inferior") <= 0.095


def test_the_interval_covers_the_truth_as_often_as_it_says(loss_of_shift):
    shift, loss = loss_of_shift
    verdicts = [judged(generator("coverage", n), (0.0, shift), 0.05)[1] for n in range(200)]
    covered = np.mean([v.low <= loss <= v.high for v in verdicts])
    assert 0.84 <= covered <= 0.97, "two one-sided limits at 5 % make an interval of 90 %"


def test_two_equal_arms_are_seldom_called_inferior():
    answers = [judged(generator("a/a", n), (0.0, 0.0), 0.0001)[1].answer for n in range(150)]
    assert np.mean(np.array(answers) == "inferior") <= 0.10


def test_a_planted_loss_is_found():
    answers = [judged(generator("planted", n), (0.0, -1.5), 0.03, photographs=300)[1].answer for n in range(20)]
    assert answers.count("inferior") >= 18


def test_the_power_without_a_loss_is_what_the_planner_says():
    pilots = [judged(generator("pilot", n), (0.0, 0.0), 0.05, seeds=6)[0] for n in range(30)]
    photo, seed = (np.mean([getattr(p, name) for p in pilots]) for name in ("photograph_variance", "seed_variance"))
    typical = Difference(0.0, float(np.sqrt(photo + seed / 6)), float(photo), float(seed), PHOTOGRAPHS, 6)
    photographs, _ = plan(typical, 0.07, 0.05)
    assert photographs is not None
    answers = [
        judged(generator("planned", n), (0.0, 0.0), 0.07, photographs=photographs, seeds=6)[1].answer
        for n in range(100)
    ]
    # Eight in ten are planned for.
    assert 0.68 <= np.mean(np.array(answers) == "non-inferior") <= 0.92


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
    assert seen.seed_variance == 0
    assert seen.error == pytest.approx(np.sqrt(seen.photograph_variance))
    assert judge(seen, 0.5, 0.05, 1).answer == "not measurable with one seed", "other seeds may lie anywhere"
