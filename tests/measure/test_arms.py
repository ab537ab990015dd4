"""What is told of each arm."""

import json

import numpy as np
import pytest

from facade.measure.arms import measure_arm, summary
from facade.measure.compare import NOT_MEASURED
from facade.measure.golden_evaluation import read_evaluation
from facade.measure.wider_protocol import levels


def measured(study):
    judged = levels(study.truth, None)
    return study.truth, {name: measure_arm(study, name, judged, 0.5) for name in study.results}


@pytest.fixture
def arms(study):
    return measured(study[0])


def test_means_and_differences_to_raw(arms):
    truth, by_name = arms
    told = summary(truth, by_name)
    raw = np.mean(by_name["raw"].metrics["AP50"])
    assert told["raw"]["AP50"] == pytest.approx(raw, rel=1e-3)
    assert told["raw"]["AP50_sd"] == pytest.approx(np.std(by_name["raw"].metrics["AP50"], ddof=1), rel=1e-3)
    for metric in ("AP50", "precision", "recall", "F1", "misses_a_photo", "AP_from_16px"):
        difference = by_name["blur"].mean(metric) - by_name["raw"].mean(metric)
        assert told["blur_minus_raw"][metric] == pytest.approx(difference, rel=1e-3), metric
    assert "threshold" not in told["blur_minus_raw"]
    assert told["golden"]["seeds"] == 3
    assert told["golden"]["faces"] + told["golden"]["ignored"] == len(truth["annotations"])


def test_the_metrics_are_readable_for_dvc(arms):
    """dvc drops lists without a word, nests names at dots, and JSON has no NaN."""

    def check(value):
        assert not isinstance(value, list)
        if isinstance(value, dict):
            assert not any("." in key or len(key) > 20 for key in value)
            for inner in value.values():
                check(inner)
        if isinstance(value, float):
            assert value == float(f"{value:.4g}")

    told = summary(*arms)
    check(told)
    json.dumps(told, allow_nan=False)


def test_a_single_seed_has_no_deviation(write_study):
    told = summary(*measured(read_evaluation(*write_study(seeds=(1,)))))
    assert told["raw"]["AP50_sd"] == NOT_MEASURED


def test_what_one_run_could_not_measure_has_no_mean(write_study):
    """A run that finds nothing on the calibration part is not used: it has no precision, and a recall of 0."""
    written = write_study()
    (written[2]["blur"] / "calibration" / "seed-1.json").write_text("[]")
    told = summary(*measured(read_evaluation(*written)))
    assert told["blur"]["precision"] == told["blur"]["threshold"] == NOT_MEASURED
    assert told["blur"]["recall"] < told["raw"]["recall"]
    json.dumps(told, allow_nan=False)
