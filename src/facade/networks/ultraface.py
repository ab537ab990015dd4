"""UltraFace RFB-640 (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB")."""

from pathlib import Path

import cv2
import numpy as np

from facade.networks.protocol import session, suppressed

# The network's input, width and height; pictures are stretched to it, as its authors do.
SIZE = (640, 480)
NMS = 0.3


class UltraFace:
    """Boxes and scores of a fixed input."""

    name = "UltraFace"

    def __init__(self, weights: Path) -> None:
        self._session = session(weights)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        pixels = cv2.dnn.blobFromImage(image, 1 / 128, SIZE, (127, 127, 127), swapRB=True)
        scores, boxes = (one[0] for one in self._session.run(["scores", "boxes"], {"input": pixels}))
        sure = scores[:, 1] >= min_score
        height, width = image.shape[:2]
        corners = boxes[sure] * [width, height, width, height]
        return suppressed(
            np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), scores[sure, 1], min_score, NMS
        )
