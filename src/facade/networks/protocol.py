"""The protocol of face detectors, and what several of them share."""

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime

# Maximum number of boxes that go into NMS, the highest-scoring ones. No image has more faces, and NMS is quadratic.
MAX_CANDIDATES = 2000


class FaceDetector(Protocol):
    """A face detector that is ready to run.

    Attributes:
        name: Its name in metrics and in the report.
    """

    name: str

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """Detect faces.

        Args:
            image: (H, W, 3) uint8, BGR.
            min_score: Detections with a lower score are dropped, 0 to 1.

        Returns:
            (N, 5) float: x, y, width, height in pixels of `image`, and the score, in descending order of score.
        """
        ...


def apply_nms(boxes: np.ndarray, scores: np.ndarray, min_score: float, iou: float) -> np.ndarray:
    """Non-maximum suppression.

    Args:
        boxes: (N, 4) float, x y w h.
        scores: (N,) float.
        min_score: Boxes with a lower score are dropped.
        iou: IoU above which the lower-scoring of two boxes is dropped.

    Returns:
        (M, 5) float: kept boxes and scores, in descending order of score.
    """
    if not len(boxes):
        return np.zeros((0, 5))
    if len(scores) > MAX_CANDIDATES:
        best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
        boxes, scores = boxes[best], scores[best]
    indices = cv2.dnn.NMSBoxes(boxes.astype(float).tolist(), scores.astype(float).tolist(), min_score, iou)
    kept = np.asarray(indices, np.int64).reshape(-1)
    rows = np.column_stack([boxes[kept], scores[kept]]).astype(float)
    return rows[np.argsort(-rows[:, 4], kind="stable")]


def create_session(weights: Path | bytes) -> onnxruntime.InferenceSession:
    """An ONNX network on one CPU thread: workers share the cores, and floating-point sums are equal everywhere."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    content = weights if isinstance(weights, bytes) else str(weights)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
