"""Face recognition: a network that turns a face into numbers, alike for one person and unlike for two."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.parallel import one_torch_thread
from facade.similarity import similarity

# Where ArcFace's networks expect the landmarks in a picture of 112 x 112 pixels (insightface's arcface_src1).
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
SIDE = 112
# What networks in ONNX expect of red, green and blue between 0 and 1: ImageNet's mean and standard deviation.
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# facexlib's own name of its ArcFace.
ARCFACE = "recognition_arcface_ir_se50.pth"


class Recogniser(Protocol):
    """Anything that tells people apart."""

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """Embedding of an aligned face, (D,) float32, of length 1.

        Args:
            aligned: (112, 112, 3) uint8, BGR, from `align`.
        """
        ...


def align(picture: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """A face as recognition networks expect it, (112, 112, 3) uint8, BGR.

    Args:
        picture: (H, W, 3) uint8, BGR.
        keypoints: (5, 2) float, x y in pixels: eyes, nose tip, corners of the mouth.
    """
    # Shrunk with a filter first: what a network sees should not depend on the picture's size.
    factor = min(1.0, 1.4 * SIDE / max(2.5 * float(np.ptp(keypoints, axis=0).max()), 1e-6))
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    shrunk = picture if factor == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    onto = similarity(keypoints * factor, TEMPLATE)
    return np.asarray(cv2.warpAffine(shrunk, onto, (SIDE, SIDE), flags=cv2.INTER_LINEAR))


def unit(embedding: np.ndarray) -> np.ndarray:
    """An embedding at length 1, (D,) float32."""
    flat = np.asarray(embedding, np.float32).ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-9))


class OnnxRecogniser:
    """A network in ONNX, run by OpenCV: 1 x 3 x 112 x 112 aligned RGB in, an embedding out."""

    def __init__(self, weights: Path, parameter: str) -> None:
        """Load the network.

        Args:
            weights: The ONNX file.
            parameter: What names it, for sentences.

        Raises:
            FacadeError: The file is missing, or is none that OpenCV reads.
        """
        self._wrong = f"{parameter} is {weights}, which takes no 1 x 3 x {SIDE} x {SIDE} picture. Give another network."
        if not weights.is_file():
            raise FacadeError(f"{parameter} is {weights}, and there is no such file. Correct the path.")
        try:
            self._network = cv2.dnn.readNetFromONNX(str(weights))
        except cv2.error:
            raise FacadeError(
                f"{parameter} is {weights}, which OpenCV cannot read as ONNX. Correct the path."
            ) from None

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """See `Recogniser`.

        Raises:
            FacadeError: The network takes other inputs.
        """
        seen = (aligned[..., ::-1] / 255.0 - MEAN) / DEVIATION
        try:
            self._network.setInput(seen.transpose(2, 0, 1)[None].astype(np.float32))
            return unit(self._network.forward())
        except cv2.error:
            raise FacadeError(self._wrong) from None


class ArcFaceRecogniser:
    """facexlib's ArcFace (IR-SE50), on the CPU. facexlib's own loader asks for a GPU."""

    def __init__(self, weights: Path, parameter: str) -> None:
        """Load the network.

        Args:
            weights: facexlib's file.
            parameter: What names it, for sentences.

        Raises:
            FacadeError: The file is missing, or holds other weights.
        """
        from facexlib.recognition.arcface_arch import Backbone

        self._network: Any = Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se")
        state = read_checkpoint(weights, parameter)
        try:
            self._network.load_state_dict(state, strict=True)
        except (RuntimeError, TypeError, AttributeError):
            raise FacadeError(f"{parameter} is {weights}, which are not the weights of facexlib's ArcFace.") from None
        self._network.eval()

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """See `Recogniser`."""
        import torch

        seen = torch.from_numpy(aligned[..., ::-1].transpose(2, 0, 1).copy())[None].float() / 127.5 - 1
        with torch.no_grad(), one_torch_thread():
            return unit(self._network(seen).numpy())


@lru_cache(maxsize=1)
def recogniser(weights: Path, parameter: str) -> Recogniser:
    """The network of a file, loaded once in a process.

    Args:
        weights: facexlib's ArcFace under its own name, or any embedding in ONNX (`OnnxRecogniser`).
        parameter: What a person sets to name the file, for sentences.

    Raises:
        FacadeError: The file is missing, or of another kind.
    """
    return (ArcFaceRecogniser if weights.name == ARCFACE else OnnxRecogniser)(weights, parameter)
