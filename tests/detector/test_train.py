"""Real mmdet training of a few steps: reproducible, and resumed after a kill."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch

from facade.dataset import Face, Photographs
from facade.dataset.store import finish_dataset
from facade.detections import DetectionPart, calibration_part, detect_arm
from facade.detector.devices import device_groups, worker_device
from facade.detector.model import build, model_config
from facade.detector.train import train_arm
from facade.errors import FacadeError
from facade.heads import Expression, Light, Pose, View, develop, render_head, sample_identity
from facade.parallel import cores
from facade.params import Params
from facade.seeds import generator
from tests.conftest import REPOSITORY, noise, tree


@pytest.fixture(scope="module")
def small(params: Params) -> Params:
    train = {"crop": 64, "batch": 4, "epochs": 3, "seeds": (0, 1), "device": "cpu", "ema_decay": 0.9, "val_interval": 2}
    return params.model_copy(
        update={
            "train": params.train.model_copy(update=train),
            "detect": params.detect.model_copy(update={"size": 96}),
            "detector": params.detector.model_copy(update={"channels": 16, "convs": 1}),
        }
    )


@pytest.fixture
def faces(make_store) -> Photographs:
    pictures = {}
    for number in range(10):
        picture = noise(96, 96, number)
        view = View.of_face(Pose(), 30, 40, 40)
        head = render_head(sample_identity(generator("t", number)), Expression(), view, Light(), picture.shape[:2])
        cover = head.alpha[..., None]
        picture[:] = picture * (1 - cover) + 255 * develop(head.linear) * cover
        pictures[f"{number}.jpg"] = (picture, (Face(head.bbox),))
    return make_store(pictures, "raw")


CALIBRATION = 20


def train(small: Params, faces: Photographs, out: Path) -> dict[str, bytes]:
    places = (faces.root, out / "models", out / "curves.csv", out / "validation.csv")
    train_arm(*places, small.detector, small.train, small.detect, CALIBRATION, out / "work")
    return tree(out)


def test_two_trainings_are_byte_identical_even_if_one_was_killed(tmp_path, small, faces):
    once = train(small, faces, tmp_path / "once")
    assert set(once) == {"models/seed-0.pth", "models/seed-1.pth", "models/model.json", "curves.csv", "validation.csv"}
    assert once["models/seed-0.pth"] != once["models/seed-1.pth"]
    rows = once["curves.csv"].decode().splitlines()
    assert rows[0].startswith("epoch,")
    assert len(rows) == 1 + small.train.epochs
    measured = [row.split(",") for row in once["validation.csv"].decode().splitlines()]
    assert measured[0] == ["epoch", "AP50", "AP50_seed_0", "AP50_seed_1"]
    assert [row[0] for row in measured[1:]] == ["2", "3"]  # every second epoch, and the last

    check_weights(tmp_path / "once" / "models")
    kill_after_an_epoch(small, faces, tmp_path / "killed", tmp_path / "train.py")
    assert train(small, faces, tmp_path / "killed") == once


def check_weights(models: Path) -> None:
    """Weights hold tensors alone, and no file names a path of this machine."""
    state = torch.load(models / "seed-1.pth", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    for name, content in tree(models).items():
        assert str(models.parents[1]).encode() not in content, name


def kill_after_an_epoch(small: Params, faces: Photographs, out: Path, script: Path) -> None:
    """Kill a training with SIGKILL, children left to notice, once its first epoch is on the disk."""
    script.write_text(
        "from pathlib import Path\n"
        "from facade.params import Params\n"
        "from facade.detector.train import train_arm\n"
        "if __name__ == '__main__':\n"
        f"    p = Params.model_validate_json({small.model_dump_json()!r})\n"
        f"    out = Path({str(out)!r})\n"
        f"    train_arm(Path({str(faces.root)!r}), out / 'models', out / 'curves.csv', out / 'validation.csv',"
        " p.detector, p.train, p.detect,"
        f" {CALIBRATION}, out / 'work')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    process = subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("work/*/seed-*/checkpoint.pth")):
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "models").exists()


def test_detections_are_in_pixels_of_the_photograph_and_reproducible(tmp_path, small, faces):
    longer = small.model_copy(update={"train": small.train.model_copy(update={"epochs": 80, "seeds": (0,)})})
    train(longer, faces, tmp_path)
    for name in ("one", "two"):
        detect_arm(
            tmp_path / "models",
            {"all": DetectionPart(faces.root), "calibration": calibration_part(faces.root, CALIBRATION)},
            tmp_path / name,
            longer.detector,
            longer.train,
            longer.detect.model_copy(update={"size": 64}),
        )
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    results, apart = (
        json.loads((tmp_path / "one" / part / "seed-0.json").read_text()) for part in ("all", "calibration")
    )
    assert {result["image_id"] for result in results} <= {number for number, _ in faces.items()}
    assert len({result["image_id"] for result in apart}) <= 2
    assert apart == [result for result in results if result["image_id"] in {one["image_id"] for one in apart}]
    # 80 epochs on ten photographs overfit: the highest-scoring detections are on the faces.
    truth = {number: photograph.faces[0].bbox for number, photograph in faces.items()}
    best = {}
    for result in results:
        best.setdefault(result["image_id"], result)
    hits = 0
    for number, result in best.items():
        x, y, w, h = result["bbox"]
        fx, fy, fw, fh = truth[number]
        hits += abs(x + w / 2 - fx - fw / 2) < 0.3 * fw and abs(y + h / 2 - fy - fh / 2) < 0.3 * fh
    assert hits >= 6


@pytest.mark.slow
def test_shards_give_the_same_weights_and_detections_as_files(tmp_path, small, faces):
    one = small.model_copy(update={"train": small.train.model_copy(update={"epochs": 1, "seeds": (3,)})})
    sharded = tmp_path / "sharded" / "raw"
    shutil.copytree(faces.root, sharded)
    finish_dataset(sharded, faces.content(), "shards")
    (sharded / "annotations.json").unlink()
    for name, photographs in (("files", faces), ("shards", Photographs(sharded))):
        out = tmp_path / name
        train(one, photographs, out)
        parts = {"all": DetectionPart(photographs.root), "apart": calibration_part(photographs.root, CALIBRATION)}
        detect_arm(out / "models", parts, out / "found", one.detector, one.train, one.detect)
    assert tree(tmp_path / "files") == tree(tmp_path / "shards")


def test_photographs_of_the_calibration_part_are_not_trained_on(tmp_path, small, faces):
    """Replacing their pixels does not change the trained weights."""
    one = small.model_copy(update={"train": small.train.model_copy(update={"epochs": 1, "seeds": (0,)})})
    train(one, faces, tmp_path / "before")
    apart = calibration_part(faces.root, CALIBRATION).files
    assert apart is not None
    assert len(apart) == 2
    for file in apart:
        (faces.images / file).write_bytes(cv2.imencode(".jpg", noise(96, 96, 77))[1].tobytes())
    train(one, faces, tmp_path / "after")
    weights = [(tmp_path / name / "models" / "seed-0.pth").read_bytes() for name in ("before", "after")]
    assert weights[0] == weights[1]


def test_a_calibration_part_that_leaves_no_face_is_refused(tmp_path, small, make_store):
    only = make_store({"a.jpg": (noise(96, 96), (Face((10, 10, 30, 30)),)), "b.jpg": (noise(96, 96), ())}, "raw")
    percent = 50
    if "b.jpg" in calibration_part(only.root, percent).files:
        only = make_store({"b.jpg": (noise(96, 96), (Face((10, 10, 30, 30)),)), "a.jpg": (noise(96, 96), ())}, "raw")
    with pytest.raises(FacadeError, match=r"Lower evaluate\.calibration"):
        train_arm(only.root, tmp_path / "m", tmp_path / "c", tmp_path / "v", small.detector, small.train,
                  small.detect, percent, tmp_path / "work")  # fmt: skip


@pytest.mark.parametrize(
    ("seeds", "devices", "batch", "groups"),
    [
        (4, None, 4, None),  # as many runs in parallel as cores allow, one core each
        (2, 2, 4, [1, 1]),
        (1, 2, 4, [2]),
        (1, 3, 4, [2]),  # a batch of four cannot be split into three equal parts
        (2, 5, 4, [2, 2]),
        (1, 2, 3, [1, 1]),
    ],
)
def test_each_run_has_its_own_device_before_a_run_is_spread_over_several(params, seeds, devices, batch, groups):
    own = {"seeds": tuple(range(seeds)), "devices": devices, "batch": batch, "device": "cpu"}
    found = [len(group) for group in device_groups(params.train.model_copy(update=own))]
    assert found == (groups or [1] * max(1, cores() // params.train.threads))


def test_several_runs_share_a_gpu_in_turn(params, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    own = {"seeds": tuple(range(5)), "device": "cuda", "runs_per_gpu": 2}
    train = params.train.model_copy(update=own)
    assert device_groups(train) == [("cuda:0",), ("cuda:1",), ("cuda:0",), ("cuda:1",)]
    assert device_groups(train.model_copy(update={"device": "cpu", "devices": 2})) == [("cpu",), ("cpu",)]


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path, small, faces):
    """With a backbone without batch norm, whose statistics would differ, gradients are the same.

    Those of the boxes are an exception: while scores are low, mmdet divides their losses by at least one per process.
    """
    detector = small.detector.model_copy(update={"backbone": "convnext_atto", "strides": (8, 16, 32)})
    own = {"epochs": 1, "seeds": (0,), "warmup": 0.0}
    flat, losses = {}, {}
    for name, devices, rate in (("start", 1, 1e-12), ("one", 1, 1e-4), ("two", 2, 1e-4)):
        one = small.train.model_copy(update=own | {"devices": devices, "learning_rate": rate})
        train(small.model_copy(update={"train": one, "detector": detector}), faces, tmp_path / name)
        state = torch.load(tmp_path / name / "models" / "seed-0.pth", weights_only=True)
        flat[name] = torch.cat([value.flatten() for value in state.values()])
        header, row = (line.split(",") for line in (tmp_path / name / "curves.csv").read_text().splitlines())
        losses[name] = float(row[header.index("loss_cls")])
    assert json.loads((tmp_path / "two" / "models" / "model.json").read_text())["devices"] == 2
    assert (flat["one"] - flat["two"]).norm() < 0.5 * (flat["one"] - flat["start"]).norm()
    assert losses["one"] == pytest.approx(losses["two"], rel=1e-3)


def test_two_processes_that_were_killed_resume_and_end_with_the_same_weights(tmp_path, small, faces):
    own = small.train.model_copy(update={"seeds": (0,), "devices": 2})
    both = small.model_copy(update={"train": own})
    once = train(both, faces, tmp_path / "once")
    kill_after_an_epoch(both, faces, tmp_path / "killed", tmp_path / "train.py")
    assert train(both, faces, tmp_path / "killed") == once


def test_a_process_that_fails_ends_the_others_of_its_run(tmp_path, small, faces, monkeypatch):
    """Otherwise they would wait for it forever."""
    both = small.model_copy(update={"train": small.train.model_copy(update={"seeds": (0,), "devices": 2})})
    monkeypatch.setattr("facade.detector.train._in_process", second_fails)
    begin = time.monotonic()
    with pytest.raises(FacadeError, match=r"exit status 7; see .*error-1\.log"):
        train(both, faces, tmp_path)
    assert time.monotonic() - begin < 60


def second_fails(run, messages, rank, rendezvous):
    if rank == 1:
        os._exit(7)
    time.sleep(300)


def test_bfloat16_trains(tmp_path, small, faces):
    changes = {"epochs": 1, "seeds": (0,), "precision": "bfloat16"}
    one = small.model_copy(update={"train": small.train.model_copy(update=changes)})
    train(one, faces, tmp_path)
    state = torch.load(tmp_path / "models" / "seed-0.pth", weights_only=True)
    assert all(torch.isfinite(value.float()).all() for value in state.values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_reported(tmp_path, small, faces):
    wrong = small.model_copy(update={"train": small.train.model_copy(update={"device": "cuda"})})
    with pytest.raises(FacadeError, match="torch finds no GPU"):
        train(wrong, faces, tmp_path)


def test_an_unknown_backbone_is_refused_with_a_message(tmp_path, small, faces):
    wrong = small.model_copy(update={"detector": small.detector.model_copy(update={"backbone": "resnet9000"})})
    with pytest.raises(FacadeError, match="detector.backbone is 'resnet9000'"):
        train(wrong, faces, tmp_path)


def test_a_missing_model_is_reported(tmp_path, small, faces):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model.json").write_text('{"arm": "raw"}')
    parts = {"golden": DetectionPart(faces.root)}
    with pytest.raises(FacadeError, match=r"seed-0\.pth is missing.*dvc repro train-raw"):
        detect_arm(tmp_path / "models", parts, tmp_path / "out", small.detector, small.train, small.detect)


def test_local_workers_take_gpus_in_turn_and_a_cluster_worker_takes_the_one_it_sees(params, monkeypatch):
    train = params.train.model_copy(update={"device": "auto", "devices": 4})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for count, expected in ((4, ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]), (1, ["cuda:0"] * 4)):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        found = []
        for worker in range(1, 5):
            monkeypatch.setattr(multiprocessing.current_process(), "_identity", (worker,))
            found.append(worker_device(train))
        assert found == expected


def test_a_training_starts_from_its_initial_weights(tmp_path, small, faces):
    """Neck and head included: with a learning rate near zero, the weights stay the same."""
    still = {
        "epochs": 1,
        "seeds": (0,),
        "learning_rate": 1e-9,
        "weight_decay": 0.0,
        "ema_decay": 0.0,
        "val_interval": 0,
    }
    one = small.model_copy(update={"train": small.train.model_copy(update=still)})
    torch.manual_seed(11)
    given = build(model_config(one.detector, one.detect)).state_dict()
    torch.save(given, tmp_path / "start.pth")
    train_arm(faces.root, tmp_path / "models", tmp_path / "c.csv", tmp_path / "v.csv", one.detector, one.train,
              one.detect, CALIBRATION, tmp_path / "work", tmp_path / "start.pth")  # fmt: skip
    got = torch.load(tmp_path / "models" / "seed-0.pth", weights_only=True)
    learned = [name for name in given if not name.rpartition(".")[2].startswith(("running_", "num_batches"))]
    assert any(name.startswith("bbox_head.") for name in learned)
    for name in learned:
        torch.testing.assert_close(got[name], given[name], atol=1e-5, rtol=0, msg=name)
