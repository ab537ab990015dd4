"""What is told of each arm."""

import json

import numpy as np
import pytest

from facade.errors import FacadeError
from facade.measure.arms import NOT_MEASURED, measure_arm, summary
from tests.measure.test_average_precision import random_case


@pytest.fixture
def arms(tmp_path):
    truth, results = random_case(4)
    for arm, seeds in (("raw", (0, 1)), ("blur", (0, 1))):
        for seed in seeds:
            path = tmp_path / arm / f"seed-{seed}.json"
            path.parent.mkdir(exist_ok=True)
            kept = [result for number, result in enumerate(results) if number % 3 != (seed if arm == "raw" else 2)]
            path.write_text(json.dumps(kept if arm == "raw" else kept[: len(kept) // 2]))
    return truth, {name: measure_arm(truth, tmp_path / name, 0.5) for name in ("raw", "blur")}


def test_means_and_differences_to_raw(arms):
    truth, measured = arms
    told = summary(truth, measured)
    raw = np.mean(measured["raw"].metrics["AP50"])
    assert told["raw"]["AP50"] == pytest.approx(raw, rel=1e-3)
    assert told["raw"]["AP50_sd"] == pytest.approx(np.std(measured["raw"].metrics["AP50"], ddof=1), rel=1e-3)
    difference = np.mean(measured["blur"].metrics["AP50"]) - raw
    assert told["blur_minus_raw"]["AP50"] == pytest.approx(difference, rel=1e-3)
    assert told["golden"]["seeds"] == 2
    assert told["golden"]["faces"] + told["golden"]["ignored"] == len(truth["annotations"])


def test_the_metrics_are_readable_for_dvc(arms):
    """dvc drops lists without a word, nests names at dots, and JSON has no NaN."""

    def check(value):
        assert not isinstance(value, list)
        if isinstance(value, dict):
            assert not any("." in key for key in value)
            for inner in value.values():
                check(inner)

    told = summary(*arms)
    check(told)
    json.dumps(told, allow_nan=False)


def test_a_single_seed_has_no_deviation(tmp_path, arms):
    truth, _ = arms
    (tmp_path / "raw" / "seed-1.json").unlink()
    told = summary(truth, {"raw": measure_arm(truth, tmp_path / "raw", 0.5)})
    assert told["raw"]["AP50_sd"] == NOT_MEASURED


def test_an_arm_without_runs_is_refused(tmp_path):
    (tmp_path / "blur").mkdir()
    with pytest.raises(FacadeError, match="dvc repro detect@blur"):
        measure_arm(random_case(0)[0], tmp_path / "blur", 0.5)
