"""A replacement for mmcv's compiled operators where they are missing.

mmdet imports `mmcv.ops`, which needs the compiled module `mmcv._ext`. mmcv-lite does not have it, and the full mmcv
has no wheels for current torch. A detector trained here needs a single operator, NMS, which torchvision has.
"""

import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

import torch
from torchvision.ops import nms

NAME = "mmcv._ext"


class _Operators(ModuleType):
    """Stands in for `mmcv._ext`: NMS works; any other operator raises when it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> None:
            raise NotImplementedError(f"the operator {name} needs the compiled mmcv, which is not installed")

        return missing

    @staticmethod
    def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
        """Indices of the kept boxes, in descending order of score; takes (N, 4) x1 y1 x2 y2 and (N,)."""
        if offset != 0:
            raise NotImplementedError("torchvision's NMS supports offset=0 alone")
        return nms(boxes, scores, iou_threshold)


def provide_operators() -> None:
    """Make `mmcv.ops` importable. Call this before mmdet is imported. An installed compiled mmcv is used as it is."""
    if NAME in sys.modules or importlib.util.find_spec(NAME) is not None:
        return
    module = _Operators(NAME)
    # mmengine looks the module's spec up.
    module.__spec__ = importlib.machinery.ModuleSpec(NAME, loader=None)
    sys.modules[NAME] = module
