"""Unlabelled faces, and the estimate of hidden ones."""

import json

import cv2
import numpy as np
import pytest

from facade.audit.unlabelled import (
    Capture,
    HiddenEstimate,
    as_coco,
    count_captures,
    detect_faces,
    estimate_hidden,
    unlabelled_detections,
)
from facade.dataset import Face, Photograph
from facade.dataset.extra_boxes import read_extra_boxes
from facade.retinaface import DetectedFace
from tests.conftest import SHARED, noise

WEIGHTS = SHARED / "weights" / "detection_mobilenet0.25_Final.pth"
PEERS = SHARED / "weights" / "peers"
BANK = SHARED / "data" / "facebank-sfhq"


def found(*box, score=0.9):
    x, y, w, h = box
    return DetectedFace(
        box, score, np.array([(x, y), (x + w, y), (x + w / 2, y + h / 2), (x, y + h), (x + w, y + h)], float)
    )


def photograph(*boxes):
    return Photograph("0123456789abcdef.jpg", 300, 200, tuple(Face(box) for box in boxes))


def test_a_detection_without_a_label_is_unlabelled():
    labels = photograph((10, 10, 40, 50), (100, 10, 40, 50))
    own, other = found(12, 11, 38, 52), found(200, 100, 40, 50)
    assert unlabelled_detections(labels, [own, other]) == [other]


def test_detections_on_a_label_are_labelled_and_a_neighbor_is_not():
    labels = photograph((10, 10, 40, 50))
    eyes = found(12, 12, 30, 14)  # inside the label
    neighbor = found(40, 10, 40, 50)  # covers a quarter of the label
    assert unlabelled_detections(labels, [found(11, 10, 40, 50), eyes, neighbor]) == [neighbor]


def test_detections_outside_the_photograph_are_dropped():
    assert unlabelled_detections(photograph(), [found(400, 10, 20, 20), found(-30, -30, 20, 20)]) == []


def test_a_matched_face_counts_in_the_stratum_of_its_label():
    labels = photograph((10, 10, 20, 30), (60, 10, 20, 10), (100, 10, 60, 80))
    tables = count_captures([labels], [[found(10, 10, 20, 33), found(200, 100, 40, 70), found(60, 10, 20, 10)]])
    assert tables == [Capture(1, 1, 1), Capture(0, 0, 0), Capture(1, 1, 0)]


def test_the_estimate_equals_chapmans_formula_by_hand():
    """200 and 150 found, 100 by both: 201 * 151 / 101 - 1 = 299.50 in total, 49.50 hidden; Seber's variance."""
    estimate = estimate_hidden([Capture(200, 150, 100)])
    assert estimate.estimate == pytest.approx(201 * 151 / 101 - 1 - 250)
    deviation = np.sqrt(201 * 151 * 100 * 50 / (101**2 * 102))
    factor = np.exp(1.959964 * np.sqrt(np.log(1 + deviation**2 / estimate.estimate**2)))
    assert (estimate.low, estimate.high) == pytest.approx((estimate.estimate / factor, estimate.estimate * factor))


def test_the_interval_covers_the_truth_for_independent_observers():
    held = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        tables, unseen = [], 0
        for faces, people, network in ((300, 0.6, 0.5), (200, 0.9, 0.8)):
            one, two = random.random(faces) < people, random.random(faces) < network
            tables.append(Capture(int(one.sum()), int(two.sum()), int((one & two).sum())))
            unseen += int((~one & ~two).sum())
        estimate = estimate_hidden(tables)
        held += estimate.low <= unseen <= estimate.high
    assert held / 300 > 0.9


def test_a_detector_without_detections_gives_no_estimate():
    assert estimate_hidden([Capture(5000, 0, 0), Capture(50, 50, 50)]) is None


def test_full_agreement_gives_an_estimate_of_zero():
    assert estimate_hidden([Capture(0, 0, 0), Capture(50, 50, 50)]) == HiddenEstimate(0.0, 0.0, 0.0)


def test_the_list_is_valid_coco_and_is_read_as_faces_to_treat(make_store, tmp_path):
    from pycocotools.coco import COCO

    store = make_store({"a.jpg": (noise(200, 300), ()), "b.jpg": (noise(200, 300, 1), ())})
    path = tmp_path / "extra-boxes.json"
    path.write_text(json.dumps(as_coco(store, [[], [found(10.123, 20, 30, 40)]])))
    listed = COCO(str(path))
    assert [listed.imgs[one["image_id"]]["file_name"] for one in listed.anns.values()] == ["b.jpg"]
    extra_boxes = read_extra_boxes(path)
    assert list(extra_boxes) == ["b.jpg"]
    assert extra_boxes["b.jpg"][0].bbox == (10.12, 20, 30, 40)
    assert extra_boxes["b.jpg"][0].ignore
    assert len(extra_boxes["b.jpg"][0].keypoints) == 5


def test_faces_of_a_detector_without_landmarks_are_written_without_them(make_store, tmp_path):
    none = DetectedFace((10, 20, 30, 40), 0.9, np.full((5, 2), np.nan))
    content = as_coco(make_store({"a.jpg": (noise(200, 300), ())}), [[none]])
    assert content["annotations"][0]["num_keypoints"] == 0
    path = tmp_path / "extra.json"
    path.write_text(json.dumps(content, allow_nan=False))
    (face,) = next(iter(read_extra_boxes(path).values()))
    assert face.keypoints is None


@pytest.mark.skipif(not BANK.is_dir(), reason="no synthetic portraits")
@pytest.mark.parametrize("weights", [WEIGHTS, PEERS / "yunet_n_dynamic.onnx", PEERS / "version-RFB-640.onnx"], ids=str)
def test_a_planted_unlabelled_face_is_found(make_store, weights):
    """Three synthetic portraits on one photograph; one has no label."""
    if not weights.is_file():
        pytest.skip(f"{weights} is not here")
    scene = noise(300, 700)
    places = []
    for number, name in enumerate(sorted(BANK.glob("*.jpg"))[:3]):
        tile = cv2.resize(cv2.imread(str(name)), (200, 200), interpolation=cv2.INTER_AREA)
        scene[50:250, 20 + 220 * number : 220 + 220 * number] = tile
        places.append((20.0 + 220 * number, 50.0, 200.0, 200.0))
    all_faces = detect_faces(make_store({"a.jpg": (scene, ())}, "all"), weights, 0.8)[0]
    assert len(all_faces) == 3
    boxes = sorted((one.bbox for one in all_faces), key=lambda box: box[0])
    labelled = make_store({"a.jpg": (scene, tuple(Face(box) for box in (boxes[0], boxes[2])))}, "labelled")
    new = unlabelled_detections(next(iter(labelled)), detect_faces(labelled, weights, 0.8)[0])
    assert [one.bbox for one in new] == [boxes[1]]
