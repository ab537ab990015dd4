"""UltraFace RFB-640 (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB")."""

from pathlib import Path

import cv2
import numpy as np

from facade.networks.protocol import suppressed

# The network's input, width and height; pictures are stretched to it, as its authors do.
SIZE = (640, 480)
NMS = 0.3


class UltraFace:
    """Boxes and scores of a fixed input."""

    name = "UltraFace"

    def __init__(self, weights: Path) -> None:
        self._network = cv2.dnn.readNetFromONNX(str(weights))

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        self._network.setInput(cv2.dnn.blobFromImage(image, 1 / 128, SIZE, (127, 127, 127), swapRB=True))
        scores, boxes = (np.asarray(one)[0] for one in self._network.forward(("scores", "boxes")))
        sure = scores[:, 1] >= min_score
        height, width = image.shape[:2]
        corners = boxes[sure] * [width, height, width, height]
        return suppressed(
            np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), scores[sure, 1], min_score, NMS
        )
