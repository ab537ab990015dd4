"""Perceptual hashes and near-duplicates."""

import cv2
import numpy as np
import pytest

from facade.dataset.duplicates import nearest_duplicates, perceptual_hash
from tests.conftest import noise


def test_a_picture_at_another_size_and_quality_is_a_near_duplicate():
    large = noise(300, 400, 3)
    small = cv2.imdecode(cv2.imencode(".jpg", cv2.resize(large, (200, 150)), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    assert (perceptual_hash(large) ^ perceptual_hash(small)).bit_count() <= 4


@pytest.mark.parametrize("distance", [0, 4, 20])
def test_distances_equal_a_bit_count_in_python(distance):
    random = np.random.default_rng(1)
    others = [int(value) for value in random.integers(0, 2**64, 40, dtype=np.uint64)] + [0, 2**64 - 1, 1 << 63]
    mine = [int(value) for value in random.integers(0, 2**64, 30, dtype=np.uint64)]
    mine += [others[3] ^ 0b1011, others[7], 0, 256]
    found = nearest_duplicates(mine, others, distance)
    for value, index in zip(mine, found, strict=True):
        distances = [(value ^ other).bit_count() for other in others]
        assert (index >= 0) == (min(distances) <= distance)
        if index >= 0:
            assert distances[index] == min(distances)


def test_empty_inputs_give_no_duplicates():
    assert nearest_duplicates([1, 2], [], 64).tolist() == [-1, -1]
    assert nearest_duplicates([], [1], 64).tolist() == []
