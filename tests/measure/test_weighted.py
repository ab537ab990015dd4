"""Average precision with weights, against pycocotools."""

import contextlib
import copy
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.weighted import matched_run
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
    """Labels and detections as the matching takes them."""
    return ground_truth_arrays(truth), detection_arrays(truth, results)


def by_pycocotools(truth: dict, results: list[dict], areas: tuple[float, float] = (0, 1e10)) -> np.ndarray:
    """Average precision at each of COCO's ten overlaps; faces whose area lies outside a range are ignored."""
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
def test_with_all_weights_one_it_is_cocos(seed):
    truth, results = random_case(seed)
    run = matched_run(*arrays(truth, results))
    np.testing.assert_allclose(run.average_precision(np.ones(12)), by_pycocotools(truth, results), atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_a_photograph_that_counts_twice_is_as_if_it_were_there_twice(seed):
    """Independent oracle: the data set with photographs really copied and left out. Scores without ties: their order
    among equals is not defined."""
    truth, results = random_case(seed)
    random = generator("no ties", seed)
    for result in results:
        result["score"] = float(random.random())
    weights = random.integers(0, 4, 12)
    copied = {**truth, "images": [], "annotations": []}
    detections = []
    for place, image in enumerate(truth["images"]):
        for _ in range(weights[place]):
            number = len(copied["images"]) + 1
            copied["images"].append({**image, "id": number})
            own = [annotation for annotation in truth["annotations"] if annotation["image_id"] == image["id"]]
            first = len(copied["annotations"]) + 1
            copied["annotations"] += [{**one, "id": first + n, "image_id": number} for n, one in enumerate(own)]
            detections += [{**r, "image_id": number} for r in results if r["image_id"] == image["id"]]
    # Copies of one detection tie among themselves, which changes nothing: they are all right, or all wrong.
    wanted = by_pycocotools(copied, detections)
    got = matched_run(*arrays(truth, results)).average_precision(weights)
    np.testing.assert_allclose(got, wanted, atol=0.02)
    assert np.abs(got - wanted).mean() < 0.005


def test_nothing_to_find_is_not_a_number_and_nothing_found_is_zero():
    truth, results = random_case(3)
    run = matched_run(*arrays(truth, results))
    assert np.isnan(run.average_precision(np.zeros(12))).all()
    assert (matched_run(*arrays(truth, [])).average_precision(np.ones(12)) == 0).all()


def test_fewer_overlaps_give_the_same_numbers():
    truth, results = random_case(5)
    one = matched_run(*arrays(truth, results), (0.5,)).average_precision(np.ones(12))
    np.testing.assert_array_equal(one, matched_run(*arrays(truth, results)).average_precision(np.ones(12))[:1])
