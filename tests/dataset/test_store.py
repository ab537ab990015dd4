"""Data sets in Facade's own layout."""

import json

import pytest
from pycocotools.coco import COCO

from facade.dataset import Face, Photographs
from facade.errors import FacadeError
from tests.conftest import noise

POINTS = ((1.5, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.0))
FACES = (
    Face((1.0, 2.0, 30.0, 40.5), POINTS, False, {"blur": 1, "pose": 0}),
    Face((5.0, 6.0, 7.0, 8.0), None, True, {}),
)


def test_data_sets_round_trip(make_store):
    store = make_store({"e/a.jpg": (noise(50, 60), FACES), "b.jpg": (noise(40, 30), ())})
    first, second = store
    assert first.faces == FACES
    assert (first.file, first.width, first.height) == ("e/a.jpg", 60, 50)
    assert second.faces == ()
    assert store.synthetic
    assert store.pixels(first).shape == (50, 60, 3)


def test_pycocotools_can_read_the_labels(make_store):
    """Independent reader: pycocotools."""
    store = make_store({"a.jpg": (noise(50, 60), FACES)})
    coco = COCO(str(store.annotations))
    assert coco.loadCats(coco.getCatIds())[0]["name"] == "face"
    assert [annotation["iscrowd"] for annotation in coco.loadAnns(coco.getAnnIds())] == [0, 1]
    assert json.loads(store.annotations.read_text())["annotations"][0]["keypoints"][:3] == [1.5, 2.0, 2]


def test_a_damaged_picture_is_an_error(make_store):
    store = make_store({"a.jpg": (noise(50, 60), FACES)})
    (store.images / "a.jpg").write_bytes(b"\xff\xd8broken")
    with pytest.raises(FacadeError, match=r"a\.jpg cannot be read.*dvc checkout"):
        store.pixels(next(iter(store)))


def test_a_missing_data_set_is_an_error(tmp_path):
    with pytest.raises(FacadeError, match="annotations.json is missing"):
        Photographs(tmp_path)
