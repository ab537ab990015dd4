"""The demo data set: WIDER FACE layout, reproducible, with varied faces."""

import shutil

import cv2
import numpy as np
import pytest

from facade.dataset import Photographs
from facade.dataset.synthetic_marker import SYNTHETIC_MARK, is_marked_synthetic
from facade.dataset.wider import read_wider
from facade.demo import write_demo
from facade.demo.photograph import draw_scene
from facade.demo.pretraining import write_pretraining_set
from facade.seeds import generator
from tests.conftest import tree


@pytest.fixture(scope="module")
def demo(tmp_path_factory, params):
    root = tmp_path_factory.mktemp("demo") / "demo"
    write_demo(params.demo.model_copy(update={"train": 14, "golden": 6, "size": 128}), params.codec, root, workers=1)
    return root


def test_the_wider_reader_reads_the_demo(demo):
    labelled = read_wider(demo).photographs
    assert [entry.split for entry in labelled].count("golden") == 6
    assert all((entry.folder / entry.name).is_file() for entry in labelled)
    faces = [face for entry in labelled for face in entry.faces]
    assert sum(face.keypoints is not None for face in faces) > 0.8 * len(faces)
    for entry in labelled:
        height, width = cv2.imread(str(entry.folder / entry.name)).shape[:2]
        for face in entry.faces:
            x, y, w, h = face.bbox
            assert x < width
            assert y < height
            assert x + w > 0
            assert y + h > 0


def test_the_demo_is_marked_as_synthetic(demo):
    assert "say nothing about real faces" in (demo / SYNTHETIC_MARK).read_text()
    assert is_marked_synthetic(demo)


def test_the_marker_does_not_cover_changed_photographs(demo, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(demo, copied)
    assert is_marked_synthetic(copied)
    picture = next(copied.rglob("*.jpg"))
    picture.write_bytes(b"another photograph")
    assert not is_marked_synthetic(copied)
    (copied / SYNTHETIC_MARK).write_text("nobody here is real")
    assert not is_marked_synthetic(copied)


def test_the_demo_does_not_depend_on_the_number_of_processes(demo, tmp_path, params):
    settings = params.demo.model_copy(update={"train": 14, "golden": 6, "size": 128})
    write_demo(settings, params.codec, tmp_path / "again", workers=2)
    assert tree(tmp_path / "again") == tree(demo)


def test_more_photographs_do_not_change_the_first_ones(demo, tmp_path, params):
    settings = params.demo.model_copy(update={"train": 3, "golden": 1, "size": 128})
    write_demo(settings, params.codec, tmp_path / "fewer", workers=1)
    for name, content in tree(tmp_path / "fewer").items():
        if name.endswith(".jpg"):
            assert (demo / name).read_bytes() == content


def test_photographs_vary_in_number_size_and_occlusion_of_faces():
    scenes = [draw_scene(generator("scene", number), 160, with_people=True) for number in range(25)]
    faces = [face for scene in scenes for face in scene.faces]
    heights = np.array([face.bbox[3] for face in faces])
    assert max(len(scene.faces) for scene in scenes) >= 4
    assert heights.max() > 3 * heights.min()
    assert {face.attributes["occlusion"] for face in faces} == {0, 1, 2}
    assert draw_scene(generator("scene", 1), 160, with_people=False).faces == ()


def test_pretraining_photographs_show_crowds_with_the_given_face_heights(tmp_path, params):
    own = params.pretrain.model_copy(update={"photographs": 12, "size": 160, "face_height": (8, 40)})
    for name, workers in (("one", 1), ("two", 2)):
        write_pretraining_set(own, params.codec, 10, tmp_path / name, workers)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    photographs = list(Photographs(tmp_path / "one"))
    assert len(photographs) == 12
    assert Photographs(tmp_path / "one").synthetic
    heights = np.array([face.bbox[3] for photograph in photographs for face in photograph.faces])
    # Drawn heights are those of the head's face; its label is rounded, and hair or a turn of the head move it a little.
    assert heights.min() >= 5
    assert heights.max() <= 55
    assert max(len(photograph.faces) for photograph in photographs) >= 6
    assert all(face.ignore for one in photographs for face in one.faces if face.bbox[3] < 10)
    assert any(not face.ignore for one in photographs for face in one.faces)
