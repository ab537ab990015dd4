"""What the training sees depends on seed, epoch and photograph alone."""

import numpy as np
import pytest
import torch

from facade.dataset import Face
from facade.detector.model import build, model_config
from tests.conftest import noise


@pytest.fixture
def dataset(make_store, params):
    from facade.detector.data import SeededCoco, training_steps

    build(model_config(params.detector, params.detect))  # puts mmdet's transforms in their registry
    faces = (Face((10, 10, 30, 30)), Face((60, 40, 20, 25), ignore=True))
    store = make_store({f"{number}.jpg": (noise(100, 140, number), faces) for number in range(4)})
    train = params.train.model_copy(update={"crop": 96})
    detect = params.detect.model_copy(update={"size": 128})

    def make(seed: int, kept: int = 0) -> SeededCoco:
        load = {"type": "LoadPhotograph", "root": str(store.root), "kept": kept}
        return SeededCoco(
            seed=seed,
            ann_file=str(store.annotations),
            data_prefix={"img": ""},
            filter_cfg=None,
            pipeline=training_steps(load, train, detect),
        )

    return make


def test_the_order_of_asking_changes_nothing(dataset):
    forward, backward = dataset(0), dataset(0)
    ahead = [forward[number]["inputs"] for number in range(4)]
    behind = [backward[number]["inputs"] for number in reversed(range(4))][::-1]
    for one, other in zip(ahead, behind, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kept", [10, 2**20])
def test_photographs_that_are_kept_in_memory_change_nothing(dataset, kept):
    keeps, reads = dataset(0, kept), dataset(0)
    for epoch in range(3):
        keeps.epoch = reads.epoch = epoch
        for number in range(4):
            assert torch.equal(keeps[number]["inputs"], reads[number]["inputs"])


def test_epochs_and_seeds_see_other_crops(dataset):
    first, other_seed = dataset(0), dataset(1)
    pixels = first[0]["inputs"]
    assert not torch.equal(pixels, other_seed[0]["inputs"])
    first.epoch = 1
    assert not torch.equal(pixels, first[0]["inputs"])
    first.epoch = 0
    assert torch.equal(pixels, first[0]["inputs"])


def test_crops_have_the_size_asked_for_and_ignored_faces_stay_ignored(dataset):
    seen = 0
    for seed in range(6):
        item = dataset(seed)[0]
        assert tuple(item["inputs"].shape) == (3, 96, 96)
        seen += len(item["data_samples"].ignored_instances)
    assert seen > 0


def test_photographs_without_faces_are_trained_on_too(make_store, params):
    from facade.detector.data import SeededCoco, training_steps

    build(model_config(params.detector, params.detect))
    store = make_store({"a.jpg": (noise(60, 80), ()), "b.jpg": (noise(60, 80), (Face((5, 5, 20, 20)),))})
    dataset = SeededCoco(
        seed=0,
        ann_file=str(store.annotations),
        data_prefix={"img": ""},
        filter_cfg=None,
        pipeline=training_steps({"type": "LoadPhotograph", "root": str(store.root)}, params.train, params.detect),
    )
    assert len(dataset) == 2
    assert np.isfinite(dataset[0]["inputs"].numpy()).all()
