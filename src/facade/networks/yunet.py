"""YuNet (Wu et al., "YuNet: A tiny millisecond-level face detector", 2023), as OpenCV runs it."""

from pathlib import Path

import cv2
import numpy as np

from facade.errors import FacadeError
from facade.networks.protocol import sort_by_score
from facade.networks.sessions import CPU

# As in OpenCV's sample.
NMS, MAX_CANDIDATES = 0.45, 5000


class YuNet:
    """OpenCV's FaceDetectorYN. Images keep their size."""

    name = "YuNet"
    device = CPU

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        if device == "cuda":
            raise FacadeError(f"{weights} is YuNet, which OpenCV runs on the CPU alone. Use auto or cpu as the device.")
        self._weights = weights
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns about its own default
        try:
            self._network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), 0.5, NMS, MAX_CANDIDATES)
        except cv2.error as error:
            raise self._failure(error) from None
        finally:
            cv2.utils.logging.setLogLevel(level)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        self._network.setInputSize((image.shape[1], image.shape[0]))
        self._network.setScoreThreshold(min_score)
        try:
            _, rows = self._network.detect(image)
        except cv2.error as error:
            raise self._failure(error) from None
        if rows is None:
            return np.zeros((0, 15))
        # OpenCV's "right eye" is the person's, the left one for a viewer; the score comes last.
        return sort_by_score(np.asarray(rows, float)[:, [0, 1, 2, 3, 14, *range(4, 14)]])

    def _failure(self, error: cv2.error) -> FacadeError:
        reason = str(error).strip().splitlines()[-1][:120]
        return FacadeError(f"OpenCV cannot run {self._weights} ({reason}). Replace the file.")
