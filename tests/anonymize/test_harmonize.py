"""Matching tone, sharpness and noise to the photograph."""

import cv2
import numpy as np
import pytest
from skimage.restoration import estimate_sigma

from facade.anonymize.harmonize import estimate_noise, match_noise, match_sharpness, match_tone
from facade.seeds import generator
from tests.conftest import noise

ALL = np.ones((64, 64), bool)


def textured(seed, color, contrast=0.1):
    return np.clip(np.array(color) + contrast * (noise(64, 64, seed) / 255 - 0.5), 0, 1).astype(np.float32)


def test_the_median_tone_matches_the_photograph():
    face, original = textured(1, (0.5, 0.6, 0.8)), textured(2, (0.2, 0.3, 0.45))
    matched = match_tone(face, original, ALL)
    medians = [np.median(cv2.cvtColor(p, cv2.COLOR_BGR2LAB).reshape(-1, 3), axis=0) for p in (matched, original)]
    np.testing.assert_allclose(*medians, atol=3)


def test_teeth_do_not_turn_blue_when_yellow_skin_turns_pink():
    face = textured(1, (0.35, 0.55, 0.75), 0.02)
    face[:8] = 0.9  # white teeth
    original = textured(2, (0.6, 0.55, 0.75), 0.02)
    skin = ALL.copy()
    skin[:8] = False
    blue, _, red = match_tone(face, original, skin)[:8].reshape(-1, 3).mean(0)
    assert blue - red < 0.06


@pytest.mark.parametrize("sigma", [0.8, 1.5])
def test_a_sharp_face_is_blurred_to_the_sharpness_of_the_photograph(sigma):
    face = textured(1, (0.5, 0.5, 0.5), 0.8)
    original = cv2.GaussianBlur(textured(2, (0.5, 0.5, 0.5), 0.8), (0, 0), sigma)
    softer = match_sharpness(face, original, ALL)

    def detail(p):
        return np.abs(cv2.Laplacian(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.CV_32F)).mean()

    assert 0.6 * detail(original) < detail(softer) <= 1.05 * detail(original)


def test_a_soft_face_is_not_changed():
    face = cv2.GaussianBlur(textured(1, (0.5, 0.5, 0.5), 0.8), (0, 0), 3)
    np.testing.assert_array_equal(match_sharpness(face, textured(2, (0.5, 0.5, 0.5), 0.8), ALL), face)


@pytest.mark.parametrize("level", [0.01, 0.03])
def test_noise_is_estimated_and_added(level):
    """Independent oracle: scikit-image's wavelet estimate."""
    flat = np.full((64, 64, 3), 0.5, np.float32)
    grain = generator("noise").standard_normal((64, 64, 1)) * level
    noisy = (flat + grain).astype(np.float32)
    assert estimate_noise(noisy) == pytest.approx(level, rel=0.25)
    assert estimate_noise(noisy) == pytest.approx(estimate_sigma(noisy[..., 0]), rel=0.3)
    added = match_noise(flat, level, generator("grain"))
    assert added.std() == pytest.approx(level, rel=0.3)
    assert np.abs(added.mean() - 0.5) < 0.005


def test_a_noisy_face_gets_no_more_noise():
    noisy = (0.5 + generator("noise").standard_normal((64, 64, 3)) * 0.05).astype(np.float32)
    np.testing.assert_array_equal(match_noise(noisy, 0.01, generator("grain")), noisy)
