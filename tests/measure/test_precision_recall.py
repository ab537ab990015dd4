"""Matching, precision-recall curves, and recall at a false-positive rate."""

import numpy as np
import pytest

from facade.measure.average_precision import average_precision
from facade.measure.precision_recall import closest_detections, match_detections, precision_at_recalls, recall_at_fppi
from tests.measure.test_average_precision import random_case
from tests.measure.test_weighted import arrays


def truth_of(*faces: tuple[list[float], bool], photographs: int = 1) -> dict:
    return {
        "images": [{"id": number + 1} for number in range(photographs)],
        "annotations": [
            {"id": number, "image_id": 1, "bbox": box, "iscrowd": int(ignored)}
            for number, (box, ignored) in enumerate(faces)
        ],
    }


def results(*detections: tuple[list[float], float]) -> list[dict]:
    return [{"image_id": 1, "bbox": box, "score": score} for box, score in detections]


FACE, FAR = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("faces", "detections", "true_positive"),
    [
        ([(FACE, False)], [(FACE, 0.9)], [True]),
        ([(FACE, False)], [(FAR, 0.9)], [False]),
        ([(FACE, False)], [(FACE, 0.9), (FACE, 0.8)], [True, False]),  # a face is matched once
        ([(FACE, True)], [(FACE, 0.9)], []),  # ignored
        ([(FACE, True)], [(FACE, 0.9), (FACE, 0.8)], []),  # however often
        ([([0.0, 0.0, 40.0, 40.0], True)], [(FACE, 0.9)], []),  # inside an ignored crowd
        ([(FACE, False), (FACE, True)], [(FACE, 0.9), (FACE, 0.8)], [True]),
        ([(FACE, False)], [([0.0, 0.0, 10.0, 5.1], 0.9)], [True]),  # IoU 0.51
        ([(FACE, False)], [([0.0, 0.0, 10.0, 4.9], 0.9)], [False]),  # IoU 0.49
    ],
)
def test_matching(faces, detections, true_positive):
    assert (
        match_detections(*arrays(truth_of(*faces), results(*detections)), 0.5).true_positive.tolist() == true_positive
    )


def test_closest_detections_are_measured_by_iou():
    truth = truth_of(([5.0, 0.0, 10.0, 10.0], False), (FAR, False))
    iou, score = closest_detections(*arrays(truth, results((FACE, 0.9), (FAR, 0.3), (FAR, 0.2))), 0.5)
    np.testing.assert_allclose(iou, [50 / 150, 1])
    np.testing.assert_allclose(score, [0, 0.3])


def test_a_threshold_admits_all_tied_scores_or_none():
    truth, nowhere = truth_of((FACE, False)), [100.0, 100.0, 10.0, 10.0]
    for one, other in ((FACE, nowhere), (nowhere, FACE)):
        assert recall_at_fppi(match_detections(*arrays(truth, results((one, 0.5), (other, 0.5))), 0.5), 0.5) == 0
        assert recall_at_fppi(match_detections(*arrays(truth, results((one, 0.5), (other, 0.5))), 0.5), 1) == 1


def test_recall_at_a_false_positive_rate():
    truth = truth_of((FACE, False), (FAR, False), photographs=10)
    nowhere = [100.0, 100.0, 10.0, 10.0]
    matched = match_detections(*arrays(truth, results((FACE, 0.9), (nowhere, 0.8), (nowhere, 0.7), (FAR, 0.6))), 0.5)
    assert recall_at_fppi(matched, 0.1) == 0.5, "one false positive in ten photographs is allowed, the second is not"
    assert recall_at_fppi(matched, 0.2) == 1.0
    assert recall_at_fppi(match_detections(*arrays(truth, results((nowhere, 0.8), (FACE, 0.5))), 0.5), 0.05) == 0.0


def test_no_detections_give_no_recall():
    matched = match_detections(*arrays(truth_of((FACE, False)), []), 0.5)
    assert recall_at_fppi(matched, 1.0) == 0.0
    assert precision_at_recalls(matched, np.linspace(0, 1, 5)).tolist() == [0] * 5


@pytest.mark.parametrize("seed", range(8))
def test_the_mean_of_the_curve_is_coco_ap50(seed):
    """Independent oracle: COCO's AP is the mean of this curve at recalls 0, 0.01, ... 1."""
    truth, detections = random_case(seed)
    curve = precision_at_recalls(match_detections(*arrays(truth, detections), 0.5), np.linspace(0, 1, 101))
    assert curve.mean() == pytest.approx(average_precision(truth, detections)["AP50"], abs=1e-9)
