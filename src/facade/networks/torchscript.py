"""A detector in TorchScript with the layout of EgoBlur's first generation (Raina et al., arXiv 2308.13093).

Input: (3, H, W) uint8, BGR. Output: boxes (N, 4), x1 y1 x2 y2 in pixels; labels (N,); scores (N,); the size of the
picture. It gives no landmarks. A TorchScript file is a program: open only files from somebody you trust.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from facade.checkpoints import MAX_SIZE, unpacked_size
from facade.errors import FacadeError
from facade.networks.protocol import apply_nms
from facade.networks.sessions import torch_device
from facade.parallel import one_torch_thread

# IoU above which the lower-scoring of two boxes is dropped: EgoBlur's own default.
NMS = 0.3


def is_torchscript(path: Path) -> bool:
    """Whether a file is an archive of `torch.jit.save`: with code, which archives of weights do not have."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return any("/code/" in name for name in names) and any(name.endswith("/constants.pkl") for name in names)


class TorchScriptDetector:
    """Images keep their size."""

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        self.name = weights.stem
        self.device = torch_device(device)
        if (size := unpacked_size(weights)) > MAX_SIZE:
            raise FacadeError(
                f"{weights} unpacks to {size / 2**30:.0f} GiB, more than any network here. Replace the file."
            )
        import torch
        import torchvision  # noqa: F401 - registers the operators that such files call

        try:
            self._network = torch.jit.load(str(weights), map_location=self.device).eval()
        except Exception as error:  # noqa: BLE001 - a parser fed damaged bytes may raise anything
            raise FacadeError(f"torch cannot read {weights} as TorchScript ({_reason(error)}). Replace it.") from None
        self._weights = weights

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(self.device)
        try:
            # Without the profiling of the first calls, which would change the last digits of later ones.
            with torch.no_grad(), one_torch_thread(), torch.jit.optimized_execution(False):
                output = self._network(pixels)
        except Exception as error:  # noqa: BLE001 - somebody else's program may raise anything
            raise FacadeError(
                f"{self._weights} fails on a picture of {image.shape[1]}x{image.shape[0]} pixels ({_reason(error)}). "
                "Facade runs TorchScript files with the layout of EgoBlur's first generation."
            ) from None
        boxes, scores = self._boxes_and_scores(output)
        xywh = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        kept = scores >= min_score
        return apply_nms(xywh[kept], scores[kept], min_score, NMS)

    def _boxes_and_scores(self, output: Any) -> tuple[np.ndarray, np.ndarray]:
        import torch

        if isinstance(output, tuple | list) and len(output) == 4:
            boxes, _, scores, _ = output
            if isinstance(boxes, torch.Tensor) and isinstance(scores, torch.Tensor):
                boxes, scores = boxes.double().cpu().numpy(), scores.double().cpu().numpy()
                if boxes.shape == (len(scores), 4) and scores.ndim == 1:
                    return boxes, scores
        raise FacadeError(
            f"{self._weights} does not give boxes (N, 4), labels, scores (N,) and a size, as EgoBlur's first "
            "generation does. Export it with this layout."
        )


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:120]
