"""Perceptual hashes and who is near whom."""

import cv2
import numpy as np
import pytest

from facade.dataset.duplicates import near, perceptual_hash
from tests.conftest import noise


def test_the_same_picture_at_another_size_and_quality_is_near():
    large = noise(300, 400, 3)
    small = cv2.imdecode(cv2.imencode(".jpg", cv2.resize(large, (200, 150)), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    assert (perceptual_hash(large) ^ perceptual_hash(small)).bit_count() <= 4


@pytest.mark.parametrize("distance", [0, 4, 20])
def test_near_equals_counting_bits_one_by_one(distance):
    random = np.random.default_rng(1)
    others = [int(value) for value in random.integers(0, 2**64, 40, dtype=np.uint64)] + [0, 2**64 - 1, 1 << 63]
    mine = [int(value) for value in random.integers(0, 2**64, 30, dtype=np.uint64)]
    mine += [others[3] ^ 0b1011, others[7], 0, 256]
    found = near(mine, others, distance)
    for value, place in zip(mine, found, strict=True):
        apart = [(value ^ other).bit_count() for other in others]
        assert (place >= 0) == (min(apart) <= distance)
        if place >= 0:
            assert apart[place] == min(apart)


def test_nobody_is_near_nobody():
    assert near([1, 2], [], 64).tolist() == [-1, -1]
    assert near([], [1], 64).tolist() == []
