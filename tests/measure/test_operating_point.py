"""The operating point: calibrated on calibration photographs, applied to golden ones."""

import numpy as np
import pytest

from facade.measure.arrays import ground_truth_arrays
from facade.measure.bootstrap import draw_bootstrap
from facade.measure.operating_point import (
    calibrate_threshold,
    evaluate_at_threshold,
    resampled_recall,
    resampled_recall_at_fppi,
)
from facade.measure.precision_recall import match_detections, recall_at_fppi
from facade.seeds import generator
from tests.measure.test_weighted import arrays, random_case


def count_naively(truth, results, threshold, iou=0.5):
    """Independent oracle: naive greedy matching of the detections above a threshold; true and false positives."""
    tp = fp = 0
    for image in truth["images"]:
        own = [face for face in truth["annotations"] if face["image_id"] == image["id"]]
        taken = set()
        kept = [one for one in results if one["image_id"] == image["id"] and one["score"] >= threshold]
        for one in sorted(kept, key=lambda one: -one["score"]):
            best, at = -1.0, None
            for face in own:
                if not face["iscrowd"] and face["id"] not in taken and iou_of(one["bbox"], face["bbox"]) > best:
                    best, at = iou_of(one["bbox"], face["bbox"]), face["id"]
            if best >= iou:
                taken.add(at)
                tp += 1
            elif not any(face["iscrowd"] and iou_of(one["bbox"], face["bbox"], True) >= iou for face in own):
                fp += 1
    return tp, fp


def iou_of(one, other, of_first=False):
    wide = max(0, min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0]))
    high = max(0, min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1]))
    area = one[2] * one[3] + (0 if of_first else other[2] * other[3] - wide * high)
    return wide * high / area


@pytest.mark.parametrize("seed", range(6))
def test_threshold_has_the_highest_f1(seed):
    truth, results = random_case(seed)
    faces = sum(not face["iscrowd"] for face in truth["annotations"])

    def f1(threshold):
        tp, fp = count_naively(truth, results, threshold)
        return 2 * tp / (tp + fp + faces)

    chosen = calibrate_threshold(*arrays(truth, results), 0.5)
    scores = sorted({result["score"] for result in results})
    assert f1(chosen) == pytest.approx(max(map(f1, scores)), abs=1e-12)
    lowest = min(score for score in scores if f1(score) == pytest.approx(f1(chosen), abs=1e-12))
    assert count_naively(truth, results, lowest) == count_naively(truth, results, chosen), (
        "of ties, the lowest threshold"
    )


def test_of_equal_f1_the_lower_threshold_misses_fewer_faces():
    images = [{"id": 1, "width": 400, "height": 100}]
    faces = [{"id": n, "image_id": 1, "bbox": [100 * n, 0, 50, 50], "iscrowd": 0} for n in range(2)]
    truth = {"images": images, "annotations": faces}

    def result(x, score):
        return {"image_id": 1, "bbox": [x, 0, 50, 50], "score": score}

    # After .9: 2 * 1 / (1 + 2) = 2/3. After .5 and its two false positives: 2 * 2 / (4 + 2) = 2/3.
    results = [result(0, 0.9), result(200, 0.7), result(260, 0.6), result(100, 0.5)]
    assert calibrate_threshold(*arrays(truth, results), 0.5) == 0.5


@pytest.mark.parametrize("seed", range(6))
def test_precision_and_recall_equal_naive_counting(seed):
    truth, results = random_case(seed + 20)
    faces = sum(not face["iscrowd"] for face in truth["annotations"])
    for threshold in (0.2, 0.5, 0.8):
        tp, fp = count_naively(truth, results, threshold)
        metrics = evaluate_at_threshold(*arrays(truth, results), threshold, 0.5).metrics
        assert metrics["recall"] == pytest.approx(tp / faces)
        assert metrics["precision"] == pytest.approx(tp / (tp + fp))
        assert metrics["F1"] == pytest.approx(2 * tp / (tp + fp + faces))
        assert metrics["fn_per_image"] == pytest.approx((faces - tp) / 12)
        assert metrics["fppi"] == pytest.approx(fp / 12)


