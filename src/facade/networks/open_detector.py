"""Open a face detector of any supported kind; the content of the file tells which."""

from pathlib import Path

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.networks.protocol import FaceDetector, create_session
from facade.retinaface import NETWORKS, RetinaFace

SUPPORTED = (
    "an export of Facade, YuNet, UltraFace or CenterFace (ONNX), BlazeFace's back model (.pth), or facexlib's "
    "RetinaFace"
)


class _RetinaFaceDetector:
    """facexlib's RetinaFace behind the protocol `FaceDetector`."""

    def __init__(self, weights: Path) -> None:
        self.name = "RetinaFace" if "mobile" in weights.name else "RetinaFace-R50"
        self._network = RetinaFace(weights)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        rows = [(*face.bbox, face.score) for face in self._network.detect(image, min_score)]
        return np.array(rows, float).reshape(-1, 5)


def open_detector(weights: Path) -> FaceDetector:
    """Open a face detector.

    Args:
        weights: An ONNX file, or a state dict.

    Raises:
        FacadeError: The file is missing, or holds no supported network.
    """
    if not weights.is_file():
        raise FacadeError(f"the face detector {weights} does not exist. Correct the path.")
    if weights.name in NETWORKS:
        return _RetinaFaceDetector(weights)
    if weights.suffix == ".onnx":
        return _onnx(weights)
    content = read_checkpoint(weights, "the face detector")
    if isinstance(content, dict) and {"classifier_8.weight", "regressor_16.weight"} <= set(content):
        from facade.networks.blazeface import BlazeFace

        return BlazeFace(weights)
    raise FacadeError(f"{weights} holds no supported face detector. Use {SUPPORTED}.")


def _onnx(weights: Path) -> FaceDetector:
    from facade.networks.centerface import OUTPUTS, CenterFace
    from facade.networks.exported import ExportedDetector
    from facade.networks.ultraface import UltraFace
    from facade.networks.yunet import YuNet

    try:
        network = create_session(weights)
    except Exception as error:  # noqa: BLE001 - a parser fed damaged bytes may raise anything
        reason = str(error).strip().splitlines()[0][:120]
        raise FacadeError(
            f"{weights} cannot be read by onnxruntime as an ONNX file ({reason}). Replace the file."
        ) from None
    outputs = {output.name for output in network.get_outputs()}
    inputs = [value.name for value in network.get_inputs()]
    try:
        if {"cls_8", "obj_8", "bbox_8"} <= outputs:
            return YuNet(weights)
        if set(OUTPUTS) <= outputs:
            return CenterFace(weights)
        if outputs == {"scores", "boxes"}:
            # Facade's exports and UltraFace have equal outputs, but differ in the name of the input.
            return ExportedDetector(weights) if inputs == ["image"] else UltraFace(weights)
    except cv2.error as error:
        raise FacadeError(f"OpenCV cannot run {weights} ({str(error).strip().splitlines()[-1][:120]}).") from None
    raise FacadeError(f"{weights} has outputs {sorted(outputs)}, unlike any supported face detector. Use {SUPPORTED}.")
