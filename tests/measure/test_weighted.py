"""Average precision of weighted photographs, against pycocotools."""

import contextlib
import copy
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.weighted import match_run
from facade.seeds import generator


def random_case(seed: int, photographs: int = 12) -> tuple[dict, list[dict]]:
    """Faces, some ignored, some overlapping; detections near them and elsewhere, with ties among scores."""
    random = generator("weighted", seed)
    truth = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "face"}], "info": {}}
    results = []
    for photo in range(1, photographs + 1):
        truth["images"].append({"id": photo, "width": 200, "height": 200})
        for _ in range(random.integers(0, 6)):
            x, y, w, h = (*random.uniform(0, 150, 2), *random.uniform(8, 50, 2))
            crowd = int(random.random() < 0.2)
            number = len(truth["annotations"]) + 1
            truth["annotations"].append({"id": number, "image_id": photo, "category_id": 1, "bbox": [x, y, w, h],
                                         "area": w * h, "iscrowd": crowd})  # fmt: skip
            shifted = np.array([x, y, w, h]) + random.normal(0, 4, (random.integers(0, 4), 4))
            results += [{"image_id": photo, "category_id": 1, "bbox": [*near[:2], *np.maximum(near[2:], 2)],
                         "score": round(float(random.random()), 1)} for near in shifted]  # fmt: skip
        for _ in range(random.integers(0, 4)):
            results.append({"image_id": photo, "category_id": 1, "score": round(float(random.random()), 1),
                            "bbox": [*random.uniform(0, 150, 2), *random.uniform(8, 50, 2)]})  # fmt: skip
    return truth, results


def arrays(truth: dict, results: list[dict]):
    """Labels and detections as arrays."""
    return ground_truth_arrays(truth), detection_arrays(truth, results)


def by_pycocotools(truth: dict, results: list[dict], areas: tuple[float, float] = (0, 1e10)) -> np.ndarray:
    """Average precision at each of COCO's ten IoU thresholds; faces whose area lies outside a range are ignored."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = copy.deepcopy(truth)
        coco.createIndex()
        scored = COCOeval(coco, coco.loadRes(copy.deepcopy(results)), "bbox")
        scored.params.maxDets = [1, 10, 100_000]
        scored.params.areaRng, scored.params.areaRngLbl = [list(areas)], ["all"]
        scored.evaluate()
        scored.accumulate()
    return scored.eval["precision"][:, :, 0, 0, 2].mean(1)


@pytest.mark.parametrize("seed", range(25))
def test_unit_weights_equal_pycocotools(seed):
    truth, results = random_case(seed)
    run = match_run(*arrays(truth, results))
    np.testing.assert_allclose(run.average_precision(np.ones(12)), by_pycocotools(truth, results), atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_weighted_photographs_equal_copied_photographs(seed):
    """Independent oracle: the data set with photographs copied and left out. Scores have no ties, as their order is
    undefined."""
    truth, results = random_case(seed)
    random = generator("no ties", seed)
    for result in results:
        result["score"] = float(random.random())
    weights = random.integers(0, 4, 12)
    copied = {**truth, "images": [], "annotations": []}
    detections = []
    for index, image in enumerate(truth["images"]):
        for _ in range(weights[index]):
            number = len(copied["images"]) + 1
            copied["images"].append({**image, "id": number})
            own = [annotation for annotation in truth["annotations"] if annotation["image_id"] == image["id"]]
            first = len(copied["annotations"]) + 1
            copied["annotations"] += [{**one, "id": first + n, "image_id": number} for n, one in enumerate(own)]
            detections += [{**r, "image_id": number} for r in results if r["image_id"] == image["id"]]
    # Copies of a detection tie, which changes nothing: they are all true, or all false positives.
    wanted = by_pycocotools(copied, detections)
    got = match_run(*arrays(truth, results)).average_precision(weights)
    np.testing.assert_allclose(got, wanted, atol=0.02)
    assert np.abs(got - wanted).mean() < 0.005


def test_no_faces_give_nan_and_no_detections_give_zero():
    truth, results = random_case(3)
    run = match_run(*arrays(truth, results))
    assert np.isnan(run.average_precision(np.zeros(12))).all()
    assert (match_run(*arrays(truth, [])).average_precision(np.ones(12)) == 0).all()


def test_fewer_iou_thresholds_give_the_same_values():
    truth, results = random_case(5)
    one = match_run(*arrays(truth, results), (0.5,)).average_precision(np.ones(12))
    np.testing.assert_array_equal(one, match_run(*arrays(truth, results)).average_precision(np.ones(12))[:1])
