"""The exported ONNX file gives the detections of mmdet."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facade.detector.export import export
from facade.detector.infer import TrainedDetector, coco_results
from facade.detector.model import build, model_config
from facade.networks.open_detector import open_detector
from tests.conftest import REPOSITORY, noise


@pytest.fixture
def exported(tmp_path, params):
    """A detector with random weights, and its ONNX file."""
    torch.manual_seed(5)
    detect = params.detect.model_copy(update={"size": 128, "min_score": 0.0, "max_detections": 500})
    model = build(model_config(params.detector, detect)).eval()
    # A new head gives scores of 0.01 everywhere; larger weights make them differ.
    model.bbox_head.gfl_cls.weight.data.normal_(0, 0.1)
    torch.save(model.state_dict(), tmp_path / "seed-0.pth")
    description = {"detector": params.detector.model_dump(mode="json"), "size": 128}
    (tmp_path / "model.json").write_text(json.dumps(description))
    export(tmp_path / "seed-0.pth", tmp_path / "faces.onnx")
    return model, detect, tmp_path / "faces.onnx"


@pytest.mark.parametrize("shape", [(128, 128), (96, 128), (70, 128)])
def test_onnx_gives_the_detections_of_mmdet(make_store, exported, shape):
    model, detect, file = exported
    store = make_store({"a.jpg": (noise(*shape, 3), ())})
    results = coco_results(TrainedDetector(model, detect), store, list(store.items()))
    wanted = np.array([[*one["bbox"], one["score"]] for one in results])
    got = open_detector(file).detect(store.pixels(next(iter(store))), 0.0)[: len(wanted)]
    assert len(wanted) >= 10
    assert np.ptp(wanted[:, 4]) > 0.1
    np.testing.assert_allclose(got[:, 4], wanted[:, 4], atol=2e-5)
    np.testing.assert_allclose(got[:, :4], wanted[:, :4], atol=2e-2)


def test_the_file_contains_no_local_paths(exported, tmp_path):
    _, _, file = exported
    assert file.stat().st_size < 3e6
    for place in (tmp_path, REPOSITORY, Path.home()):
        assert str(place).encode() not in file.read_bytes()
