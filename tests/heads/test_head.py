"""Rendered heads: correct anatomy, no holes, distinct identities."""

from dataclasses import replace

import numba
import numpy as np
import pytest
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from facade.heads import Expression, Light, Pose, View, develop, render_head, sample_expression, sample_identity
from facade.heads.anatomy import build
from facade.heads.field.scene import EYE, HAIR, SKIN, WITH_HAIR, nearest
from facade.heads.field.solids import SHADED_WITHIN
from facade.heads.head import render_anatomy
from facade.heads.identity import MELANIN
from facade.heads.lofting import SMALL, between
from facade.seeds import generator

POSES = [*(Pose(yaw) for yaw in (-80, -45, 0, 45, 80)), Pose(0, 25, 10), Pose(0, -25, -10), Pose(40, 20),
         Pose(-60, -20, 20)]  # fmt: skip
SUN = Light((0.6, 0.7, 0.5), (0.8, 0.8, 0.8), (0.2, 0.2, 0.2), (0.1, 0.1, 0.1))


def drawn(number, pose=Pose(), height=40.0, light=SUN, look=Expression(), bare=False, **changes):  # noqa: B008
    who = sample_identity(generator("heads", number))
    who = replace(who.bare() if bare else who, **changes)
    size = int(1.7 * height)
    return render_head(who, look, View.of_face(pose, height, size / 2, size / 2), light, (size, size))


def _pierced(numbers) -> list[tuple[int, int]]:
    """(person, pose) of bald heads with a hole, or in several pieces."""
    faulty = []
    for number in numbers:
        random = generator("holes", number)
        who, look = sample_identity(random).bare(), sample_expression(random)
        anatomy = build(who, look, 18.3 / 40)
        for index, pose in enumerate(POSES):
            head = render_anatomy(anatomy, View.of_face(pose, 40, 32, 30), SUN, (64, 64))
            solid = head.alpha > 0
            # Background connected to the outside over a corner is a notch, as between chin and throat.
            filled = ndimage.binary_fill_holes(solid, np.ones((3, 3)))
            whole = (filled == solid).all() and ndimage.label(solid)[1] == 1
            if not whole or not np.isfinite(head.linear).all():
                faulty.append((number, index))
    return faulty


def test_heads_have_no_holes():
    """An overestimated distance lets rays jump through thin parts: an ear, the tip of a nose."""
    assert _pierced(range(30)) == []


@pytest.mark.slow
def test_five_hundred_heads_have_no_holes_in_nine_poses():
    assert _pierced(range(500)) == []


def test_even_skin_is_shaded_without_bands():
    """Shadow rays with too short steps stop in mid-air and leave bands; a smooth forehead must have none."""
    for number in range(6):
        for pose in POSES[1:4]:
            head = drawn(number, pose, 90, bare=True, blotches=0.0, oil=0.0, melanin=0.4, age=0.0, freckles=0.0,
                         mole_y=-40.0)  # fmt: skip
            x, y, z = np.moveaxis(head.positions, -1, 0)
            forehead = (head.parts == SKIN) & (y > 4.2) & (y < 7) & (np.abs(x) < 4.5) & (z > -4)
            gray = head.linear @ np.array([0.2, 0.7, 0.1])
            bend = np.abs(gray[:, 2:] - 2 * gray[:, 1:-1] + gray[:, :-2])
            inner = forehead[:, 2:] & forehead[:, 1:-1] & forehead[:, :-2]
            if inner.sum() > 50:
                # Grain of pores is within a hundredth; a band is a step of a tenth or more.
                assert np.percentile(bend[inner], 99.5) < 0.06 * gray[forehead].mean() + 0.01


PLAIN = {"blotches": 0.0, "oil": 0.0, "age": 0.0, "freckles": 0.0, "mole_y": -40.0, "beard": 0.0, "moustache": 0.0,
         "stubble": 0.0}  # fmt: skip


