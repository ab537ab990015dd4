import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from facade.footage.tracks import EXTENSION, track

MIN_SCORE = 0.5


def walking(frames: int, missed: set[int], score: float = 0.9) -> list[np.ndarray]:
    """One person of 40x50 pixels who walks two pixels a frame, and is not detected in some frames."""
    return [
        np.zeros((0, 5)) if number in missed else np.array([[10 + 2 * number, 20, 40, 50, score]], float)
        for number in range(frames)
    ]


def test_a_person_missed_in_every_third_frame_is_one_track_without_gaps():
    missed = set(range(0, 60, 3))
    (one,) = track(walking(60, missed), MIN_SCORE, max_gap=15)
    assert one.frames.tolist() == list(range(60))
    assert np.isnan(one.scores).sum() == len(missed)
    for number in missed - {0}:
        box = one.boxes[number]
        assert box[2] == pytest.approx(40 * 1.2), "a fifth wider: the face may be a little off it"
        assert box[0] + box[2] / 2 == pytest.approx(10 + 2 * number + 20, abs=0.01)


def test_a_track_extends_three_frames_beyond_its_detections():
    (one,) = track(walking(40, {*range(10), *range(20, 40)}), MIN_SCORE, max_gap=15)
    assert one.frames.tolist() == list(range(7, 23))
    assert one.boxes[0, 2:] == pytest.approx([48, 60])


@pytest.mark.parametrize(("gap", "bridged"), [(1, True), (14, True), (15, False), (30, False)])
def test_only_gaps_shorter_than_max_gap_are_interpolated(gap, bridged):
    tracks = track(walking(80, set(range(30, 30 + gap))), MIN_SCORE, max_gap=15)
    there = {frame for one in tracks for frame in one.frames.tolist()}
    filled = set(range(30, 30 + gap)) <= there
    assert filled == bridged or gap <= 2 * EXTENSION
    assert set(range(30)) | set(range(30 + gap, 80)) <= there


def test_a_low_confidence_detection_continues_a_track_and_starts_none():
    found = walking(20, set())
    for number in range(8, 12):
        found[number][0, 4] = 0.2
        found[number] = np.vstack([found[number], [300, 200, 30, 40, 0.2]])
    (one,) = track(found, MIN_SCORE, max_gap=15)
    assert np.isnan(one.scores).sum() == 0
    assert one.frames.tolist() == list(range(20))
    assert one.boxes[:, 0].max() < 60
    widths = np.full(20, 40.0)
    widths[8:12] = 48  # a fifth wider: a detection of low confidence may be a little off
    assert one.boxes[:, 2] == pytest.approx(widths)
    assert one.boxes[:, 0] + one.boxes[:, 2] / 2 == pytest.approx([30 + 2 * number for number in range(20)])


def test_low_confidence_detections_off_the_track_are_dropped():
    found = walking(20, set())
    found[8][0] += (20, 4, 0, 0, -0.7)  # IoU with the box before: .29
    found[9][0] += (-28, 0, 0, 0, -0.7)
    (one,) = track(found, MIN_SCORE, max_gap=15)
    assert np.isnan(one.scores[8:10]).all()
    assert one.boxes[8:10, 0] + one.boxes[8:10, 2] / 2 == pytest.approx([46, 48], abs=0.01)
    assert not np.isnan(one.scores[10:]).any()


def test_after_a_gap_a_low_confidence_detection_may_be_farther_off():
    found = walking(20, {8, 9, 10})
    found[11][0] += (12, 2, 0, 0, -0.7)  # IoU with the box of frame 7: .33, of a face that has moved for four frames
    (one,) = track(found, MIN_SCORE, max_gap=15)
    assert one.scores[11] == pytest.approx(0.2)


def test_a_track_of_few_confident_detections_extends_by_as_many_frames():
    for count, first, last in ((1, 9, 11), (2, 8, 13), (3, 7, 15), (6, 7, 18)):
        (one,) = track(walking(40, set(range(40)) - set(range(10, 10 + count))), MIN_SCORE, max_gap=15)
        assert (one.frames[0], one.frames[-1]) == (first, last)


def test_neighbors_in_a_crowd_keep_their_own_low_confidence_detections():
    # Two faces that overlap are detected once, and then with low confidence. The left one moves to the left.
    found = [np.zeros((0, 5)) for _ in range(12)]
    found[5] = np.array([[100, 100, 40, 40, 0.9], [120, 100, 40, 40, 0.9]], float)
    for number in range(6, 12):
        found[number] = np.array([[120, 100, 40, 40, 0.2]], float)
    for number in range(6, 9):
        found[number] = np.vstack([found[number], [90 - 3 * (number - 6), 100, 40, 40, 0.2]])
    left, right = sorted(track(found, MIN_SCORE, max_gap=15), key=lambda one: one.boxes[:, 0].mean())
    for one, detected, x in ((left, range(5, 9), 100), (right, range(5, 12), 120)):
        assert one.frames[~np.isnan(one.scores)].tolist() == list(detected)
        assert one.boxes[one.scores == 0.9, 0].tolist() == [x]


def test_two_people_who_pass_each_other_at_a_distance_stay_two():
    found = [np.array([[10 + 4 * n, 20, 40, 50, 0.9], [250 - 4 * n, 150, 40, 50, 0.8]], float) for n in range(60)]
    tracks = track(found, MIN_SCORE, max_gap=15)
    assert [len(one.frames) for one in tracks] == [60, 60]
    assert sorted(one.boxes[0, 1] for one in tracks) == [20, 150]


def test_without_tracking_each_detection_is_its_own_track():
    tracks = track(walking(5, {2}), MIN_SCORE, max_gap=0)
    assert [one.frames.tolist() for one in tracks] == [[0], [1], [3], [4]]


box = st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(4, 80), st.integers(4, 80), st.integers(0, 99))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(box, max_size=4), max_size=12), st.integers(0, 8))
def test_every_detection_above_the_threshold_is_covered_by_a_track(frames, max_gap):
    found = [np.array(rows, float).reshape(-1, 5) / (1, 1, 1, 1, 100) for rows in frames]
    tracks = track(found, MIN_SCORE, max_gap)
    for number, here in enumerate(found):
        there = [one.boxes[one.frames == number] for one in tracks]
        boxes = np.concatenate(there) if there else np.zeros((0, 4))
        for row in here[here[:, 4] >= MIN_SCORE]:
            assert (np.abs(boxes - row[:4]).sum(1) < 1e-6).any()
    for one in tracks:
        assert (np.diff(one.frames) > 0).all()
        assert one.frames.size == 0 or 0 <= one.frames[0] <= one.frames[-1] < len(found)
