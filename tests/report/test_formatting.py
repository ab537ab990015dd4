"""The verdict in words."""

import pytest

from facade.measure.bootstrap import Difference
from facade.measure.compare import Comparison
from facade.measure.verdict import Verdict
from facade.report.formatting import sentence, to_decide, told


def comparison(first, second, answer, seen=-0.01, low=-0.02, high=0.0, **plan):
    known = Difference(seen, 0.01, 1e-4, 1e-4, 100, 3)
    return Comparison(first, second, "AP50", known, Verdict(answer, low, high, **plan))


def test_one_sentence_tells_both_arms(params):
    words = sentence(
        [comparison("pseudo", "raw", "non-inferior"), comparison("blur", "raw", "inferior", -0.4, -0.5, -0.3),
         comparison("blur", "pseudo", "inferior"), comparison("recode", "raw", "inferior")],
        params.evaluate,
    )  # fmt: skip
    assert words == (
        "Pseudonymized training photographs are non-inferior to raw: they cost less than 0.03 (−0.010 AP50, limits "
        "−0.020 to +0.000); blurred training photographs are inferior to raw: they cost more than 0.03 (−0.400 AP50, "
        "limits −0.500 to −0.300)."
    )


def test_without_raw_it_says_so(params):
    words = sentence([comparison("blur", "pseudo", "inconclusive")], params.evaluate)
    assert words.startswith("No raw arm was trained: whether blurred training photographs cost more than 0.03")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"units": 1200, "seeds": 9}, "a new study of 1,200 photographs with 3 seeds, or 9 seeds with 100 photographs"),
        ({"units": 1200}, "a new study of 1,200 photographs with 3 seeds"),
        ({"both": (300, 9)}, "a new study of 300 photographs with 9 seeds; neither alone would"),
        ({}, "no number of either"),
    ],
)
def test_what_would_decide(params, plan, words):
    assert to_decide(comparison("blur", "raw", "inconclusive", **plan), params.evaluate) == words


def test_what_is_decided_or_cannot_be(params):
    assert to_decide(comparison("blur", "raw", "inferior"), params.evaluate) == "decided"
    one = "not measurable with one seed"
    assert to_decide(comparison("blur", "raw", one), params.evaluate) == one


def test_numbers_without_a_value_say_so():
    assert told(None) == told(float("nan"), True) == "not measured"
    assert told(-0.1234, True) == "−0.123"
