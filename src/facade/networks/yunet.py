"""YuNet (Wu et al., "YuNet: A tiny millisecond-level face detector", 2023), as OpenCV runs it."""

from pathlib import Path

import cv2
import numpy as np

# As in OpenCV's sample.
NMS, MAX_CANDIDATES = 0.45, 5000


class YuNet:
    """OpenCV's FaceDetectorYN. Images keep their size."""

    name = "YuNet"

    def __init__(self, weights: Path) -> None:
        self._network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), 0.5, NMS, MAX_CANDIDATES)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        self._network.setInputSize((image.shape[1], image.shape[0]))
        self._network.setScoreThreshold(min_score)
        _, rows = self._network.detect(image)
        if rows is None:
            return np.zeros((0, 5))
        rows = np.asarray(rows, float)[:, [0, 1, 2, 3, 14]]
        return rows[np.argsort(-rows[:, 4], kind="stable")]
