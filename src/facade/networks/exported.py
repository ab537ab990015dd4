"""A detector in ONNX that gives decoded boxes and scores, as `facade.detector.export` writes it."""

from pathlib import Path

import cv2
import numpy as np

from facade.networks.protocol import apply_nms, create_session

# Sides are padded to multiples of this, with ImageNet's mean color (BGR), which the graph turns into zeros.
MULTIPLE, PADDING = 32, (103.53, 116.28, 123.675)
NMS = 0.6


class ExportedDetector:
    """Images keep their size, or are resized to a longest side.

    Args:
        weights: The ONNX file.
        size: Longest side that images are resized to, pixels; None keeps their size.
    """

    def __init__(self, weights: Path, size: int | None = None) -> None:
        self.name = weights.stem
        self._session = create_session(weights)
        self._size = size

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        height, width = image.shape[:2]
        factor = 1.0 if self._size is None else self._size / max(height, width)
        resized = image
        if factor != 1:
            resized = cv2.resize(image, (max(1, round(width * factor)), max(1, round(height * factor))))
        new_height, new_width = resized.shape[:2]
        bottom, right = -new_height % MULTIPLE, -new_width % MULTIPLE
        padded = cv2.copyMakeBorder(resized.astype(np.float32), 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=PADDING)
        pixels = np.ascontiguousarray(padded.transpose(2, 0, 1)[None])
        boxes, scores = self._session.run(["boxes", "scores"], {"image": pixels})
        kept = scores >= min_score
        scale = np.tile([width / new_width, height / new_height], 2)
        xyxy = np.clip(boxes[kept], 0, [new_width, new_height, new_width, new_height]) * scale
        return apply_nms(np.column_stack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]]), scores[kept], min_score, NMS)
