"""A detector trained on several versions of the same photographs."""

import pytest
import torch

from facade.dataset import Face, Photographs
from facade.errors import FacadeError
from facade.experiments.detector_training import merge_versions, train_detector
from tests.conftest import noise


@pytest.fixture
def versions(make_store):
    faces = {"a.jpg": (Face((10, 12, 30, 40)),), "b.jpg": ()}
    return [
        make_store(
            {name: (noise(96, 96, 2 * n + seed), boxes) for n, (name, boxes) in enumerate(faces.items())},
            f"version-{seed}",
        )
        for seed in (0, 1)
    ]


def test_versions_are_merged_with_all_pixels_and_labels(versions, tmp_path):
    merge_versions(versions, tmp_path / "merged")
    merged = Photographs(tmp_path / "merged")
    assert [one.file for one in merged] == ["0/a.jpg", "0/b.jpg", "1/a.jpg", "1/b.jpg"]
    assert [one.faces for one in merged] == [one.faces for version in versions for one in version]
    assert [merged.read(one) for one in merged] == [version.read(one) for version in versions for one in version]
    assert len({merged.read(one) for one in merged}) == 4


@pytest.mark.slow
def test_it_trains_on_every_photograph_from_given_weights(versions, tmp_path, params):
    own = {"crop": 64, "batch": 4, "epochs": 1, "seeds": (0,), "device": "cpu", "ema_decay": 0, "learning_rate": 1e-9}
    small = params.model_copy(update={
        "train": params.train.model_copy(update=own),
        "detect": params.detect.model_copy(update={"size": 96}),
        "detector": params.detector.model_copy(update={"channels": 16, "convs": 1}),
    })  # fmt: skip
    roots = [version.root for version in versions]
    train_detector(roots, tmp_path / "start", None, small, tmp_path / "work")
    train_detector(roots, tmp_path / "models", tmp_path / "start/seed-0.pth", small, tmp_path / "work")
    start, trained = (torch.load(tmp_path / name / "seed-0.pth", weights_only=True) for name in ("start", "models"))
    weights = [name for name in start if name.endswith("conv.weight")]
    assert weights
    for name in weights:  # at this learning rate, nothing but the start explains the weights
        torch.testing.assert_close(trained[name], start[name], atol=1e-4, rtol=0)
    with pytest.raises(FacadeError, match="no data set"):
        train_detector([], tmp_path / "models", None, small, tmp_path / "work")