def test_without_faces_there_is_no_threshold_and_no_metric():
    truth, results = random_case(4)
    assert calibrate_threshold(*arrays({**truth, "annotations": []}, results), 0.5) is None
    assert set(evaluate_at_threshold(*arrays(truth, results), None, 0.5).metrics.values()) == {None}


def test_run_without_true_positives_on_calibration_photographs_gets_an_infinite_threshold():
    """Its recall is 0, which is a result."""
    truth, results = random_case(4)
    nowhere = {**results[0], "bbox": [190, 190, 1, 1]}
    for detections in ([], [nowhere]):
        assert calibrate_threshold(*arrays(truth, detections), 0.5) == float("inf")
    metrics = evaluate_at_threshold(*arrays(truth, results), float("inf"), 0.5).metrics
    assert metrics["recall"] == metrics["fppi"] == 0
    assert metrics["precision"] is None


def test_detected_faces_are_in_the_order_of_the_annotations():
    """Whatever the order of their photographs."""
    truth, results = random_case(9)
    point = evaluate_at_threshold(*arrays(truth, results), 0.4, 0.5)
    scored = [face["id"] for face in truth["annotations"] if not face["iscrowd"]]
    by_id = dict(zip(scored, point.detected, strict=True))
    mixed = {**truth, "annotations": truth["annotations"][::-1], "images": truth["images"][::-1]}
    again = evaluate_at_threshold(*arrays(mixed, results), 0.4, 0.5)
    for face, detected in zip([f for f in mixed["annotations"] if not f["iscrowd"]], again.detected, strict=True):
        assert by_id[face["id"]] == detected


def test_missed_face_has_the_closest_detection():
    truth = {"images": [{"id": 1}], "annotations": [{"id": 1, "image_id": 1, "bbox": [0, 0, 10, 10], "iscrowd": 0}]}
    results = [
        {"image_id": 1, "bbox": [0, 0, 10, 8], "score": 0.3},
        {"image_id": 1, "bbox": [0, 0, 10, 9], "score": 0.2},
        {"image_id": 1, "bbox": [0, 0, 10, 4], "score": 0.9},
    ]
    point = evaluate_at_threshold(*arrays(truth, results), 0.5, 0.5)
    assert not point.detected[0]
    assert point.best_iou[0] == pytest.approx(0.9)
    assert point.best_score[0] == pytest.approx(0.3)
    assert point.false_positives.tolist() == [1]


def test_recall_on_a_bootstrap_sample_equals_weighted_recall():
    truth, results = random_case(5)
    points = [evaluate_at_threshold(*arrays(truth, results[n:]), 0.4, 0.5) for n in range(2)]
    bootstrap = draw_bootstrap(12, 2, 20, generator("recall"))
    resampled = resampled_recall(ground_truth_arrays(truth), points, bootstrap)
    scored = [face for face in truth["annotations"] if not face["iscrowd"]]
    for weights, row in zip(bootstrap.photograph_counts, resampled.samples[:, :, 0], strict=True):
        times = np.array([weights[face["image_id"] - 1] for face in scored])
        for point, value in zip(points, row, strict=True):
            assert value == pytest.approx((times * point.detected).sum() / times.sum())


