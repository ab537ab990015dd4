"""Numbers and verdicts as text."""

from dataclasses import replace

import pytest

from facade.measure.bootstrap import Difference
from facade.measure.compare import Comparison
from facade.measure.verdict import Decision
from facade.report.formatting import format_number, needed_to_decide, verdict_sentence


def comparison(first, second, verdict, estimate=-0.01, low=-0.02, high=0.0, **plan):
    difference = Difference(estimate, 0.01, 1e-4, 1e-4, 100, 3)
    return Comparison(first, second, "AP50", difference, Decision(verdict, low, high, **plan))


def test_verdict_sentence_covers_both_arms(params):
    control = replace(comparison("recode", "raw", "inferior"), control="recode")
    text = verdict_sentence(
        [comparison("pseudo", "raw", "non-inferior"), comparison("blur", "raw", "inferior", -0.4, -0.5, -0.3),
         comparison("blur", "pseudo", "inferior"), control],
        params.evaluate,
    )  # fmt: skip
    assert text == (
        "Pseudonymized training photographs are non-inferior to raw: they cost less than 0.03 (−0.010 AP50, limits "
        "−0.020 to +0.000); blurred training photographs are inferior to raw: they cost more than 0.03 (−0.400 AP50, "
        "limits −0.500 to −0.300)."
    )


def test_verdict_sentence_names_an_extra_arm_as_params_yaml_does(params):
    text = verdict_sentence([comparison("deface", "raw", "inferior", -0.4, -0.5, -0.3)], params.evaluate)
    assert text.startswith("Training photographs of the arm deface are inferior to raw: they cost more than 0.03")


def test_verdict_sentence_without_raw_arm_says_so(params):
    text = verdict_sentence([comparison("blur", "pseudo", "inconclusive")], params.evaluate)
    assert text.startswith("No raw arm was trained: whether blurred training photographs cost more than 0.03")


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (
            {"units_needed": 1200, "seeds_needed": 9},
            "a new study of 1,200 photographs with 3 seeds, or 9 seeds with 100 photographs",
        ),
        ({"units_needed": 1200}, "a new study of 1,200 photographs with 3 seeds"),
        ({"both_needed": (300, 9)}, "a new study of 300 photographs with 9 seeds; neither alone is enough"),
        ({}, "no sample size"),
    ],
)
def test_needed_sample_size(params, plan, text):
    assert needed_to_decide(comparison("blur", "raw", "inconclusive", **plan), params.evaluate) == text


def test_decided_and_unmeasurable_comparisons_need_nothing(params):
    assert needed_to_decide(comparison("blur", "raw", "inferior"), params.evaluate) == "decided"
    unmeasurable = "not measurable with one seed"
    assert needed_to_decide(comparison("blur", "raw", unmeasurable), params.evaluate) == unmeasurable


def test_missing_numbers_are_reported_as_not_measured():
    assert format_number(None) == format_number(float("nan"), True) == "not measured"
    assert format_number(-0.1234, True) == "−0.123"
