"""Segmenting objects in front of a face."""

import numpy as np
import pytest

from facade.anonymize.occluder import occluder_mask
from facade.heads import Expression, Light, Pose, View, develop, render_head, sample_identity
from facade.seeds import generator

BLUE = (200, 60, 20)


@pytest.fixture(scope="module")
def portrait():
    view = View.of_face(Pose(), 90, 70, 70)
    who = sample_identity(generator("occluder", 1)).bare()
    head = render_head(who, Expression(), view, Light(), (140, 140))
    picture = develop(head.linear) * head.alpha[..., None] + 0.7 * (1 - head.alpha[..., None])
    return (255 * picture).astype(np.uint8), view, head.keypoints, head.bbox


def covered(portrait, rows, columns, color=BLUE):
    picture, view, keypoints, bbox = portrait
    picture = picture.copy()
    picture[rows, columns] = color
    return occluder_mask(picture, view, keypoints, bbox)


def test_a_bare_face_has_no_occluder(portrait):
    assert not occluder_mask(*portrait).any()


def test_a_cup_in_front_of_the_chin_is_kept(portrait):
    rows, columns = slice(100, 140), slice(50, 90)
    front = covered(portrait, rows, columns)
    assert front[103:112, 55:85].mean() > 0.7
    assert not front[:90].any()


def test_nothing_entirely_within_the_face_is_kept(portrait):
    """A mole, a mouth, an eye patch: what does not reach in from outside may identify the person."""
    assert not covered(portrait, slice(62, 84), slice(46, 60)).any()


def test_a_mouth_near_an_occluder_is_never_kept(portrait):
    left, right = portrait[2][3:].astype(int)
    front = covered(portrait, slice(int(portrait[2][3:, 1].max()) + 9, 140), slice(0, 140))
    assert front.any()
    near = int(1.5 * portrait[1].scale)
    assert not front[left[1] - 2 : left[1] + near, left[0] - 2 : right[0] + 3].any()


def test_lips_between_the_corners_of_the_mouth_are_never_kept(portrait):
    """A beard with dark lips that contains neither corner."""
    picture, view, keypoints, bbox = portrait
    left, right = keypoints[3:].astype(int)
    middle, chin = slice(left[0] + 8, right[0] - 7), left[1] + 10
    picture = picture.copy()
    picture[left[1] - 4 : chin, middle] = BLUE
    picture[chin:] = BLUE
    front = occluder_mask(picture, view, keypoints, bbox)
    assert front[chin:].any()
    assert not front[left[1] - 4 : left[1] + int(1.5 * view.scale), middle].any()


def test_brows_under_a_hat_are_never_kept(portrait):
    left, right = portrait[2][:2].astype(int)
    front = covered(portrait, slice(0, left[1] - 9), slice(0, 140))
    assert front.any()
    brow = int(left[1] - 2.0 * portrait[1].scale)
    assert not front[brow - 5 : brow + 6, left[0] - 14 : right[0] + 15].any()


def test_an_object_that_hides_a_landmark_is_painted_over(portrait):
    """Otherwise strips of a face would appear on a wall, around the eye and the mouth behind it."""
    keypoints = portrait[2]
    assert not covered(portrait, slice(0, 140), slice(int(keypoints[2, 0]) + 4, 140)).any()
    assert not covered(portrait, slice(70, 140), slice(0, 140)).any()  # over the mouth
    # A pixel or two next to the eye: within the precision of landmarks.
    assert not covered(portrait, slice(0, 140), slice(int(keypoints[:2, 0].max()) + 2, 140)).any()


def test_skin_colored_hands_are_painted_over(portrait):
    picture = portrait[0]
    tone = np.median(picture[60:80, 50:60].reshape(-1, 3), axis=0)
    assert not covered(portrait, slice(95, 140), slice(20, 70), tone).any()


def test_faces_of_a_few_pixels_have_no_occluder():
    view = View.of_face(Pose(), 8, 8, 8)
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    points = np.array([(6, 7), (10, 7), (8, 9), (6, 11), (10, 11)], float)
    assert not occluder_mask(picture, view, points, (4, 4, 8, 8)).any()
