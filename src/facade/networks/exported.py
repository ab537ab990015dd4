"""A detector whose ONNX file gives boxes and scores alone, as `facade.detector.export` writes it."""

from pathlib import Path

import cv2
import numpy as np

from facade.networks.protocol import session, suppressed

# Sides are padded to multiples of this, with ImageNet's mean colour (BGR), which the graph turns into zeros.
MULTIPLE, PADDING = 32, (103.53, 116.28, 123.675)
NMS = 0.6


class Plain:
    """Pictures are seen at their own size, or shrunk to a longest side.

    Args:
        weights: The ONNX file.
        size: Longest side that pictures are resized to, pixels; None leaves them as they are.
    """

    def __init__(self, weights: Path, size: int | None = None) -> None:
        self.name = weights.stem
        self._session = session(weights)
        self._size = size

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        height, width = image.shape[:2]
        factor = 1.0 if self._size is None else self._size / max(height, width)
        seen = image
        if factor != 1:
            seen = cv2.resize(image, (max(1, round(width * factor)), max(1, round(height * factor))))
        high, wide = seen.shape[:2]
        below, right = -high % MULTIPLE, -wide % MULTIPLE
        padded = cv2.copyMakeBorder(seen.astype(np.float32), 0, below, 0, right, cv2.BORDER_CONSTANT, value=PADDING)
        pixels = np.ascontiguousarray(padded.transpose(2, 0, 1)[None])
        boxes, scores = self._session.run(["boxes", "scores"], {"image": pixels})
        sure = scores >= min_score
        corners = np.clip(boxes[sure], 0, [wide, high, wide, high]) * np.tile([width / wide, height / high], 2)
        return suppressed(
            np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), scores[sure], min_score, NMS
        )
