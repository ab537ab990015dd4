"""The outline of a face from five landmarks."""

import numpy as np
import pytest

from facade.sources.outline import outline

FRONTAL = np.array([[110.0, 110], [210, 110], [160, 160], [120, 210], [200, 210]])


def turned(points, degrees, scale=1.0, move=(0, 0)):
    angle = np.deg2rad(degrees)
    return scale * points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + move


@pytest.mark.parametrize("yaw", [-40, -15, 0, 15, 40])
def test_landmarks_lie_inside(yaw):
    nose = FRONTAL.copy()
    nose[2, 0] += 50 * np.sin(np.deg2rad(yaw))
    assert outline(nose).level(nose).max() <= 0.85 + 1e-9


@pytest.mark.parametrize("level", [0.5, 1.0, 1.25])
def test_a_ring_has_its_level(level):
    face = outline(FRONTAL)
    np.testing.assert_allclose(face.level(face.ring(level, 24)), level, atol=1e-9)


def test_a_frontal_face_has_an_adult_face_s_proportions():
    """Hairline to chin and ear to ear over eyes to mouth, as anthropometry has them: 18.1 and 13.7 to 7 cm."""
    ring = outline(FRONTAL).ring(1.0, 720)
    width, height = np.ptp(ring, axis=0) / 100
    assert width == pytest.approx(13.7 / 7, rel=0.02)
    assert height == pytest.approx((6.3 + 7 + 4.8) / 7, rel=0.02)


def test_it_turns_grows_and_moves_with_the_face():
    points = turned(FRONTAL, 30, 0.5, (40, -10))
    np.testing.assert_allclose(
        outline(points).ring(1.0, 16), turned(outline(FRONTAL).ring(1.0, 16), 30, 0.5, (40, -10)), atol=1e-6
    )


def test_a_mirrored_face_has_a_mirrored_outline():
    looks_right = FRONTAL.copy()
    looks_right[2, 0] += 20
    mirrored = (looks_right * [-1, 1] + [320, 0])[[1, 0, 2, 4, 3]]
    one, other = outline(looks_right), outline(mirrored)
    assert one.turn == pytest.approx(-other.turn)
    assert (one.left, one.right) == pytest.approx((other.right, other.left))
    assert one.left > one.right, "the near side reaches to the ear"


def test_cheeks_and_chin_are_bare_skin_and_eyes_and_mouth_are_not():
    face = outline(FRONTAL)
    assert not face.skin(FRONTAL).any()
    assert face.skin(np.array([[216.0, 170], [104, 170], [160, 253]])).all()


def test_the_far_cheek_of_a_turned_face_does_not_count():
    looks_right = FRONTAL.copy()
    looks_right[2, 0] += 25
    face = outline(looks_right)
    left, right = (face.skin(np.array([[face.middle[0] + side * 0.5 * face.unit, 170.0]]))[0] for side in (-1, 1))
    assert left
    assert not right


def test_landmarks_on_one_point_have_an_outline():
    face = outline(np.full((5, 2), 20.0))
    assert np.isfinite(face.ring(1.0, 8)).all()
