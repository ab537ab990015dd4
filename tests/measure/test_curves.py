"""Matching, precision-recall curves, and recall at a false-positive rate."""

import numpy as np
import pytest

from facade.measure.average_precision import average_precision
from facade.measure.curves import match, overlaps, precision_at_recalls, recall_at
from tests.measure.test_average_precision import random_case


def truth_of(*faces: tuple[list[float], bool], photographs: int = 1) -> dict:
    return {
        "images": [{"id": number + 1} for number in range(photographs)],
        "annotations": [{"image_id": 1, "bbox": box, "iscrowd": int(ignored)} for box, ignored in faces],
    }


def found(*detections: tuple[list[float], float]) -> list[dict]:
    return [{"image_id": 1, "bbox": box, "score": score} for box, score in detections]


FACE, FAR = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("faces", "detections", "right"),
    [
        ([(FACE, False)], [(FACE, 0.9)], [True]),
        ([(FACE, False)], [(FAR, 0.9)], [False]),
        ([(FACE, False)], [(FACE, 0.9), (FACE, 0.8)], [True, False]),  # a face is found once
        ([(FACE, True)], [(FACE, 0.9)], []),  # neither right nor wrong
        ([(FACE, True)], [(FACE, 0.9), (FACE, 0.8)], []),  # however often
        ([([0.0, 0.0, 40.0, 40.0], True)], [(FACE, 0.9)], []),  # inside an ignored crowd
        ([(FACE, False), (FACE, True)], [(FACE, 0.9), (FACE, 0.8)], [True]),
        ([(FACE, False)], [([0.0, 0.0, 10.0, 5.1], 0.9)], [True]),  # overlap 0.51
        ([(FACE, False)], [([0.0, 0.0, 10.0, 4.9], 0.9)], [False]),  # overlap 0.49
    ],
)
def test_matching(faces, detections, right):
    assert match(truth_of(*faces), found(*detections), 0.5).right.tolist() == right


def test_overlap_is_measured_as_coco_does():
    boxes, others = np.array([[0, 0, 10, 10]]), np.array([[5, 0, 10, 10], [5, 0, 10, 10]])
    np.testing.assert_allclose(overlaps(boxes, others, np.array([False, True])), [[50 / 150, 50 / 100]])


def test_recall_at_a_false_positive_rate():
    truth = truth_of((FACE, False), (FAR, False), photographs=10)
    nowhere = [100.0, 100.0, 10.0, 10.0]
    matched = match(truth, found((FACE, 0.9), (nowhere, 0.8), (nowhere, 0.7), (FAR, 0.6)), 0.5)
    assert recall_at(matched, 0.1) == 0.5, "one false positive in ten photographs is allowed, the second is not"
    assert recall_at(matched, 0.2) == 1.0
    assert recall_at(match(truth, found((nowhere, 0.8), (FACE, 0.5)), 0.5), 0.05) == 0.0


def test_no_detections_give_no_recall():
    matched = match(truth_of((FACE, False)), [], 0.5)
    assert recall_at(matched, 1.0) == 0.0
    assert precision_at_recalls(matched, np.linspace(0, 1, 5)).tolist() == [0] * 5


@pytest.mark.parametrize("seed", range(8))
def test_the_mean_of_the_curve_is_coco_ap50(seed):
    """Independent oracle: COCO's AP is the mean of this curve at recalls 0, 0.01, ... 1."""
    truth, results = random_case(seed)
    curve = precision_at_recalls(match(truth, results, 0.5), np.linspace(0, 1, 101))
    assert curve.mean() == pytest.approx(average_precision(truth, results)["AP50"], abs=1e-9)
