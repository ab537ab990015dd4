"""Erasing faces: the mask, and the fill."""

from dataclasses import replace

import numpy as np
import pytest

from facade.anonymize.erase import erased_mask, pull_push_fill
from facade.heads import Expression, Head, Light, Pose, View, render_head, sample_expression, sample_identity
from facade.heads.field.scene import EYE
from facade.heads.fit import fit_view, mean_head
from facade.heads.identity import Identity
from facade.seeds import generator
from tests.conftest import noise


def features_of(who: Identity, look: Expression, head: Head) -> dict[str, np.ndarray]:
    """Masks of the rendered features, (h, w) bool each."""
    x, y, z = np.moveaxis(head.positions, -1, 0)
    x = x + who.lean * (y + 3)
    y = y + who.slant * x  # faces are slightly asymmetric
    skin = head.face & (z > -6)
    brow = who.brow_y + 0.8 * look.brow_raise
    lips = who.mouth_y - max(1.0, look.open + who.lower_lip), who.mouth_y + 1.0
    return {
        "eyes": head.parts == EYE,
        "nose": skin & (np.abs(x) < 1.6) & (y < 0) & (y > who.nose_tip_y - 0.9),
        "mouth": skin & (np.abs(x) < who.mouth_half_width * (1 + 0.17 * look.smile)) & (y > lips[0]) & (y < lips[1]),
        "brows": skin & (np.abs(np.abs(x) - 3.1) < 2) & (np.abs(y - brow) < who.brow_thickness + 0.2),
    }


@pytest.mark.parametrize("pose", [Pose(), Pose(45, 10), Pose(-80), Pose(80, -10, 20), Pose(0, 0, 170)], ids=str)
@pytest.mark.parametrize("number", range(4))
def test_the_mask_covers_eyes_nose_mouth_and_brows(pose, number):
    """Independent oracle: the rendered features of people who are not the mean."""
    random = generator("erase", number)
    who, look = sample_identity(random).bare(), sample_expression(random)
    view = View.of_face(pose, 80, 80, 80)
    head = render_head(who, look, view, Light(), (160, 160))
    gap = erased_mask(view, head.bbox, (160, 160))
    for name, feature in features_of(who, look, head).items():
        assert gap[feature].all(), name


@pytest.mark.parametrize("pose", [Pose(-85, 8), Pose(-60, -10), Pose(35, 12, 15), Pose(60)], ids=str)
def test_the_mask_covers_every_feature_wherever_the_nose_tip_is_annotated(pose):
    """Annotators mark the foremost point or the center of the nose ball; the view follows them."""
    for number in range(10):
        random = generator("erase", number)
        who, look = replace(sample_identity(random).bare(), lean=0.0, slant=0.0), sample_expression(random)
        view = View.of_face(pose, 80, 80, 80)
        head = render_head(who, look, view, Light(), (160, 160))
        for inside in (0.0, 1.0):
            tip = np.array([[who.nose_bend, who.nose_tip_y, who.nose_tip_z - inside * who.nose_tip_radius]])
            marked = np.concatenate([head.keypoints[:2], view.project(tip), head.keypoints[3:]])
            gap = erased_mask(fit_view(marked, mean_head().landmarks)[0], head.bbox, (160, 160))
            for name, feature in features_of(who, look, head).items():
                assert gap[feature].all(), (number, inside, name)


def test_a_box_far_from_the_view_is_erased_too():
    gap = erased_mask(View.of_face(Pose(), 20, 20, 20), (60, 60, 30, 30), (120, 120))
    assert gap[75, 75]
    assert gap[20, 20]


@pytest.mark.parametrize("yaw", [-85, 85])
def test_a_profile_without_landmarks_is_erased_too(yaw):
    """The view is unknown and assumed to be frontal; nose and eye lie at the edge of the box."""
    who = sample_identity(generator("erase", 1)).bare()
    head = render_head(who, Expression(), View.of_face(Pose(yaw), 80, 80, 80), Light(), (160, 160))
    x, y, w, h = head.bbox
    gap = erased_mask(View.of_face(Pose(), h, x + w / 2, y + h / 2), head.bbox, (160, 160), from_landmarks=False)
    for (column, row), seen in zip(head.keypoints, head.visible, strict=True):
        assert gap[int(row), int(column)] or not seen


def test_the_mask_of_a_one_pixel_face_is_not_empty():
    assert erased_mask(View.of_face(Pose(), 1, 5.5, 5.5), (5, 5, 1, 1), (12, 12)).any()


def test_the_fill_depends_on_known_pixels_alone():
    known = np.ones((60, 80), bool)
    known[10:40, 20:60] = False
    one, two = noise(60, 80, 1) / np.float32(255), noise(60, 80, 1) / np.float32(255)
    two[~known] = 0.3
    np.testing.assert_array_equal(pull_push_fill(one, known), pull_push_fill(two, known))


def test_the_fill_continues_its_surroundings():
    ramp = np.broadcast_to(np.linspace(0, 1, 80, dtype=np.float32)[None, :, None], (60, 80, 3))
    known = np.ones((60, 80), bool)
    known[20:40, 30:50] = False
    filled = pull_push_fill(ramp.copy(), known)
    assert np.abs(filled - ramp)[~known].max() < 0.2
    np.testing.assert_allclose(filled[known], ramp[known], atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (300, 40), (500, 500)])
def test_without_known_pixels_the_fill_is_gray(shape):
    filled = pull_push_fill(np.zeros((*shape, 3), np.float32), np.zeros(shape, bool))
    assert filled.shape == (*shape, 3)
    assert (filled == 0.5).all()
