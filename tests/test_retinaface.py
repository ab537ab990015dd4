"""Facade's wrapper of facexlib's RetinaFace."""

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
needs_files = pytest.mark.skipif(
    not WEIGHTS.is_file() or not BANK.is_dir(), reason="facexlib's weights or images of faces are missing"
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


@needs_files
def test_a_face_is_detected_with_its_landmarks(network, portrait):
    (face,) = network.detect(portrait, 0.8)
    x, y, w, h = face.bbox
    assert 128 < x < x + w < 384
    assert 128 < y < y + h < 384
    assert face.score > 0.8
    left_eye, right_eye, nose, left_mouth, right_mouth = face.keypoints
    assert x < left_eye[0] < nose[0] < right_eye[0] < x + w
    assert y < max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1]) < y + h


@needs_files
def test_a_mirrored_face_has_mirrored_landmarks(network, portrait):
    """A check independent of facexlib's scaling: mirroring swaps left and right alone."""
    (face,) = network.detect(portrait, 0.8)
    (mirrored,) = network.detect(np.ascontiguousarray(portrait[:, ::-1]), 0.8)
    back = np.stack([512 - mirrored.keypoints[:, 0], mirrored.keypoints[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(back, face.keypoints, atol=0.04 * face.bbox[3])


@needs_files
@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_resizing_first_gives_the_same_boxes_and_landmarks(network, portrait, factor):
    (face,) = network.detect(portrait, 0.8)
    (resized,) = network.detect(portrait, 0.8, factor)
    np.testing.assert_allclose(resized.keypoints, face.keypoints, atol=0.05 * face.bbox[3])
    np.testing.assert_allclose(resized.bbox, face.bbox, atol=0.1 * face.bbox[3])


@needs_files
def test_enlarging_detects_a_face_that_is_too_small(network, portrait):
    small = cv2.resize(portrait, (40, 40), interpolation=cv2.INTER_AREA)  # the face has about 12 pixels
    assert not network.detect(small, 0.8)
    (face,) = network.detect(small, 0.8, 3)
    assert 10 < face.bbox[0] < face.bbox[0] + face.bbox[2] < 30


@needs_files
def test_results_are_bit_identical_and_the_number_of_threads_is_restored(network, portrait):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        one = network.detect(portrait, 0.3)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        two = RetinaFace(WEIGHTS).detect(portrait, 0.3)
    finally:
        torch.set_num_threads(before)
    assert [(face.bbox, face.score) for face in one] == [(face.bbox, face.score) for face in two]
    assert all((a.keypoints == b.keypoints).all() for a, b in zip(one, two, strict=True))


@needs_files
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (5000, 8)])
def test_an_image_of_any_shape_is_accepted(network, shape):
    assert network.detect(noise(*shape), 0.8) == []


class Malice:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path(os.environ["FACADE_TEST_TOUCHED"]),)


@pytest.mark.parametrize("content", [b"", b"no weights", pickle.dumps({"a": 1})], ids=["empty", "text", "number"])
def test_a_file_without_weights_is_refused_with_a_message(tmp_path, content):
    path = tmp_path / WEIGHTS.name
    path.write_bytes(content)
    with pytest.raises(
        FacadeError,
        match=f"RetinaFace's file is .*{path.name}, which holds no weights that are safe|facexlib cannot load",
    ):
        RetinaFace(path)


def test_a_pickle_that_would_run_code_is_refused_without_running_it(tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("FACADE_TEST_TOUCHED", str(tmp_path / "touched"))
    path = tmp_path / WEIGHTS.name
    torch.save({"weight": Malice()}, path)
    with pytest.raises(FacadeError, match="holds more than tensors and numbers"):
        RetinaFace(path)
    assert not (tmp_path / "touched").exists()
    torch.load(path, weights_only=False)  # the bait works
    assert (tmp_path / "touched").exists()


def test_weights_of_another_network_are_refused_with_a_message(tmp_path):
    import torch

    path = tmp_path / WEIGHTS.name
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(FacadeError, match="facexlib cannot load"):
        RetinaFace(path)


def test_weights_with_another_file_name_are_refused(tmp_path):
    with pytest.raises(FacadeError, match=r"weights\.pth does not have one of facexlib's file names"):
        RetinaFace(tmp_path / "weights.pth")