def _large(number, pose, height=300.0, **changes):
    random = generator("large", number)
    who, look = sample_identity(random).bare(), sample_expression(random)
    size = int(1.2 * height)
    head = render_head(replace(who, **changes), look, View.of_face(pose, height, size / 2, size / 2), SUN, (size, size))
    return head, who.chin_y - look.jaw


def test_large_chins_have_no_bands():
    """Bends between rows of the skull's table would show in the skin below the chin."""
    bends = []
    for number in range(12):
        head, chin_y = _large(number, Pose(0, 15), **PLAIN)
        x, y, z = np.moveaxis(head.positions, -1, 0)
        chin = (head.parts == SKIN) & (y < chin_y + 1.5) & (np.abs(x) < 2.5) & (z > -6)
        up = head.normals[..., 1]
        bend = np.abs(up[2:] - 2 * up[1:-1] + up[:-2])[chin[2:] & chin[1:-1] & chin[:-2]]
        bends.append(np.percentile(bend, 90))
    # Rows an eighth of a centimeter apart gave .10 here; the rest is the curvature of the chin itself.
    assert np.mean(bends) < 0.06


@numba.njit
def distances(points, head, found):
    for i in range(points.shape[0]):
        found[i] = nearest(points[i, 0], points[i, 1], points[i, 2], head[0], WITH_HAIR)[0]


@numba.njit
def walk(starts, directions, head, found):
    for i in range(starts.shape[0]):
        found[i] = -1.0
        for step in range(800):
            t = step * 0.05
            x, y, z = starts[i] + t * directions[i]
            if nearest(x, y, z, head[0], WITH_HAIR)[0] < 0:
                found[i] = t
                break


def test_the_distance_field_near_the_skin_is_continuous():
    """Ambient occlusion depends on distances near the skin; a rough bound there would draw a line."""
    for number in range(12):
        random = generator("near", number)
        who, look, pose = sample_identity(random), sample_expression(random), Pose(40)
        who = replace(who, spectacles="none", headwear="none")
        view = View.of_face(pose, 120, 90, 90)
        anatomy = build(who, look, 1 / view.scale)
        head = render_anatomy(anatomy, view, SUN, (180, 180))
        # Points near the cheek, away from eyes, nose and mouth, as far out as ambient occlusion samples.
        x, y, z = np.moveaxis(head.positions, -1, 0)
        cheek = (head.parts == SKIN) & (np.abs(x) > 4.5) & (z > -9) & (y > -9) & (y < 3)
        out = (head.positions + SHADED_WITHIN * (head.normals @ pose.rotation()))[cheek].astype(float)
        assert len(out) > 500
        here, there = np.empty(len(out)), np.empty(len(out))
        distances(out, anatomy.head, here)
        for step in 0.01 * np.eye(3):
            distances(out + step, anatomy.head, there)
            assert np.abs(np.minimum(here, SHADED_WITHIN) - np.minimum(there, SHADED_WITHIN)).max() < 0.13, number


def test_noses_have_no_clefts():
    """The bridge of the nose slopes into the cheeks, without a gap behind it."""
    for number in range(20):
        head, _ = _large(number, Pose(), height=100)
        x, y, z = np.moveaxis(head.positions, -1, 0)
        bridge = (np.abs(x) < 1.6) & (y < -0.2) & (y > -1.8) & (head.parts == SKIN)
        slope = np.abs(np.diff(z, axis=1) / np.maximum(np.diff(x, axis=1), 1e-3))[bridge[:, 1:] & bridge[:, :-1]]
        assert slope.max() < 6, number


def test_the_eye_shows_through_a_single_opening():
    for number in range(20):
        head, _ = _large(number, Pose(60))
        near_eye = (head.parts == EYE) & (head.positions[..., 0] < 0)
        assert ndimage.label(near_eye, np.ones((3, 3)))[1] == 1, number


def test_the_skull_is_interpolated_as_scipy_does():
    random = np.random.default_rng(0)
    knots, values = np.sort(random.uniform(-12, 12, 16)), random.normal(size=(5, 16))
    at = np.linspace(knots[1], knots[-2], 300)  # SciPy's curve differs at both ends
    np.testing.assert_allclose(between(knots, values, at), PchipInterpolator(knots, values, axis=1)(at), atol=1e-12)


