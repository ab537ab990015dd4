"""Training data depend on seed, epoch and photograph alone."""

import numpy as np
import pytest
import torch

from facade.dataset import Face
from facade.detector.model import build, model_config
from tests.conftest import noise


@pytest.fixture
def dataset(make_store, params):
    from facade.detector.data import SeededCoco, training_pipeline

    build(model_config(params.detector, params.detect))  # puts mmdet's transforms in their registry
    faces = (Face((10, 10, 30, 30)), Face((60, 40, 20, 25), ignore=True))
    store = make_store({f"{number}.jpg": (noise(100, 140, number), faces) for number in range(4)})
    train = params.train.model_copy(update={"crop": 96})
    detect = params.detect.model_copy(update={"size": 128})

    def make(seed: int, cache_size: int = 0) -> SeededCoco:
        load = {"type": "LoadPhotograph", "root": str(store.root), "cache_size": cache_size}
        return SeededCoco(
            seed=seed,
            ann_file=str(store.annotations),
            data_prefix={"img": ""},
            filter_cfg=None,
            pipeline=training_pipeline(load, train, detect),
        )

    return make


def test_the_order_of_loading_changes_nothing(dataset):
    forward, backward = dataset(0), dataset(0)
    ahead = [forward[number]["inputs"] for number in range(4)]
    behind = [backward[number]["inputs"] for number in reversed(range(4))][::-1]
    for one, other in zip(ahead, behind, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("cache_size", [10, 2**20])
def test_caching_photographs_changes_nothing(dataset, cache_size):
    cached, uncached = dataset(0, cache_size), dataset(0)
    for epoch in range(3):
        cached.epoch = uncached.epoch = epoch
        for number in range(4):
            assert torch.equal(cached[number]["inputs"], uncached[number]["inputs"])


def test_crops_differ_between_epochs_and_seeds(dataset):
    first, other_seed = dataset(0), dataset(1)
    pixels = first[0]["inputs"]
    assert not torch.equal(pixels, other_seed[0]["inputs"])
    first.epoch = 1
    assert not torch.equal(pixels, first[0]["inputs"])
    first.epoch = 0
    assert torch.equal(pixels, first[0]["inputs"])


def test_crops_have_the_given_size_and_ignored_faces_stay_ignored(dataset):
    seen = 0
    for seed in range(6):
        item = dataset(seed)[0]
        assert tuple(item["inputs"].shape) == (3, 96, 96)
        seen += len(item["data_samples"].ignored_instances)
    assert seen > 0


def test_photographs_without_faces_are_trained_on_too(make_store, params):
    from facade.detector.data import SeededCoco, training_pipeline

    build(model_config(params.detector, params.detect))
    store = make_store({"a.jpg": (noise(60, 80), ()), "b.jpg": (noise(60, 80), (Face((5, 5, 20, 20)),))})
    dataset = SeededCoco(
        seed=0,
        ann_file=str(store.annotations),
        data_prefix={"img": ""},
        filter_cfg=None,
        pipeline=training_pipeline({"type": "LoadPhotograph", "root": str(store.root)}, params.train, params.detect),
    )
    assert len(dataset) == 2
    assert np.isfinite(dataset[0]["inputs"].numpy()).all()


def crops(face_share, scale=(0.5, 2.0), count=40, **other):
    """Crops by `FaceCrop` of a black photograph in which each face is a white rectangle."""
    from mmdet.structures.bbox import HorizontalBoxes

    from facade.detector.data import FaceCrop

    boxes = np.array([[30, 40, 60, 80], [300, 200, 390, 290]], np.float32)
    image = np.zeros((360, 480, 3), np.uint8)
    for left, top, right, bottom in boxes.astype(int):
        image[top:bottom, left:right] = 255
    crop = FaceCrop(480, scale, 128, face_share, **other)
    np.random.seed(7)  # noqa: NPY002  mmdet's own
    for _ in range(count):
        yield crop.transform({
            "img": image, "gt_bboxes": HorizontalBoxes(boxes), "gt_bboxes_labels": np.zeros(2, np.int64),
            "gt_ignore_flags": np.array([False, True]),
        })  # fmt: skip


def test_boxes_are_transformed_with_the_pixels():
    seen = 0
    for one in crops(0.7):
        height, width = one["img_shape"]
        assert one["img"].shape[:2] == (height, width)
        assert max(height, width) <= 128
        white = one["img"][..., 0] > 127
        covered = np.zeros_like(white)
        for left, top, right, bottom in one["gt_bboxes"].tensor.numpy():
            assert right - left > 1
            inside = white[round(top) + 1 : round(bottom) - 1, round(left) + 1 : round(right) - 1]
            assert inside.all()
            covered[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
            seen += 1
        # Outside of all boxes, pixels are black, except for a one-pixel edge of a clipped face.
        assert np.count_nonzero(white & ~covered) <= 2 * 128
        assert len(one["gt_bboxes"]) == len(one["gt_bboxes_labels"]) == len(one["gt_ignore_flags"])
    assert seen > 20


def test_crops_around_a_face_contain_a_face_that_is_not_ignored():
    def share_with_face(face_share):
        return np.mean([bool((~one["gt_ignore_flags"]).any()) for one in crops(face_share, (1.5, 2.0))])

    assert share_with_face(1.0) == 1
    assert share_with_face(0.0) < 0.5


def test_a_face_that_a_crop_is_placed_around_gets_a_size_from_the_range():
    sides = []
    for one in crops(1.0, face_sizes=(20, 60)):
        boxes = one["gt_bboxes"].tensor.numpy()[~one["gt_ignore_flags"]]
        # The chosen face is 30 x 40 pixels: its side is the geometric mean.
        sides += [np.sqrt(h * h * 30 / 40) for h in (boxes[:, 3] - boxes[:, 1])]
    assert min(sides) < 25
    assert max(sides) > 45
    assert all(15 < side < 63 for side in sides), "a clipped face is smaller"


def test_faces_of_which_a_crop_leaves_little_are_ignored():
    def kept_areas(min_visible):
        for one in crops(0.0, (1.5, 2.0), 200, min_visible=min_visible):
            boxes = one["gt_bboxes"].tensor.numpy()[~one["gt_ignore_flags"]]
            yield from np.prod(boxes[:, 2:] - boxes[:, :2], 1)

    # At these scales the face, of 30 x 40 pixels, covers 2700 to 4800 pixels.
    assert min(kept_areas(0.0)) < 1000
    assert min(kept_areas(0.5)) > 1300
