"""The experiment and footage share one inference path."""

import json

import numpy as np
import pytest
import torch

from facade.detections import DetectionPart, detect_arm
from facade.detector.infer import TrainedDetector, load_detector
from facade.detector.model import build, model_config
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.footage.box_sources import detector_boxes
from tests.conftest import noise


@pytest.fixture
def models(tmp_path, params):
    """`models/<arm>` of one run with random weights, and detection parameters."""
    torch.manual_seed(5)
    detect = params.detect.model_copy(update={"size": 96, "min_score": 0.001})
    model = build(model_config(params.detector, detect))
    # A new head gives scores of 0.01 everywhere; larger weights make them differ.
    model.bbox_head.gfl_cls.weight.data.normal_(0, 0.1)
    folder = tmp_path / "models"
    folder.mkdir()
    torch.save(model.state_dict(), folder / "seed-0.pth")
    description = {
        "arm": "raw", "size": 96, "train": {"seeds": [0]}, "detector": params.detector.model_dump(mode="json"),
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(description))
    return folder, detect


def test_footage_has_the_detections_of_the_experiment(tmp_path, models, params, make_store):
    folder, detect = models
    image = noise(80, 96, 3)
    store = make_store({"a.png": (image, ())})
    train = params.train.model_copy(update={"device": "cpu", "threads": 1, "seeds": (0,)})
    detect_arm(folder, {"all": DetectionPart(store.root)}, tmp_path / "out", params.detector, train, detect)
    results = json.loads((tmp_path / "out" / "all" / "seed-0.json").read_text())
    pixels = store.pixels(next(iter(store)))
    rows = detector_boxes(folder, 0, detect.min_score, None, detect).faces("a.png", 0, [pixels])[0]
    assert len(results) == len(rows) > 10
    np.testing.assert_array_equal(rows[:, :4], [result["bbox"] for result in results])
    np.testing.assert_allclose(rows[:, 4], [result["score"] for result in results], atol=5.01e-4)


def test_boxes_and_scores_are_those_of_mmdets_output(models, params):
    """An independent reading of mmdet's output: a box in the resized image, scaled back."""
    folder, detect = models
    model = build(model_config(params.detector, detect)).eval()
    model.load_state_dict(torch.load(folder / "seed-0.pth", weights_only=True))
    image = noise(96, 96, 4)  # detect.size is 96: nothing is resized
    with torch.no_grad():
        tensor = torch.from_numpy(image).permute(2, 0, 1)
        from mmdet.structures import DetDataSample

        sample = DetDataSample(
            metainfo={"img_shape": (96, 96), "ori_shape": (96, 96), "scale_factor": (1.0, 1.0), "img_id": 0}
        )
        (expected,) = model.test_step({"inputs": [tensor], "data_samples": [sample]})
    (rows,) = TrainedDetector(model, detect).detect([image])
    xyxy = expected.pred_instances.bboxes.numpy()
    assert rows.shape == (len(xyxy), 5)
    assert rows.dtype == np.float64
    np.testing.assert_allclose(rows[:, :2], xyxy[:, :2], atol=1e-5)
    np.testing.assert_allclose(rows[:, :2] + rows[:, 2:4], xyxy[:, 2:], atol=1e-4)
    np.testing.assert_allclose(rows[:, 4], expected.pred_instances.scores.numpy(), atol=1e-7)
    assert (np.diff(rows[:, 4]) <= 0).all()


def test_another_file_under_the_same_path_is_refused(models, params):
    folder, detect = models
    weights = folder / "seed-0.pth"
    digest = sha256_of(weights)
    weights.write_bytes(weights.read_bytes() + b"0")
    with pytest.raises(FacadeError, match="is not the file that the work was started with"):
        load_detector(weights, digest, params.detector, detect, "cpu")
