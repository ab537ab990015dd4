"""Open a face detector of any supported kind; the content of the file tells which."""

from pathlib import Path

import numpy as np

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.networks.custom import CustomDetector, is_custom
from facade.networks.protocol import FaceDetector
from facade.networks.sessions import OnnxNetwork, check_device, torch_device

SUPPORTED = (
    "an export of Facade, YuNet, SCRFD, UltraFace, CenterFace or boxes and scores (ONNX), EgoBlur's layout "
    "(TorchScript), BlazeFace's back model (.pth), facexlib's RetinaFace, or module:factory (docs/detectors.md)"
)


def open_detector(detector: Path | str, device: str = "cpu", size: int | None = None) -> FaceDetector:
    """Open a face detector.

    Networks in ONNX run without torch. On the CPU, results do not depend on the number of cores.

    Args:
        detector: A file; or `module:factory` of your own, imported from the current directory.
        device: "cpu", "cuda", or "auto" for a GPU if there is one.
        size: Longest side that pictures are resized to first, pixels; None: as the network's own card says, or they
            keep their size.

    Raises:
        FacadeError: The file is missing, damaged, or holds no supported network; the device is not here; or the network
            has an input of fixed size, and `size` is given.
    """
    check_device(device)
    opened = _open(detector, device)
    if size is not None and getattr(opened, "fixed_size", False):
        raise FacadeError(
            f"{detector} is {opened.name}, whose input has a fixed size, so {size} pixels do not apply. Leave the size "
            "out."
        )
    card = getattr(opened, "card", None)
    if size is None and card is not None and not getattr(opened, "fixed_size", False):
        size = card.size
    if size is None:
        return opened
    from facade.networks.resized import ResizedDetector

    return ResizedDetector(opened, size)


def _open(detector: Path | str, device: str) -> FaceDetector:
    from facade.retinaface import NETWORKS

    path = Path(detector)
    if not path.is_file():
        if is_custom(str(detector)):
            return CustomDetector(str(detector))
        raise FacadeError(f"the face detector {detector} does not exist. Correct the path.")
    if path.name in NETWORKS:
        return RetinaFaceDetector(path, device)
    if path.suffix.lower() == ".onnx":
        return _open_onnx(path, device)
    from facade.networks.torchscript import TorchScriptDetector, is_torchscript

    if is_torchscript(path):
        return TorchScriptDetector(path, device)
    content = read_checkpoint(path, "the face detector")
    if isinstance(content, dict) and {"classifier_8.weight", "regressor_16.weight"} <= set(content):
        from facade.networks.blazeface import BlazeFace

        return BlazeFace(path, device)
    raise FacadeError(f"{path} holds no supported face detector. Use {SUPPORTED}.")


def _open_onnx(path: Path, device: str) -> FaceDetector:
    from facade.networks.centerface import OUTPUTS, CenterFace
    from facade.networks.plain import PlainDetector
    from facade.networks.scrfd import Scrfd, scrfd_outputs
    from facade.networks.ultraface import UltraFace
    from facade.networks.yunet import YuNet

    network = OnnxNetwork(path, device if device != "cuda" else "auto")
    outputs = set(network.outputs)
    if {"cls_8", "obj_8", "bbox_8"} <= outputs:
        return YuNet(path, device)
    if set(OUTPUTS) <= outputs:
        return CenterFace(path, device)
    if device == "cuda":
        network = OnnxNetwork(path, device)
    if (groups := scrfd_outputs(network.outputs)) is not None:
        return Scrfd(network, groups)
    if {"boxes", "scores"} <= outputs:
        # UltraFace scores faces and background; a plain layout, faces alone.
        pairs = len(network.outputs["scores"]) == 3 and network.outputs["scores"][2] == 2
        return UltraFace(network) if pairs else PlainDetector(network)
    raise FacadeError(f"{path} has outputs {sorted(outputs)}, unlike any supported face detector. Use {SUPPORTED}.")


class RetinaFaceDetector:
    """facexlib's RetinaFace behind the protocol `FaceDetector`. Pictures over 2150 pixels are shrunk."""

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        from facade.retinaface import RetinaFace

        self.name = "RetinaFace" if "mobile" in weights.name else "RetinaFace-R50"
        self.device = torch_device(device)
        self._network = RetinaFace(weights, self.device)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        faces = self._network.detect(image, min_score)
        rows = [(*face.bbox, face.score, *face.keypoints.ravel()) for face in faces]
        return np.array(rows, float).reshape(-1, 15)
