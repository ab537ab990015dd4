"""A small evaluation: three arms, three seeds, detections in the format of the detect stage."""

import json

import pytest

from facade.measure.golden_evaluation import read_evaluation
from tests.measure.test_weighted import random_case


@pytest.fixture
def write_evaluation(tmp_path, params):
    """Writes detections, and returns the arguments of `read_evaluation`.

    Raw and pseudo keep all detections, blur one in twelve.
    """

    def write(arms=("raw", "pseudo", "blur"), seeds=(0, 1, 10), photographs=120, events=6, **changes):
        truth, results = random_case(7, photographs=photographs)
        calibration, calibrated = random_case(8, photographs=30)
        for content in (truth, calibration):
            content["info"] = {"synthetic": True}
            for image in content["images"]:
                image["file_name"] = f"{image['id'] % events}--Event/{image['id']}.jpg"
        for arm in arms:
            for part, whole in (("golden", results), ("calibration", calibrated)):
                kept = whole[::12] if arm == "blur" else whole
                for seed in seeds:
                    # Runs differ slightly: each leaves out other detections.
                    own = [result for number, result in enumerate(kept) if number % 13 != seed % 3]
                    path = tmp_path / arm / part / f"seed-{seed}.json"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(own))
        settings = params.evaluate.model_copy(update={"bootstrap_samples": 150, **changes})
        return truth, dict.fromkeys(arms, calibration), {arm: tmp_path / arm for arm in arms}, settings

    return write


@pytest.fixture
def evaluation(write_evaluation):
    """The evaluation, and its settings."""
    written = write_evaluation()
    return read_evaluation(*written), written[-1]
