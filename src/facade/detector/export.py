"""A trained detector as one ONNX file, which runs without torch or mmdet.

python -m facade.detector.export models/pseudo/seed-0.pth faces.onnx

Input `image`: (1, 3, H, W) float32, BGR, 0 to 255; H and W multiples of the coarsest stride (pad below and to the
right). Outputs `boxes`: (N, 4) float32, x1 y1 x2 y2 in pixels of the input, and `scores`: (N,) float32, 0 to 1, one for
each place of the feature maps, before NMS. Normalization, sigmoid and the decoding of distances are part of the graph.
"""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from facade.detector.infer import load_model
from facade.detector.model import DEVIATION, MEAN
from facade.errors import FacadeError
from facade.files import read_json
from facade.params import Detect, Detector

OPSET = 17
# What the graph is traced with; height and width stay free.
TRACED = (96, 128)


class _Graph(nn.Module):
    """Pixels in, boxes and scores out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.neck, self.head = model.backbone, model.neck, model.bbox_head
        self.strides = [int(stride[0]) for stride in model.bbox_head.prior_generator.strides]
        # The graph takes BGR, the backbone RGB.
        self.register_buffer("mean", torch.tensor(MEAN[::-1]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION[::-1]).view(1, 3, 1, 1))
        self.register_buffer("distances", torch.arange(model.bbox_head.reg_max + 1, dtype=torch.float32))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = ((image - self.mean) / self.deviation)[:, [2, 1, 0]]
        logits, sides = self.head(self.neck(self.backbone(pixels)))
        boxes, scores = [], []
        for stride, logit, side in zip(self.strides, logits, sides, strict=True):
            height, width = logit.shape[2], logit.shape[3]
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            centres = torch.stack([x.reshape(-1), y.reshape(-1)], 1).float() * stride
            # A distribution over distances for each side, whose mean is the distance (GFL, section 3.2).
            shares = side.permute(0, 2, 3, 1).reshape(-1, 4, self.distances.numel()).softmax(2)
            away = (shares * self.distances).sum(2) * stride
            boxes.append(torch.cat([centres - away[:, :2], centres + away[:, 2:]], 1))
            scores.append(logit.sigmoid().reshape(-1))
        return torch.cat(boxes), torch.cat(scores)


def export(weights: Path, into: Path) -> None:
    """Write a run of `models/<arm>` as ONNX.

    Args:
        weights: `seed-<n>.pth`, with `model.json` beside it.
        into: The ONNX file.

    Raises:
        FacadeError: The weights are missing, or are not those of the detector that `model.json` describes.
    """
    described = read_json(weights.parent / "model.json")
    try:
        detect = Detect(size=described["size"], score=0.01, nms=0.6, most=500)
        detector = Detector.model_validate(described["detector"])
    except (KeyError, TypeError, ValidationError):
        raise FacadeError(
            f"{weights.parent / 'model.json'} describes no detector of Facade's. Train it again."
        ) from None
    graph = _Graph(load_model(weights, detector, detect, "cpu")).eval()
    into.parent.mkdir(parents=True, exist_ok=True)
    beside = into.with_name(f".{into.name}.partial")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter by tracing, which needs no further package
        torch.onnx.export(
            graph, (torch.zeros(1, 3, *TRACED),), str(beside), dynamo=False, opset_version=OPSET,
            input_names=["image"], output_names=["boxes", "scores"],
            dynamic_axes={"image": {2: "height", 3: "width"}, "boxes": {0: "places"}, "scores": {0: "places"}},
        )  # fmt: skip
    beside.replace(into)


def main() -> None:
    """Export one run."""
    parser = argparse.ArgumentParser(prog="python -m facade.detector.export", description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="models/<arm>/seed-<n>.pth")
    parser.add_argument("into", type=Path, help="the ONNX file to write")
    wanted = parser.parse_args()
    export(wanted.weights, wanted.into)
    print(f"{wanted.into}: {wanted.into.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    try:
        main()
    except FacadeError as error:
        sys.exit(f"facade: {error}")
