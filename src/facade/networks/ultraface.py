"""UltraFace RFB (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB")."""

import cv2
import numpy as np

from facade.errors import FacadeError
from facade.networks.protocol import apply_nms
from facade.networks.sessions import OnnxNetwork

NMS = 0.3


class UltraFace:
    """Images are stretched to the network's input, as its authors do. It gives no landmarks."""

    name = "UltraFace"
    fixed_size = True

    def __init__(self, network: OnnxNetwork) -> None:
        size = network.input_size()
        if size is None:
            raise FacadeError(f"{network.file} is UltraFace without an input of fixed size. Export it with one.")
        self._network, self._size, self.device = network, size, network.device

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        pixels = cv2.dnn.blobFromImage(image, 1 / 128, self._size, (127, 127, 127), swapRB=True)
        scores, boxes = (output[0] for output in self._network.run(["scores", "boxes"], pixels))
        kept = scores[:, 1] >= min_score
        height, width = image.shape[:2]
        xyxy = boxes[kept] * [width, height, width, height]
        return apply_nms(np.column_stack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]]), scores[kept, 1], min_score, NMS)
