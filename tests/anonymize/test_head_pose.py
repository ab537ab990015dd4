"""Head pose from landmarks and boxes."""

import numpy as np
import pytest

from facade.anonymize.head_pose import estimate_pose, plausible_keypoints, view_from_keypoints
from facade.dataset import Face
from facade.heads import Pose, View, sample_expression, sample_identity
from facade.heads.anatomy import build
from facade.heads.fit import mean_head
from facade.seeds import generator


@pytest.mark.parametrize("yaw", [-60, -25, 0, 25, 60])
@pytest.mark.parametrize("pitch", [-15, 0, 15])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_the_pose_of_a_rendered_head_is_recovered_from_its_landmarks(yaw, pitch, roll):
    """Independent oracle: the renderer, with its known pose, for a person who is not the mean."""
    who, look = sample_identity(generator("align", 1)), sample_expression(generator("align", 2))
    view = View.of_face(Pose(yaw, pitch, roll), 40, 40, 40)
    read = estimate_pose(view.project(build(who, look, 0.4).landmarks))
    assert read.yaw == pytest.approx(yaw, abs=10)
    assert read.pitch == pytest.approx(pitch, abs=12)
    assert read.roll == pytest.approx(roll, abs=6)


def test_without_landmarks_a_face_is_frontal_and_as_high_as_its_box():
    view, from_landmarks = view_from_keypoints(None, (100, 50, 63, 80))
    assert not from_landmarks
    assert view.pose == Pose()
    low, high = (f(view.project(mean_head().outline), axis=0) for f in (np.min, np.max))
    np.testing.assert_allclose([*low, *(high - low)], (100, 50, 63, 80), atol=6)


def test_landmarks_that_do_not_fit_a_head_fall_back_to_the_box():
    scattered = np.array([(0, 0), (10, 0), (40, 5), (0, 10), (10, 10)], float)
    assert view_from_keypoints(scattered, (0, 0, 40, 50)) == view_from_keypoints(None, (0, 0, 40, 50))


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
def test_implausible_landmarks_are_rejected(points, trusted):
    assert (plausible_keypoints(Face((10, 10, 20, 36), points)) is not None) == trusted


def test_landmarks_in_mirrored_order_are_corrected():
    seen = ((12, 20), (28, 20), (20, 30), (14, 40), (26, 40))
    own = tuple(seen[place] for place in (1, 0, 2, 4, 3))
    np.testing.assert_array_equal(*(plausible_keypoints(Face((10, 10, 20, 36), points)) for points in (seen, own)))
