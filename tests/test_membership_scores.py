"""Membership inference on a real, tiny detector that memorized its photographs, and on photographs it never saw."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facade.dataset import Face, Photographs
from facade.dataset.calibration import calibration_files
from facade.detections import DetectionPart, detect_arm
from facade.detector.model import build, model_config
from facade.files import write_empty_directory
from facade.measure.membership import MembershipInference, infer_membership, read_scored_faces
from facade.membership_scores import MEMBERS_PER_OTHER, PART, membership_part, query_files, reduce_to_scores
from facade.parallel import one_torch_thread
from facade.params import Params
from tests.conftest import noise

PHOTOGRAPHS, CALIBRATION = 30, 40  # percent: 12 photographs are held out
STEPS = 40


@pytest.fixture
def tiny(params: Params) -> Params:
    return params.model_copy(
        update={
            "train": params.train.model_copy(update={"seeds": (0,), "device": "cpu", "devices": 1}),
            "detect": params.detect.model_copy(update={"size": 64, "min_score": 0.0}),
            "detector": params.detector.model_copy(update={"channels": 16, "convs": 1, "weights": None}),
            "pretrain": params.pretrain.model_copy(update={"seed": 0}),
        }
    )


def pictures(first: int) -> dict[str, tuple[np.ndarray, tuple[Face, ...]]]:
    """Photographs whose faces are places in noise, which nothing but memory tells."""
    corners = np.random.default_rng(first).integers(2, 38, (PHOTOGRAPHS, 2)).astype(float).tolist()
    return {
        f"{first + number}.jpg": (noise(64, 64, first + number), (Face((x, y, 20.0, 24.0)),))
        for number, (x, y) in enumerate(corners)
    }


def memorize(store: Photographs, files: set[str], tiny: Params) -> dict[str, torch.Tensor]:
    """Train a detector on some photographs until it knows them by heart."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    torch.manual_seed(0)
    model = build(model_config(tiny.detector, tiny.detect)).train()
    inputs, samples = [], []
    for photograph in store:
        if photograph.file not in files:
            continue
        inputs.append(torch.from_numpy(store.pixels(photograph)).permute(2, 0, 1))
        x, y, w, h = photograph.faces[0].bbox
        shape = {"img_shape": (64, 64), "ori_shape": (64, 64), "pad_shape": (64, 64), "scale_factor": (1.0, 1.0)}
        sample = DetDataSample(metainfo={**shape, "img_id": len(samples)})
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[x, y, x + w, y + h]], dtype=torch.float32), labels=torch.zeros(1, dtype=torch.long)
        )
        samples.append(sample)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(STEPS):
        batch = model.data_preprocessor({"inputs": inputs, "data_samples": samples}, training=True)
        losses = model(**batch, mode="loss")
        optimizer.zero_grad()
        sum(sum(value) if isinstance(value, list) else value for value in losses.values()).backward()
        optimizer.step()
    return dict(model.state_dict())


def attack(part: DetectionPart, held_out: set[str], tiny: Params) -> MembershipInference:
    """What the stages detect and evaluate find."""
    into = Path("detections/raw")
    detect_arm(Path("models/raw"), {PART: part}, into, tiny.detector, tiny.train, tiny.detect)
    reduce_to_scores(part, into, Path("models/start"), tiny, Path(".work/membership"))
    assert sorted(path.name for path in into.iterdir()) == ["membership.json", "model.json"]
    faces = read_scored_faces(into / "membership.json")
    member = np.array([file not in held_out for file in faces.photographs])
    assert (member.sum(), (~member).sum()) == (18, 12)
    found = infer_membership(faces, member, [faces.start_scores], "raw")
    assert found is not None
    return found


def test_a_detector_that_memorized_its_photographs_is_found_out_and_unseen_photographs_give_chance(
    tmp_path, monkeypatch, tiny, make_store
):
    monkeypatch.chdir(tmp_path)
    seen, unseen = make_store(pictures(0), "seen"), make_store(pictures(100), "unseen")
    held_out = calibration_files(pictures(0), CALIBRATION)
    Path("models/raw").mkdir(parents=True)
    with one_torch_thread():
        weights = memorize(seen, set(pictures(0)) - held_out, tiny)
    torch.save(weights, "models/raw/seed-0.pth")
    Path("models/raw/model.json").write_text(json.dumps({"arm": "raw"}))
    write_empty_directory(Path("models/start"))
    found = attack(membership_part(seen, CALIBRATION), held_out, tiny)
    assert found.auc.low > 0.7, found
    control = attack(membership_part(unseen, CALIBRATION), calibration_files(pictures(100), CALIBRATION), tiny)
    assert control.auc.low <= 0.5 <= control.auc.high, control
    # The initial weights, where there are any, are run on the same photographs; here they are those of the arm.
    Path("models/raw").rename("models/start")
    Path("models/raw").symlink_to("start")
    assert attack(membership_part(seen, CALIBRATION), held_out, tiny).auc.estimate < found.auc.estimate
    assert not Path(".work/membership").exists()


def test_the_queried_photographs_depend_on_names_alone_and_hold_both_kinds():
    files = [f"{number}.jpg" for number in range(400)]
    queried = query_files(files, 10)
    assert queried == query_files(reversed(files), 10)
    held_out = calibration_files(files, 10)
    assert held_out <= set(queried), "all that no run is trained on"
    assert len(queried) == (1 + MEMBERS_PER_OTHER) * len(held_out)
    assert query_files(files, 0) == []
