"""Third-party face recognition networks."""

import cv2
import numpy as np
import pytest

from facade.errors import FacadeError
from facade.recognition import ARCFACE, SIDE, TEMPLATE, align_face, open_recognizer
from tests.conftest import SHARED, noise

WEIGHTS = SHARED / "weights" / "mobilefacenet_128d.onnx"
BANK = SHARED / "data" / "facebank-sfhq"


def test_alignment_maps_the_landmarks_onto_the_template():
    """A dot at each landmark of a rotated and scaled face lands where networks expect it."""
    turn = np.array([(0.8, -0.6), (0.6, 0.8)])
    points = TEMPLATE @ turn.T * 1.7 + (120, 40)
    picture = np.zeros((400, 400, 3), np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), 4, (255, 255, 255), -1)
    aligned = align_face(picture, points)
    assert aligned.shape == (SIDE, SIDE, 3)
    assert all(aligned[round(y), round(x)].mean() > 150 for x, y in TEMPLATE)
    assert aligned.mean() < 20


def test_facexlibs_arcface_is_loaded_by_its_name_without_a_gpu(tmp_path):
    import torch
    from facexlib.recognition.arcface_arch import Backbone

    torch.manual_seed(0)
    path = tmp_path / ARCFACE
    torch.save(Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se").state_dict(), path)
    embedding = open_recognizer(path, "audit.recognition").embed(noise(SIDE, SIDE))
    assert embedding.shape == (512,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    torch.save({"w": torch.zeros(2)}, path)
    open_recognizer.cache_clear()
    with pytest.raises(FacadeError, match="does not hold the weights of facexlib's ArcFace"):
        open_recognizer(path, "audit.recognition")


@pytest.mark.parametrize("content", [None, b"", b"no network"], ids=["missing", "empty", "text"])
def test_a_file_that_is_not_a_network_is_reported(tmp_path, content):
    path = tmp_path / "w.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FacadeError, match="audit.recognition is"):
        open_recognizer(path, "audit.recognition")


@pytest.mark.skipif(not WEIGHTS.is_file() or not BANK.is_dir(), reason="recognition network or portraits missing")
def test_a_portrait_is_similar_to_itself_in_other_light_and_not_to_others():
    network = open_recognizer(WEIGHTS, "audit.recognition")
    portraits = [cv2.imread(str(path)) for path in sorted(BANK.glob("*.jpg"))[:6]]
    squares = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in portraits]
    plain = np.stack([network.embed(one) for one in squares])
    darker = np.stack([network.embed((0.8 * one).astype(np.uint8)) for one in squares])
    similarity = darker @ plain.T
    assert (similarity.argmax(1) == np.arange(6)).all()
    assert np.diag(similarity).min() > 0.8
