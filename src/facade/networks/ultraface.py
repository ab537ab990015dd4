"""UltraFace RFB-640 (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB")."""

from pathlib import Path

import cv2
import numpy as np

from facade.networks.protocol import apply_nms, create_session

# Width and height of the input, pixels; images are stretched to it, as its authors do.
SIZE = (640, 480)
NMS = 0.3


class UltraFace:
    """Images are stretched to a fixed size."""

    name = "UltraFace"

    def __init__(self, weights: Path) -> None:
        self._session = create_session(weights)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        pixels = cv2.dnn.blobFromImage(image, 1 / 128, SIZE, (127, 127, 127), swapRB=True)
        scores, boxes = (output[0] for output in self._session.run(["scores", "boxes"], {"input": pixels}))
        kept = scores[:, 1] >= min_score
        height, width = image.shape[:2]
        xyxy = boxes[kept] * [width, height, width, height]
        return apply_nms(np.column_stack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]]), scores[kept, 1], min_score, NMS)
