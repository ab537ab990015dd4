"""facexlib's RetinaFace: detects faces and their five landmarks, reproducibly."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.parallel import one_torch_thread
from facade.weights import weights_file

# facexlib's file names, and the network of each file.
NETWORKS = {
    "detection_mobilenet0.25_Final.pth": "retinaface_mobile0.25",
    "detection_Resnet50_Final.pth": "retinaface_resnet50",
}
DEFAULT_WEIGHTS = "detection_mobilenet0.25_Final.pth"
# Maximum longest side of the network's input, pixels; larger images are shrunk. facexlib's limit; memory grows with it.
LONGEST_SIDE = 2150
# IoU above which NMS drops the lower-scoring of two detections: facexlib's default.
NMS = 0.4


@dataclass(frozen=True)
class DetectedFace:
    """A face detected by RetinaFace.

    Attributes:
        bbox: x, y, width, height, in pixels; may reach over the border.
        score: Confidence, 0 to 1.
        keypoints: (5, 2) float: left eye, right eye, nose tip, left and right corner of the mouth, left and right in
            the image, x y in pixels.
    """

    bbox: tuple[float, float, float, float]
    score: float
    keypoints: np.ndarray


class RetinaFace:
    """Detects faces and their landmarks."""

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        """Load the network.

        Args:
            weights: A file under one of facexlib's file names (`NETWORKS`), which determines the network.
            device: "cpu" or "cuda".

        Raises:
            FacadeError: The file has another name, or facexlib cannot load it.
        """
        if weights.name not in NETWORKS:
            raise FacadeError(
                f"{weights} does not have one of facexlib's file names: {', '.join(NETWORKS)}. The name determines the "
                "network; rename the file."
            )
        from facexlib.detection import init_detection_model

        # A pickle may run code, and facexlib relies on torch's default to prevent it. This check does not.
        read_checkpoint(weights, "RetinaFace's file")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torchvision's, about a keyword that facexlib uses
                # Without a root path, facexlib would read from, and write to, its own package.
                self._network = init_detection_model(
                    NETWORKS[weights.name], half=False, device=device, model_rootpath=str(weights.parent.resolve())
                )
        except Exception as error:  # noqa: BLE001 - a loader fed other bytes may raise anything
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
            raise FacadeError(f"facexlib cannot load the weights {weights} ({reason}). Replace the file.") from None

    def detect(self, image: np.ndarray, min_score: float, factor: float = 1.0) -> list[DetectedFace]:
        """Detect faces.

        Args:
            image: (H, W, 3) uint8, BGR.
            min_score: Detections with a lower score are dropped, 0 to 1.
            factor: The image is resized by this factor first, or by less if it would become too large
                (`LONGEST_SIDE`). The network detects faces from about 16 pixels up.

        Returns:
            Faces in pixels of `image`, in descending order of score.
        """
        import torch

        height, width = image.shape[:2]
        factor = min(factor, LONGEST_SIDE / max(height, width))
        resized = image
        if factor != 1:
            size = (max(1, round(width * factor)), max(1, round(height * factor)))
            resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        with torch.no_grad(), one_torch_thread():
            rows = self._network.detect_faces(resized.astype(np.float32), min_score, NMS)
        scale = np.array([width / resized.shape[1], height / resized.shape[0]])
        faces = []
        for row in np.asarray(rows, float):
            (left, top), (right, bottom) = row[:2] * scale, row[2:4] * scale
            box = (float(left), float(top), float(right - left), float(bottom - top))
            faces.append(DetectedFace(box, float(row[4]), row[5:15].reshape(5, 2) * scale))
        return faces


@lru_cache(maxsize=1)
def retinaface(weights: Path) -> RetinaFace:
    """The network, loaded once in a process."""
    return RetinaFace(weights)


def retinaface_weights(path: Path | None, parameter: str) -> Path:
    """RetinaFace's weights: the given file, or the published one, downloaded once.

    Args:
        path: The file, or None for the published one.
        parameter: The parameter that names the file, for error messages.

    Raises:
        FacadeError: The file does not exist, or the download failed.
    """
    return weights_file(path, DEFAULT_WEIGHTS, parameter)
