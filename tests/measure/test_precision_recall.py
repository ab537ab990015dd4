"""Matching, precision-recall curves, and recall at a false-positive rate."""

import numpy as np
import pytest

from facade.measure.average_precision import average_precision
from facade.measure.precision_recall import (
    closest_detections,
    intersection_area,
    match_detections,
    matched_faces,
    precision_at_recalls,
    recall_at_fppi,
)
from tests.measure.test_average_precision import random_case
from tests.measure.test_weighted import arrays


def truth_of(*faces: tuple[list[float], bool], photographs: int = 1, image: int = 1) -> dict:
    return {
        "images": [{"id": number + 1} for number in range(photographs)],
        "annotations": [
            {"id": number, "image_id": image, "bbox": box, "iscrowd": int(ignored)}
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


@pytest.mark.parametrize(
    ("other", "area"),
    [
        ([9.98, 9.98, 5.0, 5.0], 0.0004),
        ([10.0, 0.0, 5.0, 5.0], 0.0),
        ([0.0, 10.0, 5.0, 5.0], 0.0),
        ([20.0, 20.0, 5.0, 5.0], 0.0),
        ([20.0, 2.0, 5.0, 5.0], 0.0),
        ([2.0, 3.0, 4.0, 5.0], 20.0),
        ([-3.0, 6.0, 5.0, 30.0], 8.0),
    ],
)
def test_the_intersection_of_boxes_is_exact_and_zero_where_they_are_apart(other, area):
    assert intersection_area(np.array(FACE), np.array(other)) == pytest.approx(area, abs=1e-9)
    assert intersection_area(np.array(other), np.array(FACE)) == pytest.approx(area, abs=1e-9)


@pytest.mark.parametrize("image", [1, 2, 3])
def test_each_photograph_counts_the_first_and_the_last_too(image):
    truth = truth_of((FACE, False), (FAR, True), photographs=3, image=image)
    detections = [{**one, "image_id": image} for one in results((FACE, 0.9), (FAR, 0.6), (FAR, 0.3))]
    elsewhere = [{**one, "image_id": image % 3 + 1} for one in results((FACE, 0.8))]
    faces, found = arrays(truth, [*detections, *elsewhere])
    iou, score = closest_detections(faces, found, 0.5)
    np.testing.assert_allclose(iou, [1, 1])
    np.testing.assert_allclose(score, [0.9, 0.6])
    assert sorted(matched_faces(faces, found, 0.5).tolist()) == [-2, -2, -1, 0]
    matched = match_detections(faces, found, 0.5)
    assert (matched.faces, matched.photographs) == (1, 3)
    assert matched.scores.tolist() == [0.9, 0.8]


@pytest.mark.parametrize(("iou", "matches"), [(0.5, True), (0.500001, False)])
def test_an_iou_of_exactly_the_threshold_is_a_match(iou, matches):
    faces, detections = arrays(truth_of((FACE, False)), results(([0.0, 0.0, 10.0, 5.0], 0.9)))
    assert match_detections(faces, detections, iou).true_positive.tolist() == [matches]
    assert closest_detections(faces, detections, iou)[1].tolist() == [0.9 if matches else 0.0]
    # Half of the detection lies in the ignored area.
    ignored, half_in = arrays(truth_of((FACE, True)), results(([5.0, 0.0, 10.0, 10.0], 0.9)))
    assert match_detections(ignored, half_in, iou).true_positive.tolist() == ([] if matches else [False])


def test_a_detection_takes_the_first_of_two_equally_close_faces_and_the_closer_of_two():
    two = truth_of(([0.0, 0.0, 10.0, 10.0], False), ([4.0, 0.0, 10.0, 10.0], False))
    middle = arrays(two, results(([2.0, 0.0, 10.0, 10.0], 0.9)))
    assert matched_faces(*middle, 0.5).tolist() == [0]
    assert matched_faces(*arrays(two, results(([3.0, 0.0, 10.0, 10.0], 0.9))), 0.5).tolist() == [1]
    assert matched_faces(*arrays(two, results(([1.0, 0.0, 10.0, 10.0], 0.9))), 0.5).tolist() == [0]


def test_boxes_without_area_match_nothing_and_divide_by_nothing():
    point = [5.0, 5.0, 0.0, 0.0]
    faces, detections = arrays(truth_of((point, False), (FACE, False)), results((point, 0.9), (FACE, 0.8)))
    iou, score = closest_detections(faces, detections, 0.5)
    np.testing.assert_allclose(iou, [0, 1])
    np.testing.assert_allclose(score, [0, 0.8])
    assert match_detections(faces, detections, 0.5).true_positive.tolist() == [False, True]


def test_a_scored_face_comes_before_an_ignored_one_and_an_ignored_one_before_a_false_positive():
    faces, detections = arrays(
        truth_of((FACE, True), ([0.0, 0.0, 10.0, 6.0], False)), results((FACE, 0.9), (FACE, 0.8))
    )
    assert sorted(matched_faces(faces, detections, 0.5).tolist()) == [-2, 1]


def test_precision_at_each_recall_is_the_best_at_it_or_beyond():
    truth = truth_of((FACE, False), (FAR, False))
    nowhere = [100.0, 100.0, 10.0, 10.0]
    matched = match_detections(*arrays(truth, results((nowhere, 0.9), (FACE, 0.8), (FAR, 0.7))), 0.5)
    assert matched.recall.tolist() == [0.0, 0.5, 1.0]
    assert matched.precision.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert precision_at_recalls(matched, np.array([0.0, 0.5, 0.51, 1.0])).tolist() == pytest.approx([2 / 3] * 4)
    only = match_detections(*arrays(truth, results((FACE, 0.8), (nowhere, 0.7))), 0.5)
    assert precision_at_recalls(only, np.array([0.5, 0.51])).tolist() == [1.0, 0.0]
