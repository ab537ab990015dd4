"""The landmark network, against rendered heads whose landmarks are known."""

import cv2
import numpy as np
import pytest

from facade.anonymize.head_pose import estimate_pose
from facade.demo.face_crops import HEIGHT, TILE, draw_face_crop
from facade.heads import Pose, View, develop, render_head, sample_expression, sample_identity
from facade.heads.light import sample_light
from facade.networks.landmarks import MIN_CONFIDENCE, WEIGHTS, find_landmarks, with_landmarks
from facade.seeds import generator
from tests.conftest import SHARED

MAX_BYTES = 300_000


def portrait(number: int, height: float, pose: Pose | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """A rendered person that no training has seen: image, landmarks, box, yaw."""
    random = generator("landmark test", number)
    if pose is None:
        pose = Pose(float(random.uniform(-60, 60)), float(random.normal(0, 8)), float(random.normal(0, 8)))
    side = int(2.6 * height)
    view = View.of_face(pose, height, side / 2, side / 2)
    head = render_head(sample_identity(random), sample_expression(random), view, sample_light(random), (side, side))
    cover = head.alpha[..., None]
    shown = develop(head.linear) * cover + random.uniform(0.1, 0.9, 3) * (1 - cover)
    return np.rint(255 * shown).astype(np.uint8), head.keypoints, np.array(head.bbox), pose.yaw


def errors(height: float, count: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Mean error of the landmarks in box sizes, and error of the yaw in degrees, of persons in jittered boxes."""
    random = np.random.default_rng(0)
    distances, turns = [], []
    for number in range(count):
        image, keypoints, box, yaw = portrait(number, height)
        jittered = box + random.normal(0, 0.05 * box[3], 4)
        points, _ = find_landmarks(image, jittered[None])
        distances.append(np.linalg.norm(points[0] - keypoints, axis=1).mean() / np.sqrt(box[2] * box[3]))
        turns.append(abs(estimate_pose(points[0]).yaw - yaw))
    return np.array(distances), np.array(turns)


@pytest.mark.parametrize(("height", "limit"), [(24, 0.08), (48, 0.06), (160, 0.06)])
def test_landmarks_of_rendered_people_are_found_at_any_size(height, limit):
    distances, turns = errors(height)
    assert distances.mean() < limit
    assert np.median(turns) < 9


def test_small_and_shipped_in_the_package():
    assert WEIGHTS.stat().st_size < MAX_BYTES


def test_confidence_is_high_on_faces_and_low_on_backs_of_heads_and_walls():
    faces = [draw_face_crop(generator("landmark test", "tile", number)) for number in range(120)]

    def confidence(crop):
        return find_landmarks(cv2.cvtColor(crop.pixels, cv2.COLOR_GRAY2BGR), crop.bbox[None])[1][0]

    seen = np.array([confidence(crop) for crop in faces if crop.is_face and abs(crop.yaw) < 60])
    unseen = np.array([confidence(crop) for crop in faces if not crop.is_face])
    assert (seen >= MIN_CONFIDENCE).mean() > 0.95
    assert (unseen >= MIN_CONFIDENCE).mean() < 0.5
    assert np.median(seen) > 10 * np.median(unseen)


def test_a_mirrored_picture_has_mirrored_landmarks():
    image, _, box, _ = portrait(3, 64)
    width = image.shape[1]
    points, sure = find_landmarks(image, box[None])
    other, sure_too = find_landmarks(
        np.ascontiguousarray(image[:, ::-1]), box[None] * (-1, 1, 1, 1) + (width - box[2], 0, 0, 0)
    )
    np.testing.assert_allclose(other[0][[1, 0, 2, 4, 3]] * (-1, 1) + (width, 0), points[0], atol=1.0)
    assert sure == pytest.approx(sure_too, abs=0.1)


def test_a_face_does_not_depend_on_the_others_in_the_picture():
    image, _, box, _ = portrait(5, 64)
    alone, _ = find_landmarks(image, box[None])
    beside, _ = find_landmarks(image, np.stack([box * 0.5, box, box + 9]))
    np.testing.assert_allclose(beside[1], alone[0], atol=1e-3)


@pytest.mark.parametrize("box", [(-30, -30, 60, 60), (90, 90, 400, 400), (500, 500, 10, 10), (40, 40, 0.5, 0.5)])
def test_boxes_at_and_beyond_the_border_are_not_refused(box):
    points, confidence = find_landmarks(np.full((100, 100, 3), 90, np.uint8), np.array([box], float))
    assert np.isfinite(points).all()
    assert 0 <= confidence[0] <= 1


def test_a_detectors_own_landmarks_are_kept_and_missing_ones_completed():
    image, keypoints, box, _ = portrait(1, 80, Pose(20, 0, 0))
    bare = np.array([[*box, 0.9]])
    assert with_landmarks(image, bare[:0]).shape == (0, 15)
    found = with_landmarks(image, bare)
    assert found.shape == (1, 15)
    np.testing.assert_allclose(found[0, 5:].reshape(5, 2), keypoints, atol=8)
    own = np.concatenate([[*box, 0.9], np.arange(10.0)])
    both = with_landmarks(image, np.stack([own, np.concatenate([[*box, 0.9], np.full(10, np.nan)])]))
    np.testing.assert_array_equal(both[0], own)
    np.testing.assert_allclose(both[1], found[0], atol=1e-3)
    wall = np.full_like(image, 128)
    assert np.isnan(with_landmarks(wall, bare)[0, 5:]).all()


def test_the_network_can_be_trained_again_to_the_same_bytes(tmp_path):
    pytest.importorskip("torch")
    from facade.experiments.landmark_training import train_landmarks

    for name in ("one", "two"):
        train_landmarks(tmp_path / f"{name}.onnx", samples=128, epochs=1, workers=1)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
    assert (tmp_path / "one.onnx").stat().st_size < MAX_BYTES


def test_rendered_tiles_hold_the_face_in_the_middle():
    for number in range(20):
        crop = draw_face_crop(generator("landmark test", "tile", number))
        assert crop.pixels.shape == (TILE, TILE)
        if crop.is_face:
            assert 0.6 * HEIGHT < crop.bbox[3] < 1.5 * HEIGHT
            assert (np.abs(crop.keypoints - TILE / 2) < 0.6 * HEIGHT).all()
    again = draw_face_crop(generator("landmark test", "tile", 3))
    first = draw_face_crop(generator("landmark test", "tile", 3))
    np.testing.assert_array_equal(again.pixels, first.pixels)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared beside the checkout")
def test_on_real_faces_landmarks_agree_with_retinaface_and_boxes_alone_do_not():
    """Photographs of real people: nothing of them is stored."""
    from facade.anonymize.head_pose import view_from_keypoints
    from facade.heads.fit import mean_head
    from facade.retinaface import RetinaFace

    network = RetinaFace(SHARED / "weights" / "detection_mobilenet0.25_Final.pth")
    ours, boxes_alone, yaws = [], [], []
    files = sorted((SHARED / "data" / "widerface-640" / "WIDER_val" / "images").rglob("*.jpg"))[::60]
    for file in files:
        image = cv2.imread(str(file))
        faces = [face for face in network.detect(image, 0.9) if face.bbox[3] >= 32]
        if not faces:
            continue
        points, confidence = find_landmarks(image, np.array([face.bbox for face in faces]))
        for face, own, sure in zip(faces, points, confidence, strict=True):
            if sure < MIN_CONFIDENCE:
                continue
            size = np.sqrt(face.bbox[2] * face.bbox[3])
            frontal = view_from_keypoints(None, face.bbox)[0].project(mean_head().landmarks)
            ours.append(np.linalg.norm(own - face.keypoints, axis=1).mean() / size)
            boxes_alone.append(np.linalg.norm(frontal - face.keypoints, axis=1).mean() / size)
            true = estimate_pose(face.keypoints).yaw
            yaws.append((abs(estimate_pose(own).yaw - true), abs(true)))
    assert len(ours) > 20
    assert np.median(ours) < 0.6 * np.median(boxes_alone)
    assert np.mean(yaws, axis=0)[0] < 0.6 * np.mean(yaws, axis=0)[1]
