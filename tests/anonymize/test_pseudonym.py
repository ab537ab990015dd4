"""Replacing faces: who comes, what is left of who went, and odd faces."""

import cv2
import numpy as np
import pytest

from facade.anonymize.pseudonym import ReplaceFaces
from facade.anonymize.region import region
from facade.dataset import Face, Photograph
from facade.heads import Pose
from facade.heads.portrait import Portrait
from facade.heads.source import ProceduralHeads
from tests.conftest import noise

FACE = Face((40, 30, 40, 50), ((50, 50), (70, 50), (60, 60), (52, 68), (68, 68)))


class Recorder:
    """A source that notes whom it was asked for."""

    def __init__(self) -> None:
        self.heads = ProceduralHeads()
        self.asked: list[tuple[int, Pose]] = []

    def portrait(self, random: np.random.Generator, pose: Pose, face_height: float) -> Portrait:
        self.asked.append((int(random.bit_generator.state["state"]["state"]), pose))
        return self.heads.portrait(random, pose, face_height)


def replaced(params, image, *faces, source=None, file="a.jpg", **changes):
    settings = params.synthesize.model_copy(update=changes)
    photograph = Photograph(file, image.shape[1], image.shape[0], faces)
    return ReplaceFaces(settings, source or ProceduralHeads())(image, photograph)


def test_who_comes_depends_on_seed_photograph_and_number_and_never_on_pixels(params):
    def who(image, file="a.jpg", seed=0, faces=(FACE, FACE)):
        recorder = Recorder()
        replaced(params, image, *faces, source=recorder, file=file, seed=seed)
        return [state for state, _ in recorder.asked]

    first = who(noise(120, 160, 1))
    assert first == who(noise(120, 160, 2)), "another person, the same pseudonym"
    assert first == who(noise(120, 160, 1), faces=(Face((10, 10, 30, 30), FACE.keypoints), FACE))
    assert first[0] != first[1]
    assert set(first).isdisjoint(who(noise(120, 160, 1), file="b.jpg"))
    assert set(first).isdisjoint(who(noise(120, 160, 1), seed=1))


@pytest.mark.parametrize("face", [FACE, Face(FACE.bbox)], ids=["landmarks", "box alone"])
def test_no_pixel_of_the_person_is_left_in_the_face(params, face):
    """The face is a checkerboard that nothing else has: after replacing, no trace of its frequency is left."""
    image = np.full((120, 160, 3), 120, np.uint8)
    board = (np.indices((50, 40)).sum(0) % 2 * 200 + 20).astype(np.uint8)
    image[30:80, 40:80] = board[..., None]
    treated = replaced(params, image, face)
    sign = (np.indices((50, 40)).sum(0) % 2 * 2.0 - 1)[..., None]
    weight = np.zeros(image.shape[:2])
    area = region(face.bbox, image.shape, params.synthesize.widen, params.synthesize.feather, ellipse=True)
    weight[area.rows, area.columns] = area.weight
    inside = weight[30:80, 40:80] == 1
    assert inside.mean() > 0.8
    before = np.abs((image[30:80, 40:80] * sign)[inside].mean())
    after = np.abs((treated[30:80, 40:80] * sign)[inside].mean())
    assert before > 90
    assert after < 3


def test_pixels_outside_the_region_are_bit_identical(params, photo):
    treated = replaced(params, photo, FACE)
    area = region(FACE.bbox, photo.shape, params.synthesize.widen, params.synthesize.feather, ellipse=True)
    outside = np.ones(photo.shape[:2], bool)
    outside[area.rows, area.columns] = area.weight == 0
    np.testing.assert_array_equal(treated[outside], photo[outside])


def test_the_tone_of_the_photograph_is_kept(params):
    for colour in ((60, 80, 110), (150, 170, 210), (90, 90, 90)):
        image = np.clip(np.array(colour) + noise(120, 160)[..., :1].astype(int) // 8 - 16, 0, 255).astype(np.uint8)
        treated = replaced(params, image, FACE)
        inner = (slice(48, 66), slice(52, 68))
        before, after = (cv2.cvtColor(part[inner], cv2.COLOR_BGR2LAB).reshape(-1, 3) for part in (image, treated))
        np.testing.assert_allclose(np.median(after, 0), np.median(before, 0), atol=14)


def test_a_grey_photograph_stays_grey(params):
    image = np.repeat(noise(120, 160)[..., :1], 3, axis=2)
    treated = replaced(params, image, FACE).astype(int)
    assert np.ptp(treated, axis=2).max() <= 6


@pytest.mark.parametrize(
    "face",
    [
        Face((-20, -20, 50, 60)),
        Face((140, 100, 60, 70)),
        Face((50, 50, 4, 4)),
        Face((50, 50, 1, 1)),
        Face((0, 0, 160, 120)),
        Face((40, 30, 40, 50), ((300, 300),) * 5),
        Face((40, 30, 40, 50), ((70, 68), (50, 68), (60, 58), (68, 50), (52, 50))),
        Face((40, 30, 2, 80)),
    ],
    ids=["corner", "far corner", "4 px", "1 px", "all of it", "landmarks astray", "upside down", "sliver"],
)
def test_odd_faces_are_replaced(params, face):
    image = noise(120, 160)
    treated = replaced(params, image, face)
    assert treated.shape == image.shape
    assert (treated != image).any()


def test_a_face_of_two_thousand_pixels_is_replaced(params):
    image = noise(2200, 2000)
    treated = replaced(params, image, Face((100, 100, 1700, 2000)))
    assert np.abs(treated[600:1600, 600:1400].astype(int) - image[600:1600, 600:1400]).mean() > 10
