"""The operating point: fixed on calibration photographs, applied to golden ones."""

import numpy as np
import pytest

from facade.measure.arrays import ground_truth_arrays
from facade.measure.bootstrap import draw
from facade.measure.operating_point import at_threshold, frozen_threshold, resampled_recall, resampled_recall_at
from facade.measure.precision_recall import match, recall_at
from facade.seeds import generator
from tests.measure.test_weighted import arrays, random_case


def plain(truth, results, threshold, iou=0.5):
    """Independent oracle, written plainly: greedy matching of the detections above a threshold."""
    right = wrong = 0
    for image in truth["images"]:
        own = [face for face in truth["annotations"] if face["image_id"] == image["id"]]
        taken = set()
        sure = [one for one in results if one["image_id"] == image["id"] and one["score"] >= threshold]
        for one in sorted(sure, key=lambda one: -one["score"]):
            best, at = -1.0, None
            for face in own:
                if not face["iscrowd"] and face["id"] not in taken and share(one["bbox"], face["bbox"]) > best:
                    best, at = share(one["bbox"], face["bbox"]), face["id"]
            if best >= iou:
                taken.add(at)
                right += 1
            elif not any(face["iscrowd"] and share(one["bbox"], face["bbox"], True) >= iou for face in own):
                wrong += 1
    return right, wrong


def share(one, other, of_own=False):
    wide = max(0, min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0]))
    high = max(0, min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1]))
    area = one[2] * one[3] + (0 if of_own else other[2] * other[3] - wide * high)
    return wide * high / area


@pytest.mark.parametrize("seed", range(6))
def test_the_threshold_has_the_best_f1_of_all(seed):
    truth, results = random_case(seed)
    faces = sum(not face["iscrowd"] for face in truth["annotations"])

    def f1(threshold):
        right, wrong = plain(truth, results, threshold)
        return 2 * right / (right + wrong + faces)

    chosen = frozen_threshold(*arrays(truth, results), 0.5)
    scores = sorted({result["score"] for result in results})
    assert f1(chosen) == pytest.approx(max(map(f1, scores)), abs=1e-12)
    lowest = min(score for score in scores if f1(score) == pytest.approx(f1(chosen), abs=1e-12))
    assert plain(truth, results, lowest) == plain(truth, results, chosen), "of equals, the one that misses fewer"


@pytest.mark.parametrize("seed", range(6))
def test_precision_and_recall_are_those_of_plain_counting(seed):
    truth, results = random_case(seed + 20)
    faces = sum(not face["iscrowd"] for face in truth["annotations"])
    for threshold in (0.2, 0.5, 0.8):
        right, wrong = plain(truth, results, threshold)
        told = at_threshold(*arrays(truth, results), threshold, 0.5).metrics
        assert told["recall"] == pytest.approx(right / faces)
        assert told["precision"] == pytest.approx(right / (right + wrong))
        assert told["F1"] == pytest.approx(2 * right / (right + wrong + faces))
        assert told["misses_a_photo"] == pytest.approx((faces - right) / 12)
        assert told["false_a_photo"] == pytest.approx(wrong / 12)


def test_without_faces_there_is_no_threshold_and_nothing_is_told():
    truth, results = random_case(4)
    assert frozen_threshold(*arrays({**truth, "annotations": []}, results), 0.5) is None
    assert set(at_threshold(*arrays(truth, results), None, 0.5).metrics.values()) == {None}


def test_a_run_that_finds_nothing_on_calibration_photographs_is_not_used_at_all():
    """That is a result: it misses everything."""
    truth, results = random_case(4)
    nowhere = {**results[0], "bbox": [190, 190, 1, 1]}
    for found in ([], [nowhere]):
        assert frozen_threshold(*arrays(truth, found), 0.5) == float("inf")
    told = at_threshold(*arrays(truth, results), float("inf"), 0.5).metrics
    assert told["recall"] == told["false_a_photo"] == 0
    assert told["precision"] is None


def test_faces_are_told_in_the_order_of_the_annotations():
    """Whatever the order of the photographs in them."""
    truth, results = random_case(9)
    told = at_threshold(*arrays(truth, results), 0.4, 0.5)
    scored = [face["id"] for face in truth["annotations"] if not face["iscrowd"]]
    by_id = dict(zip(scored, told.found, strict=True))
    mixed = {**truth, "annotations": truth["annotations"][::-1], "images": truth["images"][::-1]}
    again = at_threshold(*arrays(mixed, results), 0.4, 0.5)
    for face, found in zip([f for f in mixed["annotations"] if not f["iscrowd"]], again.found, strict=True):
        assert by_id[face["id"]] == found


def test_a_missed_face_tells_how_near_it_was_to_being_found():
    truth = {"images": [{"id": 1}], "annotations": [{"id": 1, "image_id": 1, "bbox": [0, 0, 10, 10], "iscrowd": 0}]}
    results = [
        {"image_id": 1, "bbox": [0, 0, 10, 8], "score": 0.3},
        {"image_id": 1, "bbox": [0, 0, 10, 9], "score": 0.2},
        {"image_id": 1, "bbox": [0, 0, 10, 4], "score": 0.9},
    ]
    outcome = at_threshold(*arrays(truth, results), 0.5, 0.5)
    assert not outcome.found[0]
    assert outcome.best_overlap[0] == pytest.approx(0.9)
    assert outcome.best_score[0] == pytest.approx(0.3)
    assert outcome.wrong.tolist() == [1]


def test_recall_in_a_draw_is_that_of_the_photographs_drawn():
    truth, results = random_case(5)
    outcomes = [at_threshold(*arrays(truth, results[n:]), 0.4, 0.5) for n in range(2)]
    draws = draw(12, 2, 20, generator("recall"))
    resampled = resampled_recall(ground_truth_arrays(truth), outcomes, draws)
    scored = [face for face in truth["annotations"] if not face["iscrowd"]]
    for weights, row in zip(draws.photographs, resampled.drawn[:, :, 0], strict=True):
        times = np.array([weights[face["image_id"] - 1] for face in scored])
        for outcome, value in zip(outcomes, row, strict=True):
            assert value == pytest.approx((times * outcome.found).sum() / times.sum())


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_recall_at_a_rate_in_a_draw_is_that_of_photographs_that_stand_there_so_often(rate):
    """Independent oracle: the data set with each photograph copied as often as it was drawn."""
    truth, results = random_case(5, photographs=30)
    draws = draw(30, 1, 4, generator("rates"))
    faces, found = arrays(truth, results)
    drawn = resampled_recall_at(faces, [found], draws, 0.5, rate)
    assert drawn.seen[0, 0] == recall_at(match(faces, found, 0.5), rate)
    for number, weights in enumerate(draws.photographs):
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
        wanted = recall_at(match(*arrays(copies, detections), 0.5), rate)
        assert drawn.drawn[number, 0, 0] == pytest.approx(wanted, abs=1e-12)
