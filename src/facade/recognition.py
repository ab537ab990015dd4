"""Face recognition networks: embeddings that are similar for faces of one person and dissimilar otherwise."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.parallel import one_torch_thread
from facade.similarity_transform import similarity_transform

# Landmark template of ArcFace networks in a picture of 112 x 112 pixels (insightface's arcface_src1).
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
SIDE = 112
# Normalization that networks in ONNX expect, for red, green and blue between 0 and 1: ImageNet's mean and standard
# deviation.
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# File name of facexlib's ArcFace weights.
ARCFACE = "recognition_arcface_ir_se50.pth"


class Recognizer(Protocol):
    """Anything that embeds faces."""

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """Embedding of an aligned face, (D,) float32, of unit length.

        Args:
            aligned: (112, 112, 3) uint8, BGR, from `align`.
        """
        ...


def align_face(picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Align a face for recognition networks, (112, 112, 3) uint8, BGR.

    Args:
        picture: (H, W, 3) uint8, BGR.
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth.
    """
    # Downscale with a filter first, so that the result does not depend on the picture's resolution.
    factor = min(1.0, 1.4 * SIDE / max(2.5 * float(np.ptp(keypoints, axis=0).max()), 1e-6))
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    downscaled = picture if factor == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    transform = similarity_transform(keypoints * factor, TEMPLATE)
    return np.asarray(cv2.warpAffine(downscaled, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR))


def normalized(embedding: np.ndarray) -> np.ndarray:
    """An embedding scaled to unit length, (D,) float32."""
    flat = np.asarray(embedding, np.float32).ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-9))


class OnnxRecognizer:
    """An ONNX network run by OpenCV: input 1 x 3 x 112 x 112, aligned RGB; output an embedding."""

    def __init__(self, weights: Path, parameter: str) -> None:
        """Load the network.

        Args:
            weights: The ONNX file.
            parameter: Name of the parameter that sets the file, for error messages.

        Raises:
            FacadeError: The file is missing, or OpenCV cannot read it.
        """
        self._invalid_input = (
            f"{parameter} is {weights}, which does not accept a 1 x 3 x {SIDE} x {SIDE} input. Choose another network."
        )
        if not weights.is_file():
            raise FacadeError(f"{parameter} is {weights}, which does not exist. Correct the path.")
        try:
            self._network = cv2.dnn.readNetFromONNX(str(weights))
        except cv2.error:
            raise FacadeError(
                f"{parameter} is {weights}, which OpenCV cannot read as ONNX. Correct the path."
            ) from None

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """See `Recognizer`.

        Raises:
            FacadeError: The network expects another input.
        """
        inputs = (aligned[..., ::-1] / 255.0 - MEAN) / STD
        try:
            self._network.setInput(inputs.transpose(2, 0, 1)[None].astype(np.float32))
            return normalized(self._network.forward())
        except cv2.error:
            raise FacadeError(self._invalid_input) from None


class ArcFaceRecognizer:
    """facexlib's ArcFace (IR-SE50), on the CPU; facexlib's own loader requires a GPU."""

    def __init__(self, weights: Path, parameter: str) -> None:
        """Load the network.

        Args:
            weights: facexlib's file.
            parameter: Name of the parameter that sets the file, for error messages.

        Raises:
            FacadeError: The file is missing, or holds the weights of another network.
        """
        from facexlib.recognition.arcface_arch import Backbone

        self._network: Any = Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")
        state = read_checkpoint(weights, parameter)
        try:
            self._network.load_state_dict(state, strict=True)
        except (RuntimeError, TypeError, AttributeError):
            raise FacadeError(
                f"{parameter} is {weights}, which does not hold the weights of facexlib's ArcFace."
            ) from None
        self._network.eval()

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """See `Recognizer`."""
        import torch

        inputs = torch.from_numpy(aligned[..., ::-1].transpose(2, 0, 1).copy())[None].float() / 127.5 - 1
        with torch.no_grad(), one_torch_thread():
            return normalized(self._network(inputs).numpy())


@lru_cache(maxsize=8)
def open_recognizer(weights: Path, parameter: str) -> Recognizer:
    """Load a recognition network; each is loaded once per process.

    Args:
        weights: facexlib's ArcFace under its own file name, or any embedding network in ONNX (`OnnxRecognizer`).
        parameter: Name of the parameter that sets the file, for error messages.

    Raises:
        FacadeError: The file is missing or invalid.
    """
    return (ArcFaceRecognizer if weights.name == ARCFACE else OnnxRecognizer)(weights, parameter)