def test_front_and_back_of_the_skull_meet():
    for number in range(5):
        lofts = build(sample_identity(generator("seam", number)), Expression(), 0.5).head["lofts"][0]
        large = lofts[:, :2].min(1) > SMALL
        widths = np.sqrt(lofts[large, :2] / lofts[large, 2:4])
        assert large.sum() > 300
        np.testing.assert_allclose(widths[:, 0], widths[:, 1], rtol=1e-3)


def test_depths_agree_with_a_march_in_tiny_steps():
    """Independent oracle: the field itself, marched in steps of half a millimeter."""
    who = sample_identity(generator("march", 1)).bare()
    anatomy = build(who, Expression(), 18.3 / 60, with_body=False)
    head = render_anatomy(anatomy, View.of_face(Pose(25, 5), 60, 50, 50), SUN, (100, 100))
    rows, columns = np.nonzero(head.alpha == 1)
    chosen = generator("rays").choice(len(rows), 400, replace=False)
    points = head.positions[rows[chosen], columns[chosen]].astype(float)
    eye = Pose(25, 5).rotation()[2] * 120 + (0, -1, -8)
    towards = (points - eye) / np.linalg.norm(points - eye, axis=1, keepdims=True)
    met = np.empty(len(points))
    walk(points - 15 * towards, towards, anatomy.head, met)
    off = np.abs(met - 15)[met >= 0]
    assert (met >= 0).mean() > 0.98, "except for rays that graze the outline"
    assert np.percentile(off, 95) < 0.3, "a ray is wrong by more than a pixel"


def test_hair_surrounds_the_head_and_not_the_face():
    for number in range(6):
        curly = drawn(number, style="curly", hair_top=3.0, headwear="none", fringe=0.0, recession=0.5)
        bald = drawn(number, bare=True)
        assert (curly.parts == HAIR).sum() > 0.1 * (bald.alpha > 0).sum()
        middle = tuple(curly.keypoints[:3].mean(0).astype(int)[::-1])
        assert curly.parts[middle] == SKIN


def test_the_edge_of_hair_is_soft():
    """The background shows between strands at the edge."""
    head = drawn(3, style="long", hair_top=1.4, hair_length=18.0, headwear="none", height=100)
    edge = (head.parts == HAIR) & (head.alpha < 0.9)
    assert edge.sum() > 0.03 * (head.parts == HAIR).sum()


def test_landmarks_lie_on_the_face_in_the_right_order():
    for number in range(12):
        head = drawn(number, spectacles="none", headwear="none", style="bald")
        left_eye, right_eye, nose, left_mouth, right_mouth = head.keypoints
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < nose[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]
        assert head.visible.all()
        x, y, w, h = head.bbox
        assert ((head.keypoints >= (x, y)) & (head.keypoints <= (x + w, y + h))).all()


@pytest.mark.parametrize(("yaw", "hidden"), [(75, 0), (-75, 1)])
def test_the_far_eye_of_a_profile_is_not_visible(yaw, hidden):
    # Turned to the right of the picture, the eye on the right is the far one.
    visible = drawn(4, Pose(yaw), 60, bare=True).visible
    assert not visible[1 - hidden]
    assert visible[hidden]


