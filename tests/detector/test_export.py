"""The ONNX file finds what mmdet finds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facade.detector.export import export
from facade.detector.infer import detections
from facade.detector.model import build, model_config
from facade.networks.open_detector import face_detector
from tests.conftest import REPOSITORY, noise


@pytest.fixture
def exported(tmp_path, params):
    """A detector with random weights, and its ONNX file."""
    torch.manual_seed(5)
    detect = params.detect.model_copy(update={"size": 128, "score": 0.0, "most": 500})
    model = build(model_config(params.detector, detect)).eval()
    # A fresh head says .01 everywhere; a wider one tells places apart.
    model.bbox_head.gfl_cls.weight.data.normal_(0, 0.1)
    torch.save(model.state_dict(), tmp_path / "seed-0.pth")
    described = {"detector": params.detector.model_dump(mode="json"), "size": 128}
    (tmp_path / "model.json").write_text(json.dumps(described))
    export(tmp_path / "seed-0.pth", tmp_path / "faces.onnx")
    return model, detect, tmp_path / "faces.onnx"


@pytest.mark.parametrize("shape", [(128, 128), (96, 128), (70, 128)])
def test_onnx_finds_what_mmdet_finds(make_store, exported, shape):
    model, detect, file = exported
    store = make_store({"a.jpg": (noise(*shape, 3), ())})
    found = detections(model, store, list(store.items()), detect)
    wanted = np.array([[*one["bbox"], one["score"]] for one in found])
    got = face_detector(file).detect(store.pixels(next(iter(store))), 0.0)[: len(wanted)]
    assert len(wanted) >= 10
    assert np.ptp(wanted[:, 4]) > 0.1
    np.testing.assert_allclose(got[:, 4], wanted[:, 4], atol=2e-5)
    np.testing.assert_allclose(got[:, :4], wanted[:, :4], atol=2e-2)


def test_the_file_says_nothing_of_where_it_was_made(exported, tmp_path):
    _, _, file = exported
    assert file.stat().st_size < 3e6
    for place in (tmp_path, REPOSITORY, Path.home()):
        assert str(place).encode() not in file.read_bytes()
