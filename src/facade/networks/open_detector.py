"""Which network a file holds, told by what is in it."""

from pathlib import Path

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.networks.protocol import FaceDetector, session
from facade.retinaface import NETWORKS, RetinaFace

KNOWN = (
    "an export of Facade's, YuNet, UltraFace or CenterFace (ONNX), BlazeFace's back model (.pth), or a RetinaFace of "
    "facexlib's"
)


class _RetinaFace:
    """facexlib's RetinaFace behind the protocol."""

    def __init__(self, weights: Path) -> None:
        self.name = "RetinaFace" if "mobile" in weights.name else "RetinaFace-R50"
        self._network = RetinaFace(weights)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        rows = [(*one.bbox, one.score) for one in self._network.faces(image, min_score)]
        return np.array(rows, float).reshape(-1, 5)


def face_detector(weights: Path) -> FaceDetector:
    """The detector of a file.

    Args:
        weights: An ONNX file, or a state dict.

    Raises:
        FacadeError: The file is missing, or holds no network that is known here.
    """
    if not weights.is_file():
        raise FacadeError(f"the face detector {weights} does not exist. Correct the path.")
    if weights.name in NETWORKS:
        return _RetinaFace(weights)
    if weights.suffix == ".onnx":
        return _onnx(weights)
    content = read_checkpoint(weights, "the face detector")
    if isinstance(content, dict) and {"classifier_8.weight", "regressor_16.weight"} <= set(content):
        from facade.networks.blazeface import BlazeFace

        return BlazeFace(weights)
    raise FacadeError(f"{weights} holds no face detector that is known here. Use {KNOWN}.")


def _onnx(weights: Path) -> FaceDetector:
    from facade.networks.centerface import OUTPUTS, CenterFace
    from facade.networks.exported import Plain
    from facade.networks.ultraface import UltraFace
    from facade.networks.yunet import YuNet

    try:
        network = session(weights)
    except Exception as error:  # noqa: BLE001 - a reader fed damaged bytes raises whatever it stumbles over
        reason = str(error).strip().splitlines()[0][:120]
        raise FacadeError(f"{weights} is no ONNX file that onnxruntime can read ({reason}).") from None
    outputs, inputs = {one.name for one in network.get_outputs()}, [one.name for one in network.get_inputs()]
    try:
        if {"cls_8", "obj_8", "bbox_8"} <= outputs:
            return YuNet(weights)
        if set(OUTPUTS) <= outputs:
            return CenterFace(weights)
        if outputs == {"scores", "boxes"}:
            # Facade's own takes pictures of any size; UltraFace a fixed one.
            return Plain(weights) if inputs == ["image"] else UltraFace(weights)
    except cv2.error as error:
        raise FacadeError(f"OpenCV cannot run {weights} ({str(error).strip().splitlines()[-1][:120]}).") from None
    raise FacadeError(f"{weights} gives {sorted(outputs)}, as no face detector does that is known here. Use {KNOWN}.")