def test_dark_glasses_hide_the_eyes_and_nothing_else():
    assert drawn(5, spectacles="dark", style="bald", headwear="none").visible.tolist() == [
        False,
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize("height", [10, 24, 64])
def test_the_face_has_about_the_requested_height(height):
    heights = [drawn(number, height=height).bbox[3] for number in range(8)]
    assert np.mean(heights) == pytest.approx(height, rel=0.1)


def test_turning_the_head_moves_the_nose_and_rolling_it_tilts_the_eyes():
    right, left = drawn(1, Pose(yaw=40)).keypoints, drawn(1, Pose(yaw=-40)).keypoints
    assert right[2, 0] > right[:2, 0].mean() + 2
    assert left[2, 0] < left[:2, 0].mean() - 2
    eyes = np.diff(drawn(1, Pose(roll=30), slant=0.0, lean=0.0).keypoints[:2], axis=0)[0]
    assert np.degrees(np.arctan2(eyes[1], eyes[0])) == pytest.approx(30, abs=1)
    up, down = (drawn(1, Pose(pitch=pitch)).keypoints for pitch in (20, -20))
    assert up[2, 1] - up[:2, 1].mean() < down[2, 1] - down[:2, 1].mean(), (
        "a raised chin moves the nose towards the eyes"
    )


def test_expression_moves_the_mouth_and_not_the_identity():
    calm = drawn(6, height=80, bare=True)
    smiling = drawn(6, height=80, look=Expression(smile=1.0, open=0.6, jaw=0.4), bare=True)
    assert np.ptp(smiling.keypoints[3:, 0]) > 1.1 * np.ptp(calm.keypoints[3:, 0])
    np.testing.assert_allclose(smiling.keypoints[:3], calm.keypoints[:3], atol=1e-3)
    assert smiling.bbox[3] > calm.bbox[3], "the jaw drops"


def test_light_from_one_side_brightens_that_side():
    lit = drawn(2, height=48, light=Light((1.0, 0.1, 0.4), (0.9,) * 3, (0.2,) * 3, (0.2,) * 3), bare=True)
    columns = np.broadcast_to(np.arange(lit.face.shape[1]), lit.face.shape)
    middle = np.median(columns[lit.face])
    gray = lit.linear.mean(2)
    assert gray[lit.face & (columns > middle)].mean() > 1.5 * gray[lit.face & (columns < middle)].mean()


def test_normals_are_unit_vectors_that_face_the_camera():
    head = drawn(7, bare=True)
    inside = head.alpha == 1
    np.testing.assert_allclose(np.linalg.norm(head.normals[inside], axis=1), 1, atol=1e-3)
    assert (head.normals[inside][:, 2] > -0.3).mean() > 0.995
    nose = tuple(head.keypoints[2].astype(int)[::-1])
    assert head.normals[nose][2] > 0.6


def test_the_same_generator_gives_the_same_face_and_another_does_not():
    one, again, other = drawn(7), drawn(7), drawn(8)
    np.testing.assert_array_equal(one.linear, again.linear)
    assert np.abs(one.linear - other.linear).mean() > 0.01


def test_two_rays_per_pixel_render_the_same_head_smoother():
    who = sample_identity(generator("heads", 9)).bare()
    view = View.of_face(Pose(), 40, 34, 34)
    coarse, fine = (render_head(who, Expression(), view, SUN, (68, 68), rays) for rays in (1, 2))
    np.testing.assert_allclose(coarse.keypoints, fine.keypoints)
    both = (coarse.alpha == 1) & (fine.alpha == 1)
    assert np.abs(coarse.linear - fine.linear)[both].mean() < 0.02
    assert abs(coarse.alpha.sum() / fine.alpha.sum() - 1) < 0.03


def test_identities_cover_the_range_of_skin_tones_ages_and_styles():
    people = [sample_identity(generator("range", number)) for number in range(600)]
    melanin = np.array([who.melanin for who in people])
    groups = np.abs(melanin[:, None] - [middle for middle, _ in MELANIN]).argmin(1)
    assert (np.bincount(groups) / 600 > 0.08).all(), "no skin tone is rare"
    for name in ("style", "headwear", "spectacles"):
        assert len({getattr(who, name) for who in people}) > 2
    assert np.ptp([who.age for who in people]) > 0.9


def test_tone_mapping_keeps_order_and_range():
    ramp = np.linspace(0, 3, 50)[:, None, None] * np.ones((1, 1, 3))
    shown = develop(ramp)[:, 0, 0]
    assert (np.diff(shown) >= -1e-6).all()
    assert shown[0] == 0
    assert 0.9 < shown[-1] <= 1
