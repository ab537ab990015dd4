"""Smoothing along a track, against a known movement."""

from dataclasses import replace

import numpy as np
import pytest

from facade.anonymize.appearance import LENGTH
from facade.footage.smoothing import JUMP_IOU, local_linear, smooth
from facade.footage.tracks import Track, track

FRAMES = np.arange(90)
# Landmarks of a frontal face, in box sizes from its middle.
FACE = np.array([(-0.2, -0.1), (0.2, -0.1), (0.0, 0.08), (-0.15, 0.25), (0.15, 0.25)])


def truth() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle and height of a face that walks, nears and bobs, and its landmarks, which turn."""
    middle = np.stack([100 + 2.0 * FRAMES, 80 + 6 * np.sin(FRAMES / 12)], axis=1)
    size = 50 + 0.2 * FRAMES
    turn = 0.12 * np.sin(FRAMES / 15)
    points = middle[:, None] + size[:, None, None] * (FACE + turn[:, None, None] * (1, 0))
    return middle, size, points


def noisy_track(seed: int = 0, missed: tuple[int, ...] = (), columns: bool = True) -> Track:
    random = np.random.default_rng(seed)
    middle, size, points = truth()
    box = np.column_stack([middle, size, size]) + random.normal(0, 1.5, (len(FRAMES), 4))
    marks = points + random.normal(0, 1.5, points.shape)
    look = np.tile(np.linspace(0, 1, LENGTH), (len(FRAMES), 1)) + random.normal(0, 0.05, (len(FRAMES), LENGTH))
    rows = np.column_stack([box[:, :2] - box[:, 2:] / 2, box[:, 2:], np.full(len(FRAMES), 0.9)])
    if columns:
        rows = np.column_stack([rows, marks.reshape(-1, 10), look])
    detections = [np.zeros((0, 5)) if number in missed else rows[number : number + 1] for number in FRAMES]
    (one,) = track(detections, 0.5, max_gap=15)
    return one


def test_smoothed_boxes_of_low_confidence_have_no_margin():
    middle, size, _ = truth()
    rows = np.column_stack([middle - size[:, None] / 2, size, size, np.where(FRAMES % 3, 0.9, 0.3)])
    (one,) = track(list(rows[:, None]), 0.5, max_gap=15)
    assert one.boxes[30, 3] == pytest.approx(1.2 * size[30])
    heights = np.array([face.bbox[3] for face in smooth(one)])
    assert np.abs(heights - size).max() < 1


def test_jitter_falls_to_an_eighth_and_the_face_stays_where_it_is():
    one = noisy_track()
    middle, size, points = truth()
    faces = smooth(one)
    boxes = np.array([face.bbox for face in faces])
    marks = np.array([face.keypoints for face in faces])
    raw = one.columns[:, :10].reshape(-1, 5, 2)

    def jitter(values):
        return np.abs(np.diff(values, 2, axis=0)).mean()

    assert jitter(marks) < jitter(raw) / 8
    assert jitter(boxes) < jitter(one.boxes) / 8
    # Nearer to the truth than what was detected, not only smoother: it does not lag, ends included.
    assert np.abs(marks - points).mean() < 0.5 * np.abs(raw - points).mean()
    assert np.abs((marks - points).mean(0)).max() < 0.3
    assert np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - middle).mean() < 0.8
    assert np.abs(boxes[:, 3] - size).mean() < 0.8
    look = np.array([face.appearance for face in faces])
    assert jitter(look) < jitter(one.columns[:, 10:]) / 10
    assert np.abs(look - np.linspace(0, 1, LENGTH)).max() < 0.06


def test_bridged_frames_have_interpolated_landmarks_and_a_box_without_the_margin():
    one = noisy_track(1, missed=tuple(range(40, 48)))
    _, size, points = truth()
    faces = smooth(one)
    bridged = np.flatnonzero(np.isnan(one.scores))
    assert len(bridged) == 8
    assert np.isnan(one.columns[bridged]).all()
    marks = np.array([faces[row].keypoints for row in bridged])
    assert np.abs(marks - points[40:48]).mean() < 1.5
    heights = np.array([faces[row].bbox[3] for row in bridged])
    assert np.abs(heights - size[40:48]).max() < 4, "interpolated boxes are a fifth larger on purpose"


def test_a_single_wrong_detection_moves_nothing():
    one = noisy_track(2)
    one.columns[30, :10] += 60
    marks = np.array([face.keypoints for face in smooth(one)])
    assert np.abs(marks - truth()[2])[30].max() < 2.5


def test_faces_before_and_after_a_jump_do_not_mix():
    one = noisy_track(3)
    boxes = one.boxes.copy()
    boxes[45:, 0] += 200
    columns = one.columns.copy()
    columns[45:, 0:10:2] += 200
    faces = smooth(replace(one, boxes=boxes, columns=columns))
    apart = np.array([face.bbox[0] for face in faces])
    assert apart[45] - apart[44] == pytest.approx(202, abs=4)
    assert JUMP_IOU > 0


def test_few_landmarks_are_mistakes_and_none_are_made_up():
    one = noisy_track(4)
    columns = one.columns.copy()
    columns[np.arange(len(FRAMES)) % 4 != 0, :10] = np.nan
    assert smooth(replace(one, columns=columns))[0].keypoints is None
    columns = one.columns.copy()
    columns[np.arange(len(FRAMES)) % 4 == 0, :10] = np.nan
    marks = np.array([face.keypoints for face in smooth(replace(one, columns=columns))])
    assert np.abs(marks - truth()[2]).mean() < 1.2
    bare = smooth(noisy_track(5, columns=False))
    assert bare[0].keypoints is None
    assert bare[0].appearance is None


def test_a_line_is_its_own_fit_and_a_lone_frame_stays():
    frames = np.array([3, 4, 5, 8, 9, 20])
    line = np.column_stack([2.0 * frames, 7 - 0.5 * frames])
    np.testing.assert_allclose(local_linear(frames, line, np.ones(6), 7, 0.01), line, atol=1e-9)
    (one,) = track([np.array([[10.0, 10, 20, 30, 0.9]])], 0.5, max_gap=15)
    assert smooth(one)[0].bbox == pytest.approx((10, 10, 20, 30))
