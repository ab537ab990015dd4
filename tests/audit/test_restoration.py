"""Learned restoration: it undoes what pairs teach, from the pairs of other folds only."""

import cv2
import numpy as np
import pytest

from facade.audit.learned import FOLDS
from facade.audit.restoration import SIDE, restore

COUNT = 160
FOLD = np.arange(COUNT) % FOLDS


def smooth_pictures(seed: int) -> list[np.ndarray]:
    """Pictures of few degrees of freedom, as aligned faces are: sums of twelve fixed textures."""
    textures = np.random.default_rng(7).normal(size=(12, SIDE, SIDE, 3))
    textures = np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in textures])
    weights = np.random.default_rng(seed).normal(size=(COUNT, 12))
    pictures = 128 + 60 * np.tensordot(weights, textures / textures.std(), 1) / np.sqrt(12)
    return [np.clip(np.rint(one), 0, 255).astype(np.uint8) for one in pictures]


def blurred(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.GaussianBlur(one, (0, 0), 5) for one in pictures]


def faces(source, treated, learned):
    views = zip(source, treated, learned, strict=True)
    return [{"source": one, "treated": two, "learned": three} for one, two, three in views]


def error(restored: list[np.ndarray], source: list[np.ndarray]) -> float:
    """Root mean square, gray levels."""
    small = np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in restored])
    return float(np.sqrt(np.mean((small.astype(float) - np.stack(source)) ** 2)))


@pytest.fixture(scope="module")
def source() -> list[np.ndarray]:
    return smooth_pictures(0)


@pytest.fixture(scope="module")
def restored(source) -> list[np.ndarray]:
    return restore(faces(source, blurred(source), blurred(source)), FOLD, "learned")


def test_a_blur_is_undone(source, restored):
    assert [one.shape for one in restored] == [(112, 112, 3)] * COUNT
    untouched = error(blurred(source), source)
    assert untouched > 15
    assert error(restored, source) < untouched / 3


def test_a_face_is_restored_without_its_own_source(source, restored):
    """Other sources in the attacked fold change nothing there, and something elsewhere."""
    other = smooth_pictures(1)
    mixed = [new if fold == 0 else old for new, old, fold in zip(other, source, FOLD, strict=True)]
    again = restore(faces(mixed, blurred(source), blurred(source)), FOLD, "learned")
    same = np.array([np.array_equal(one, two) for one, two in zip(again, restored, strict=True)])
    assert same[FOLD == 0].all()
    assert not same[FOLD != 0].any()


def test_pairs_that_do_not_belong_together_teach_nothing(source, restored):
    """The best guess then is the mean face, whatever was treated."""
    order = np.random.default_rng(3).permutation(COUNT)
    guessed = restore(faces([source[one] for one in order], blurred(source), blurred(source)), FOLD, "learned")
    mean = np.broadcast_to(np.stack(source).mean(0), (COUNT, SIDE, SIDE, 3))
    assert error(guessed, source) > 0.9 * float(np.sqrt(np.mean((mean - np.stack(source)) ** 2)))


def test_too_few_faces_or_nothing_to_learn_from_restore_nothing(source):
    few = faces(source, blurred(source), blurred(source))[:12]
    assert restore(few, FOLD[:12], "learned") is None
    assert restore(faces(source, blurred(source), blurred(source)), FOLD, "another") is None
