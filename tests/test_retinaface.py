"""facexlib's RetinaFace behind Facade's own door."""

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facade.errors import FacadeError
from facade.retinaface import RetinaFace, retinaface
from tests.conftest import SHARED, noise

WEIGHTS = SHARED / "weights" / "detection_mobilenet0.25_Final.pth"
BANK = SHARED / "data" / "facebank-sfhq"
at_hand = pytest.mark.skipif(
    not WEIGHTS.is_file() or not BANK.is_dir(), reason="facexlib's weights or pictures of faces are not at hand"
)


@pytest.fixture(scope="module")
def network() -> RetinaFace:
    return retinaface(WEIGHTS)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """A synthetic face of about 150 pixels, in the middle of 512 x 512."""
    picture = cv2.imread(str(sorted(BANK.glob("sample_*.jpg"))[0]))
    canvas = np.full((512, 512, 3), 128, np.uint8)
    canvas[128:384, 128:384] = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    return canvas


@at_hand
def test_a_face_is_found_with_its_landmarks(network, portrait):
    (face,) = network.faces(portrait, 0.8)
    x, y, w, h = face.bbox
    assert 128 < x < x + w < 384
    assert 128 < y < y + h < 384
    assert face.score > 0.8
    left_eye, right_eye, nose, left_mouth, right_mouth = face.keypoints
    assert x < left_eye[0] < nose[0] < right_eye[0] < x + w
    assert y < max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1]) < y + h


@at_hand
def test_a_mirrored_face_has_mirrored_landmarks(network, portrait):
    """Independent of how facexlib scales: a mirror keeps everything but left and right."""
    (face,) = network.faces(portrait, 0.8)
    (mirrored,) = network.faces(np.ascontiguousarray(portrait[:, ::-1]), 0.8)
    back = np.stack([512 - mirrored.keypoints[:, 0], mirrored.keypoints[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(back, face.keypoints, atol=0.04 * face.bbox[3])


@at_hand
@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_a_picture_that_is_resized_first_gives_the_same_places(network, portrait, factor):
    (face,) = network.faces(portrait, 0.8)
    (resized,) = network.faces(portrait, 0.8, factor)
    np.testing.assert_allclose(resized.keypoints, face.keypoints, atol=0.05 * face.bbox[3])
    np.testing.assert_allclose(resized.bbox, face.bbox, atol=0.1 * face.bbox[3])


@at_hand
def test_enlarging_finds_a_face_that_is_too_small(network, portrait):
    small = cv2.resize(portrait, (40, 40), interpolation=cv2.INTER_AREA)  # the face has about 12 pixels
    assert not network.faces(small, 0.8)
    (face,) = network.faces(small, 0.8, 3)
    assert 10 < face.bbox[0] < face.bbox[0] + face.bbox[2] < 30


@at_hand
def test_results_are_equal_to_the_bit_and_the_number_of_threads_stays(network, portrait):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        one = network.faces(portrait, 0.3)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        two = RetinaFace(WEIGHTS).faces(portrait, 0.3)
    finally:
        torch.set_num_threads(before)
    assert [(face.bbox, face.score) for face in one] == [(face.bbox, face.score) for face in two]
    assert all((a.keypoints == b.keypoints).all() for a, b in zip(one, two, strict=True))


@at_hand
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (5000, 8)])
def test_a_picture_of_any_shape_is_looked_at(network, shape):
    assert network.faces(noise(*shape), 0.8) == []


class Malice:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path(os.environ["FACADE_TEST_TOUCHED"]),)


@pytest.mark.parametrize("content", [b"", b"no weights", pickle.dumps({"a": 1})], ids=["empty", "text", "number"])
def test_a_file_that_is_no_weights_gets_a_sentence(tmp_path, content):
    path = tmp_path / WEIGHTS.name
    path.write_bytes(content)
    with pytest.raises(
        FacadeError,
        match=f"RetinaFace's file is .*{path.name}, which holds no weights that are safe|facexlib cannot load",
    ):
        RetinaFace(path)


def test_a_pickle_that_would_run_code_is_refused_before_it_does(tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("FACADE_TEST_TOUCHED", str(tmp_path / "touched"))
    path = tmp_path / WEIGHTS.name
    torch.save({"weight": Malice()}, path)
    with pytest.raises(FacadeError, match="holds more than tensors and numbers"):
        RetinaFace(path)
    assert not (tmp_path / "touched").exists()
    torch.load(path, weights_only=False)  # the bait works
    assert (tmp_path / "touched").exists()


def test_weights_of_another_network_get_a_sentence(tmp_path):
    import torch

    path = tmp_path / WEIGHTS.name
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(FacadeError, match="facexlib cannot load"):
        RetinaFace(path)


def test_weights_under_another_name_get_a_sentence(tmp_path):
    with pytest.raises(FacadeError, match=r"weights\.pth is named like none of facexlib's weights"):
        RetinaFace(tmp_path / "weights.pth")
