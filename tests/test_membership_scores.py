"""Membership inference on real, tiny detectors: one that memorized its photographs, and one that saw none of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facade.dataset import Face, Photographs
from facade.dataset.calibration import calibration_files
from facade.detections import detect_arm
from facade.detector.train import train_arm
from facade.measure.membership import infer_membership, read_scored_faces
from facade.membership_scores import MEMBERS_PER_OTHER, PART, membership_part, query_files, reduce_to_scores
from facade.params import Params
from tests.conftest import noise

CALIBRATION = 40


@pytest.fixture
def tiny(params: Params) -> Params:
    """A detector that overfits: many epochs, whole photographs, nothing averaged."""
    train = {
        "crop": 64, "batch": 9, "epochs": 60, "seeds": (0,), "device": "cpu", "devices": 1, "ema_decay": 0, "warmup": 0,
        "val_interval": 0, "scale": (1.0, 1.0), "face_crops": 0, "learning_rate": 0.01, "weight_decay": 0,
    }  # fmt: skip
    return params.model_copy(
        update={
            "train": params.train.model_copy(update=train),
            "detect": params.detect.model_copy(update={"size": 64, "min_score": 0.0}),
            "detector": params.detector.model_copy(update={"channels": 16, "convs": 1, "weights": None}),
            "pretrain": params.pretrain.model_copy(update={"seed": 0}),
            "evaluate": params.evaluate.model_copy(update={"calibration": CALIBRATION}),
        }
    )


def test_a_detector_that_memorized_its_photographs_is_found_out_and_one_that_saw_none_is_not(
    tmp_path, monkeypatch, tiny, make_store
):
    """Faces are places in noise, which nothing but memory tells. `start` learns other photographs of the kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()

    def pictures(first: int) -> dict:
        random = np.random.default_rng(first)
        return {
            f"{number}.jpg": (
                noise(64, 64, number),
                tuple(Face((x, y, 20.0, 24.0)) for x, y in random.integers(2, 38, (1, 2)).astype(float).tolist()),
            )
            for number in range(first, first + 30)
        }

    make_store(pictures(0), "data/train")
    make_store(pictures(0), "data/raw")
    make_store(pictures(100), "data/start")
    part = membership_part(Photographs(Path("data/train")), CALIBRATION)
    for arm in ("start", "raw"):
        work = Path(".work") / arm
        outputs = (Path("models") / arm, work / "curves.csv", work / "validation.csv")
        train_arm(Path("data") / arm, *outputs, tiny.detector, tiny.train, tiny.detect, CALIBRATION, work / "train")
    into = Path("detections/raw")
    detect_arm(Path("models/raw"), {PART: part}, into, tiny.detector, tiny.train, tiny.detect)
    reduce_to_scores(part, into, Path("models/start"), tiny, Path(".work/membership"))
    assert sorted(path.name for path in into.iterdir()) == ["membership.json", "model.json"]
    assert not Path(".work/membership").exists()
    faces = read_scored_faces(into / "membership.json")
    held_out = calibration_files([f"{number}.jpg" for number in range(30)], CALIBRATION)
    member = np.array([file not in held_out for file in faces.photographs])
    assert (member.sum(), (~member).sum()) == (18, 12)
    found = infer_membership(faces, member, [faces.start_scores], "raw")
    control = infer_membership(replace(faces, scores=faces.start_scores), member, [], "start")
    assert found is not None
    assert control is not None
    assert found.auc.low > 0.7, found
    assert control.auc.low <= 0.5 <= control.auc.high, control


def test_the_queried_photographs_depend_on_names_alone_and_hold_both_kinds():
    files = [f"{number}.jpg" for number in range(400)]
    queried = query_files(files, 10)
    assert queried == query_files(reversed(files), 10)
    held_out = calibration_files(files, 10)
    assert held_out <= set(queried), "all that no run is trained on"
    assert len(queried) == (1 + MEMBERS_PER_OTHER) * len(held_out)
    assert query_files(files, 0) == []
