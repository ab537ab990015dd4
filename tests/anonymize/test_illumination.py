"""Estimating light and skin tone from a face."""

from dataclasses import replace

import numpy as np
import pytest

from facade.anonymize.illumination import estimate_light, skin_colored_mask
from facade.color import encode_gamma
from facade.heads import Expression, Light, Pose, View, render_head, sample_identity
from facade.seeds import generator


def photographed(light, number=0, pose=Pose(), height=90.0, **changes):  # noqa: B008
    """A rendered face, gamma-encoded without a tone curve, and its view."""
    who = replace(sample_identity(generator("light", number)).bare(), **changes)
    size = int(1.6 * height)
    view = View.of_face(pose, height, size / 2, size / 2)
    head = render_head(who, Expression(), view, light, (size, size))
    shown = encode_gamma(np.clip(head.linear * head.alpha[..., None] + 0.2 * (1 - head.alpha[..., None]), 0, 1))
    return (255 * shown[..., ::-1]).astype(np.uint8), view


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("pose", [Pose(), Pose(30, 0, 0), Pose(-30, 10, 15)], ids=["frontal", "right", "tilted"])
def test_the_side_of_the_light_is_recovered(side, pose):
    """Independent oracle: the light that the face was rendered in."""
    lamp = Light((0.8 * side, 0.4, 0.6), (0.8,) * 3, (0.25,) * 3, (0.15,) * 3)
    found, _ = estimate_light(*photographed(lamp, pose=pose))
    towards = np.array(found.direction)
    drawn = np.array(lamp.direction) / np.linalg.norm(lamp.direction)
    assert towards @ drawn > 0.8
    assert towards[0] * side > 0.2


def test_even_light_has_a_weaker_key_light_than_harsh_light():
    harsh = Light((0.7, 0.5, 0.6), (0.9,) * 3, (0.1,) * 3, (0.05,) * 3)
    even = Light((0.1, 0.5, 0.8), (0.1,) * 3, (0.6,) * 3, (0.5,) * 3)
    keys = [estimate_light(*photographed(light))[0].key[0] for light in (harsh, even)]
    assert keys[0] > 1.5 * keys[1]


def test_an_occluder_over_half_of_the_face_does_not_flip_the_light():
    lamp = Light((-0.7, 0.4, 0.7), (0.8,) * 3, (0.25,) * 3, (0.15,) * 3)
    picture, view = photographed(lamp)
    height, width = picture.shape[:2]
    picture[int(0.62 * height) :, : width // 2] = 5
    assert estimate_light(picture, view)[0].direction[0] < 0


def test_the_tone_is_that_of_the_skin_and_not_of_an_occluder():
    light = Light((0.1, 0.3, 1.0), (0.6,) * 3, (0.3,) * 3, (0.2,) * 3)
    picture, view = photographed(light, number=1, melanin=0.8)
    _, bare = estimate_light(picture, view)
    picture[:, int(0.42 * picture.shape[1]) :] = (40, 220, 120)  # lime
    _, hidden = estimate_light(picture, view, occluded=True)
    _, wall = estimate_light(picture, view)
    np.testing.assert_allclose(encode_gamma(np.array(hidden)), encode_gamma(np.array(bare)), atol=0.08)
    assert wall[1] > 1.5 * wall[0]  # without the label, the occluder's green is used


@pytest.mark.parametrize("color", [(90, 90, 90), (200, 60, 40)], ids=["gray", "blue"])
def test_without_skin_colors_all_of_the_face_counts(color):
    """A grayscale photograph, or a stage in blue light."""
    picture, where = np.full((40, 40, 3), color, np.uint8), np.zeros((40, 40), bool)
    where[5:30, 8:30] = True
    np.testing.assert_array_equal(skin_colored_mask(picture, where, ~where), where)


def test_the_next_candidate_is_used_if_the_first_shows_no_skin():
    picture, near, far = np.full((40, 40, 3), (30, 200, 40), np.uint8), *np.zeros((2, 40, 40), bool)
    near[20:30], far[5:30] = True, True
    picture[8:12] = (120, 150, 210)
    found = skin_colored_mask(picture, near, far)
    assert found[8:12].all()
    assert found.sum() == 4 * 40


@pytest.mark.parametrize("melanin", [0.2, 0.8, 1.6])
def test_the_tone_is_that_of_the_cheeks(melanin):
    light = Light((0.1, 0.3, 1.0), (0.6,) * 3, (0.3,) * 3, (0.2,) * 3)
    picture, view = photographed(light, number=1, melanin=melanin)
    _, tone = estimate_light(picture, view)
    column, row = view.project(np.array([[-4.0, -3.0, -1.5]]))[0].astype(int)
    cheek = np.median(picture[row - 3 : row + 4, column - 3 : column + 4].reshape(-1, 3), axis=0)[::-1] / 255
    np.testing.assert_allclose(encode_gamma(np.array(tone)), cheek, atol=0.12)


def test_a_face_too_small_to_measure_gets_frontal_light_and_no_tone():
    view = View.of_face(Pose(), 5, 4, 4)
    light, tone = estimate_light(np.full((8, 8, 3), 100, np.uint8), view)
    assert light.direction[2] > abs(light.direction[0])
    assert tone is None
