"""Fitting views to landmarks."""

import numpy as np
import pytest

from facade.heads import Pose, View
from facade.heads.fit import fit_view, mean_head


@pytest.mark.parametrize("yaw", [-70, -25, 0, 25, 70])
@pytest.mark.parametrize("pitch", [-15, 0, 15])
@pytest.mark.parametrize("roll", [-160, -30, 0, 30, 90])
def test_a_view_is_recovered_from_its_landmarks(yaw, pitch, roll):
    """Independent oracle: the camera that projected them."""
    head = mean_head()
    view = View.of_face(Pose(yaw, pitch, roll), 80, 100, 60)
    found, error = fit_view(view.project(head.landmarks), head.landmarks)
    assert found.pose.yaw == pytest.approx(yaw, abs=6)
    assert found.pose.pitch == pytest.approx(pitch, abs=8)
    assert (found.pose.roll - roll + 180) % 360 - 180 == pytest.approx(0, abs=3)
    assert found.scale == pytest.approx(view.scale, rel=0.08)
    assert error < 0.06


def test_landmarks_that_are_not_a_head_leave_a_large_error():
    points = np.array([(0, 0), (10, 0), (40, 5), (0, 10), (10, 10)], float)
    assert fit_view(points, mean_head().landmarks)[1] > 0.3


def test_coinciding_landmarks_give_finite_numbers():
    view, error = fit_view(np.full((5, 2), 7.0), mean_head().landmarks)
    assert np.isfinite([view.scale, view.x, view.y, *vars(view.pose).values(), error]).all()
