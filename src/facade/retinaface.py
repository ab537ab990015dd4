"""facexlib's RetinaFace: where faces are in a picture, and their five landmarks. On the CPU, the same every time."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.parallel import one_torch_thread
from facade.weights import at_hand

# facexlib's own file names, and the networks that the files are for.
NETWORKS = {
    "detection_mobilenet0.25_Final.pth": "retinaface_mobile0.25",
    "detection_Resnet50_Final.pth": "retinaface_resnet50",
}
PUBLISHERS = "detection_mobilenet0.25_Final.pth"
# A picture whose longest side would be longer is shrunk to it, pixels: facexlib's own limit. Memory grows with it.
LONGEST_SIDE = 2150
# Overlap (IoU) above which the less sure of two detections is dropped: facexlib's own.
SAME_FACE = 0.4


@dataclass(frozen=True)
class Found:
    """A face that RetinaFace found.

    Attributes:
        bbox: x, y, width, height, in pixels; may reach over the border.
        score: How sure the network is, 0 to 1.
        keypoints: (5, 2) float: left eye, right eye, nose tip, left and right corner of the mouth, as seen in the
            picture, x y in pixels.
    """

    bbox: tuple[float, float, float, float]
    score: float
    keypoints: np.ndarray


class RetinaFace:
    """Finds faces and their landmarks."""

    def __init__(self, weights: Path) -> None:
        """Load the network.

        Args:
            weights: A file under one of facexlib's own names (`NETWORKS`), which tells the network.

        Raises:
            FacadeError: The file has another name, or is not what facexlib loads.
        """
        if weights.name not in NETWORKS:
            raise FacadeError(
                f"{weights} is named like none of facexlib's weights: {', '.join(NETWORKS)}. The name tells which "
                "network they are for; rename the file."
            )
        from facexlib.detection import init_detection_model

        # A pickle may run code. facexlib leaves it to torch's default whether it may; this does not.
        read_checkpoint(weights, "RetinaFace's file")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torchvision's, of a keyword that facexlib uses
                # Without a root path, facexlib would look into, and write into, its own package.
                self._network = init_detection_model(
                    NETWORKS[weights.name], half=False, device="cpu", model_rootpath=str(weights.parent.resolve())
                )
        except Exception as error:  # noqa: BLE001 - a loader fed other bytes raises whatever it stumbles over
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
            raise FacadeError(f"facexlib cannot load the weights {weights} ({reason}). Replace the file.") from None

    def faces(self, picture: np.ndarray, sure: float, factor: float = 1.0) -> list[Found]:
        """The faces of a picture, the surest first.

        Args:
            picture: (H, W, 3) uint8, BGR.
            sure: Faces with a lower score are left out, 0 to 1.
            factor: The network sees the picture resized by it, or by less if it would become too large
                (`LONGEST_SIDE`). The network knows faces from about 16 pixels up.

        Returns:
            Faces in pixels of `picture`.
        """
        import torch

        height, width = picture.shape[:2]
        factor = min(factor, LONGEST_SIDE / max(height, width))
        seen = picture
        if factor != 1:
            size = (max(1, round(width * factor)), max(1, round(height * factor)))
            seen = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        with torch.no_grad(), one_torch_thread():
            rows = self._network.detect_faces(seen.astype(np.float32), sure, SAME_FACE)
        back = np.array([width / seen.shape[1], height / seen.shape[0]])
        found = []
        for row in np.asarray(rows, float):
            (left, top), (right, bottom) = row[:2] * back, row[2:4] * back
            box = (float(left), float(top), float(right - left), float(bottom - top))
            found.append(Found(box, float(row[4]), row[5:15].reshape(5, 2) * back))
        return found


@lru_cache(maxsize=1)
def retinaface(weights: Path) -> RetinaFace:
    """The network, loaded once in a process."""
    return RetinaFace(weights)


def retinaface_weights(given: Path | None, parameter: str) -> Path:
    """RetinaFace's weights: a file that somebody named, or the publisher's, fetched once.

    Args:
        given: The file, or None for the publisher's.
        parameter: What a person sets to name a file, for the sentence.

    Raises:
        FacadeError: There is no such file, or it could not be fetched.
    """
    return at_hand(given, PUBLISHERS, parameter)
