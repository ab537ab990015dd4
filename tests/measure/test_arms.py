"""Metrics of each arm, and their differences to raw."""

import json

import numpy as np
import pytest

from facade.measure.arms import measure_arm, summary
from facade.measure.compare import NOT_MEASURED
from facade.measure.golden_evaluation import read_evaluation
from facade.measure.wider_protocol import difficulty_levels


def measured(evaluation):
    scored = difficulty_levels(evaluation.truth, None)
    return evaluation.truth, {name: measure_arm(evaluation, name, scored, 0.5) for name in evaluation.results}


@pytest.fixture
def arms(evaluation):
    return measured(evaluation[0])


def test_means_and_differences_to_raw(arms):
    truth, by_name = arms
    content = summary(truth, by_name)
    raw = np.mean(by_name["raw"].metrics["AP50"])
    assert content["raw"]["AP50"] == pytest.approx(raw, rel=1e-3)
    assert content["raw"]["AP50_sd"] == pytest.approx(np.std(by_name["raw"].metrics["AP50"], ddof=1), rel=1e-3)
    for metric in ("AP50", "precision", "recall", "F1", "fn_per_image", "AP_from_16px"):
        difference = by_name["blur"].mean(metric) - by_name["raw"].mean(metric)
        assert content["blur_minus_raw"][metric] == pytest.approx(difference, rel=1e-3), metric
    assert "threshold" not in content["blur_minus_raw"]
    assert content["golden"]["seeds"] == 3
    assert content["golden"]["faces"] + content["golden"]["ignored"] == len(truth["annotations"])


def test_main_metrics_of_an_arm_come_first(arms):
    content = summary(*arms)
    for name in ("raw", "blur", "pseudo", "blur_minus_raw"):
        assert list(content[name])[:4] == ["AP50", "AP", "precision", "recall"]


def test_metrics_are_readable_by_dvc(arms):
    """DVC silently drops lists and nests names at dots; JSON has no NaN."""

    def check(value):
        assert not isinstance(value, list)
        if isinstance(value, dict):
            assert not any("." in key or len(key) > 20 for key in value)
            for inner in value.values():
                check(inner)
        if isinstance(value, float):
            assert value == float(f"{value:.4g}")

    content = summary(*arms)
    check(content)
    json.dumps(content, allow_nan=False)


def test_a_single_seed_has_no_deviation(write_evaluation):
    content = summary(*measured(read_evaluation(*write_evaluation(seeds=(1,)))))
    assert content["raw"]["AP50_sd"] == NOT_MEASURED


def test_metric_missing_in_one_run_has_no_mean(write_evaluation):
    """A run without detections on the calibration photographs has a recall of 0 and no precision."""
    written = write_evaluation()
    (written[2]["blur"] / "calibration" / "seed-1.json").write_text("[]")
    content = summary(*measured(read_evaluation(*written)))
    assert content["blur"]["precision"] == content["blur"]["threshold"] == NOT_MEASURED
    assert content["blur"]["recall"] < content["raw"]["recall"]
    json.dumps(content, allow_nan=False)
