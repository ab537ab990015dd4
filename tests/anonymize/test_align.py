"""Poses read off landmarks, and where a portrait comes to lie."""

import numpy as np
import pytest

from facade.anonymize.align import placement, pose_of, trusted_keypoints
from facade.dataset import Face
from facade.heads import Light, Pose, draw_identity, draw_portrait
from facade.seeds import generator


@pytest.mark.parametrize("yaw", [-60, -25, 0, 25, 60])
@pytest.mark.parametrize("pitch", [-15, 0, 15])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_the_pose_of_a_drawn_head_is_read_off_its_landmarks(yaw, pitch, roll):
    """Independent oracle: the renderer, which knows the pose that it drew."""
    portrait = draw_portrait(draw_identity(generator("align", 1)), Pose(yaw, pitch, roll), Light(), 40)
    read = pose_of(portrait.keypoints.astype(float))
    assert read.yaw == pytest.approx(yaw, abs=10)
    assert read.pitch == pytest.approx(pitch, abs=10)
    assert read.roll == pytest.approx(roll, abs=6)


def test_landmarks_come_to_lie_on_landmarks():
    portrait = draw_portrait(draw_identity(generator("align", 2)), Pose(20, 5, 0), Light(), 60)
    angle, scale, shift = np.radians(15), 1.7, np.array([31.0, -12.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wanted = portrait.keypoints @ turn.T + shift
    affine = placement(portrait, Face((0, 0, 10, 10)), wanted)
    np.testing.assert_allclose(portrait.keypoints @ affine[:, :2].T + affine[:, 2], wanted, atol=1e-3)


def test_without_landmarks_the_box_comes_to_lie_on_the_box():
    portrait = draw_portrait(draw_identity(generator("align", 3)), Pose(), Light(), 60)
    affine = placement(portrait, Face((100, 50, 40, 80)), None)
    x, y, w, h = portrait.bbox
    corners = np.array([(x, y), (x + w, y + h)]) @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(corners, [(100, 50), (140, 130)])


@pytest.mark.parametrize(
    ("points", "trusted"),
    [
        (((12, 20), (28, 20), (20, 30), (14, 40), (26, 40)), True),
        (None, False),
        (((28, 20), (12, 20), (20, 30), (26, 40), (14, 40)), True),
        (((112, 20), (128, 20), (120, 30), (114, 40), (126, 40)), False),
        (((20, 20),) * 5, False),
    ],
)
def test_landmarks_that_cannot_be_the_faces_own_are_not_trusted(points, trusted):
    assert (trusted_keypoints(Face((10, 10, 20, 36), points)) is not None) == trusted


def test_the_persons_own_left_and_right_are_understood():
    seen = ((12, 20), (28, 20), (20, 30), (14, 40), (26, 40))
    own = tuple(seen[place] for place in (1, 0, 2, 4, 3))
    np.testing.assert_array_equal(*(trusted_keypoints(Face((10, 10, 20, 36), points)) for points in (seen, own)))
