"""Procedural heads: anatomy where it belongs, no holes, nobody twice."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from facade.heads import Light, Pose, draw_identity, draw_portrait
from facade.heads.identity import SKIN_TONES
from facade.seeds import generator

POSES = [Pose(yaw, pitch, roll) for yaw in (-80, -40, 0, 40, 80) for pitch, roll in ((0, 0), (-15, 10), (15, -20))]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("pose", POSES, ids=lambda pose: f"{pose.yaw},{pose.pitch},{pose.roll}")
def test_a_head_is_one_solid_without_holes(number, pose):
    """A bald one: between hair and neck there may be a gap that shows the background, and a lock may stand apart."""
    who = replace(draw_identity(generator("heads", number)), style="bald")
    portrait = draw_portrait(who, pose, Light(), 32)
    solid = portrait.head > 0.5
    assert ndimage.label(solid)[1] == 1
    assert (ndimage.binary_fill_holes(solid) == solid).all()
    assert np.isfinite(portrait.pixels).all()
    assert 0 <= portrait.pixels.min() <= portrait.pixels.max() <= 1


@pytest.mark.parametrize("number", range(6))
def test_hair_stands_round_the_head_and_not_in_the_face(number):
    who = draw_identity(generator("hair", number))
    haired = draw_portrait(replace(who, style="curly"), Pose(), Light(), 40)
    bald = draw_portrait(replace(who, style="bald"), Pose(), Light(), 40)
    assert (haired.head > 0.5).sum() > 1.1 * (bald.head > 0.5).sum()
    middle = tuple(haired.keypoints[:3].mean(0).astype(int)[::-1])
    assert haired.face[middle] == bald.face[middle] == 1
    _, pieces = ndimage.label(haired.head > 0.5)
    assert pieces == 1


def test_landmarks_lie_on_the_face_in_the_right_order():
    for number in range(12):
        portrait = draw_portrait(draw_identity(generator("heads", number)), Pose(), Light(), 48)
        left_eye, right_eye, nose, left_mouth, right_mouth = portrait.keypoints
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < nose[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]
        x, y, w, h = portrait.bbox
        assert ((portrait.keypoints >= (x, y)) & (portrait.keypoints <= (x + w, y + h))).all()


@pytest.mark.parametrize("height", [10, 24, 64])
def test_the_face_is_about_as_high_as_asked(height):
    heights = [
        draw_portrait(draw_identity(generator("heads", number)), Pose(), Light(), height).bbox[3] for number in range(8)
    ]
    assert np.mean(heights) == pytest.approx(height, rel=0.15)


def test_turning_the_head_moves_the_nose_and_rolling_it_tilts_the_eyes():
    who = draw_identity(generator("heads", 1))
    right = draw_portrait(who, Pose(yaw=40), Light(), 40).keypoints
    left = draw_portrait(who, Pose(yaw=-40), Light(), 40).keypoints
    assert right[2, 0] > right[:2, 0].mean() + 2
    assert left[2, 0] < left[:2, 0].mean() - 2
    eyes = np.diff(draw_portrait(who, Pose(roll=30), Light(), 40).keypoints[:2], axis=0)[0]
    assert np.degrees(np.arctan2(eyes[1], eyes[0])) == pytest.approx(30, abs=1)


def test_light_from_one_side_brightens_that_side():
    who = draw_identity(generator("heads", 2))
    portrait = draw_portrait(who, Pose(), Light((1.0, 0.1, 0.4), 0.9, 0.2), 48)
    face = portrait.face > 0.9
    columns = np.broadcast_to(np.arange(face.shape[1]), face.shape)
    middle = np.median(columns[face])
    grey = portrait.pixels.mean(2)
    assert grey[face & (columns > middle)].mean() > 1.15 * grey[face & (columns < middle)].mean()


def test_the_same_generator_gives_the_same_face_and_others_do_not():
    one, again, other = (
        draw_portrait(draw_identity(generator("heads", number)), Pose(), Light(), 24) for number in (7, 7, 8)
    )
    np.testing.assert_array_equal(one.pixels, again.pixels)
    assert one.pixels.shape == other.pixels.shape
    assert np.abs(one.pixels - other.pixels).mean() > 0.01


def test_identities_cover_the_range_of_skin_tones():
    lightness = [draw_identity(generator("tone", number)).skin.mean() for number in range(300)]
    tones = SKIN_TONES.mean(1)
    share = np.histogram(lightness, bins=[0, *((tones[1:] + tones[:-1]) / 2)[::-1], 1])[0] / 300
    assert (share > 0.05).all(), "no tone is rare"