@pytest.mark.parametrize("fppi", [0.1, 1.0])
def test_recall_at_fppi_on_a_bootstrap_sample_equals_that_of_copied_photographs(fppi):
    """Independent oracle: the data set with each photograph copied as often as it was sampled."""
    truth, results = random_case(5, photographs=30)
    bootstrap = draw_bootstrap(30, 1, 4, generator("rates"))
    faces, detections_of_run = arrays(truth, results)
    resampled = resampled_recall_at_fppi(faces, [detections_of_run], bootstrap, 0.5, fppi)
    assert resampled.estimate[0, 0] == recall_at_fppi(match_detections(faces, detections_of_run, 0.5), fppi)
    for number, weights in enumerate(bootstrap.photograph_counts):
        copies = {"images": [], "annotations": []}
        detections = []
        for image, weight in zip(sorted(truth["images"], key=lambda one: one["id"]), weights, strict=True):
            for _ in range(weight):
                new = len(copies["images"]) + 1
                copies["images"].append({"id": new})
                copies["annotations"] += [
                    {**face, "image_id": new} for face in truth["annotations"] if face["image_id"] == image["id"]
                ]
                detections += [{**one, "image_id": new} for one in results if one["image_id"] == image["id"]]
        wanted = recall_at_fppi(match_detections(*arrays(copies, detections), 0.5), fppi)
        assert resampled.samples[number, 0, 0] == pytest.approx(wanted, abs=1e-12)


def test_photographs_without_a_face_or_a_detection_count_in_every_rate():
    """The last photographs are empty: nothing names them but the list of photographs."""
    images = [{"id": number} for number in (1, 2, 3, 4)]
    truth = {"images": images, "annotations": [{"id": 1, "image_id": 2, "bbox": [0, 0, 10, 10], "iscrowd": 0}]}
    results = [
        {"image_id": 1, "bbox": [0, 0, 10, 10], "score": 0.9}, {"image_id": 2, "bbox": [0, 0, 10, 10], "score": 0.5},
    ]  # fmt: skip
    faces, detections = arrays(truth, results)
    point = evaluate_at_threshold(faces, detections, 0.5, 0.5)
    assert point.false_positives.tolist() == [1, 0, 0, 0]
    assert point.metrics == {
        "threshold": 0.5, "precision": 0.5, "recall": 1.0, "F1": 2 / 3, "fn_per_image": 0.0, "fppi": 0.25,
    }  # fmt: skip
    assert evaluate_at_threshold(faces, detections, 0.51, 0.5).metrics["fn_per_image"] == 0.25
    bootstrap = draw_bootstrap(4, 1, 30, generator("empty"))
    recall = resampled_recall(faces, [point], bootstrap)
    assert recall.estimate.tolist() == [[1.0]]
    with_face = bootstrap.photograph_counts[:, 1] > 0
    np.testing.assert_array_equal(recall.samples[:, 0, 0], np.where(with_face, 1.0, np.nan))
    # One false positive in four photographs is allowed at .25, and not at .2: the threshold must exceed .9 there.
    for fppi, wanted in ((0.25, 1.0), (0.2, 0.0)):
        at_fppi = resampled_recall_at_fppi(faces, [detections], bootstrap, 0.5, fppi)
        assert at_fppi.estimate.tolist() == [[wanted]]
        allowed = bootstrap.photograph_counts[:, 0] <= fppi * 4
        np.testing.assert_array_equal(at_fppi.samples[:, 0, 0], np.where(with_face, allowed * 1.0, np.nan))


def test_recall_of_a_slice_counts_its_faces_alone():
    truth, results = random_case(5)
    faces, detections = arrays(truth, results)
    point = evaluate_at_threshold(faces, detections, 0.4, 0.5)
    scored = np.arange(len(point.detected)) % 3 == 0
    bootstrap = draw_bootstrap(12, 1, 3, generator("slice"))
    assert resampled_recall(faces, [point], bootstrap, scored).estimate[0, 0] == point.detected[scored].mean()


def test_a_run_without_a_threshold_has_no_recall():
    truth, results = random_case(5)
    faces, detections = arrays(truth, results)
    points = [evaluate_at_threshold(faces, detections, threshold, 0.5) for threshold in (None, 0.4)]
    estimate = resampled_recall(faces, points, draw_bootstrap(12, 2, 3, generator("none"))).estimate
    assert np.isnan(estimate[:, 0]).tolist() == [True, False]
    assert not points[0].detected.any()
    assert points[0].false_positives.sum() == 0
