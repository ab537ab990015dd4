"""Average precision against pycocotools, the reference."""

import contextlib
import copy
import io
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from facade.errors import FacadeError
from facade.measure.average_precision import METRICS, average_precision


def random_case(seed: int) -> tuple[dict, list[dict]]:
    """Crowded photographs, ignored faces, empty photographs, tied scores, detections near faces and elsewhere."""
    random = np.random.default_rng(seed)
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 640, "height": 480} for number in range(1, 9)]
    annotations, results = [], []
    for image in images[:-1]:
        for _ in range(random.integers(0, 40)):
            x, y, w, h = *random.uniform(0, 500, 2), *np.exp(random.uniform(1.5, 5.2, 2))
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image["id"], "category_id": 1, "bbox": [x, y, w, h],
                 "area": w * h, "iscrowd": int(random.random() < 0.15)}
            )  # fmt: skip
            for _ in range(random.integers(0, 4)):
                shift = random.normal(0, 0.15, 4) * (w, h, w, h)
                box = np.maximum(np.array([x, y, w, h]) + shift, 0.5)
                results.append({"image_id": image["id"], "category_id": 1, "bbox": [float(v) for v in box],
                                "score": round(float(random.random()), 2)})  # fmt: skip
        for _ in range(random.integers(0, 30)):
            box = [*random.uniform(0, 500, 2), *random.uniform(5, 150, 2)]
            results.append({"image_id": image["id"], "category_id": 1, "bbox": [float(v) for v in box],
                            "score": round(float(random.random()), 2)})  # fmt: skip
    truth = {
        "info": {"synthetic": True},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    return truth, results


def reference(truth: dict, results: list[dict]) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        scored = COCOeval(coco, coco.loadRes([dict(result) for result in results]), "bbox")
        scored.params.maxDets = [1, 10, 10_000]
        scored.evaluate()
        scored.accumulate()
    precision, recall = scored.eval["precision"], scored.eval["recall"]

    def mean(values: np.ndarray) -> float:
        return float(values[values > -1].mean()) if (values > -1).any() else -1.0

    thresholds = {"AP": slice(None), "AP50": slice(0, 1), "AP75": slice(5, 6)}
    sizes = {"AP_small": 1, "AP_medium": 2, "AP_large": 3}
    values = {name: mean(precision[index, :, :, 0, 2]) for name, index in thresholds.items()}
    values |= {name: mean(precision[:, :, :, index, 2]) for name, index in sizes.items()}
    return {**values, "AR": mean(recall[:, :, 0, 2])}


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_equals_pycocotools_on_random_detections(seed):
    truth, results = random_case(seed)
    ours, theirs = average_precision(truth, results), reference(truth, results)
    assert set(ours) == set(METRICS) == set(theirs)
    for name, value in theirs.items():
        mine = ours[name]
        assert (mine is None) == (value == -1), name
        assert mine is None or math.isclose(mine, value, abs_tol=1e-9), name


def test_crowded_photographs_are_not_limited_to_100_detections():
    boxes = [[10.0 * (number % 20), 10.0 * (number // 20), 8.0, 8.0] for number in range(300)]
    truth = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],
        "annotations": [
            {"id": number + 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 64, "iscrowd": 0}
            for number, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "face"}],
    }
    results = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.5} for box in boxes]
    assert average_precision(truth, results)["AP"] == pytest.approx(1)


def test_sizes_without_a_face_are_not_measured():
    truth, results = random_case(0)
    truth["annotations"] = [face for face in truth["annotations"] if face["area"] < 32**2]
    assert average_precision(truth, results)["AP_large"] is None


def test_labels_are_not_modified():
    truth, results = random_case(2)
    before = copy.deepcopy(truth)
    average_precision(truth, results)
    assert truth == before


def test_no_detections_score_zero():
    truth, _ = random_case(1)
    assert average_precision(truth, [])["AP"] == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"score": float("nan")}, "number 0, has a score or box that is not finite"),
        ({"bbox": [0, 0, float("inf"), 5]}, "number 0, has a score or box that is not finite"),
        ({"image_id": 99}, "refers to photograph 99, which is not in the data set"),
    ],
)
def test_invalid_detections_are_rejected(change, sentence):
    truth, results = random_case(2)
    results[0] = {**results[0], **change}
    with pytest.raises(FacadeError, match=sentence):
        average_precision(truth, results)


def test_golden_set_without_faces_is_rejected():
    truth, results = random_case(3)
    truth["annotations"] = []
    with pytest.raises(FacadeError, match="no face to score"):
        average_precision(truth, results)
