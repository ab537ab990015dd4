"""Export a trained detector to ONNX, to run it without torch or mmdet.

facade export models/pseudo/seed-0.pth faces.onnx

Input `image`: (1, 3, H, W) float32, BGR, 0 to 255; H and W multiples of the coarsest stride (pad below and to the
right). Outputs `boxes`: (N, 4) float32, x1 y1 x2 y2 in pixels of the input, and `scores`: (N,) float32, 0 to 1, one for
each cell of the feature maps, before NMS. Normalization, sigmoid and the decoding of boxes are part of the graph.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from pydantic import ValidationError
from torch import nn

from facade.detector.infer import load_model
from facade.detector.model import MEAN, STD
from facade.errors import FacadeError
from facade.files import read_json
from facade.networks.cards import METADATA_KEY
from facade.params import Detect, Detector
from facade.storage import atomic_file

OPSET = 17
# Height and width of the input that the graph is traced with; both stay dynamic.
TRACE_SIZE = (96, 128)


class _ExportedDetector(nn.Module):
    """Takes pixels, gives boxes and scores."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone, self.neck, self.head = model.backbone, model.neck, model.bbox_head
        self.strides = [int(stride[0]) for stride in model.bbox_head.prior_generator.strides]
        # The graph takes BGR, the backbone RGB.
        self.register_buffer("mean", torch.tensor(MEAN[::-1]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(STD[::-1]).view(1, 3, 1, 1))
        self.register_buffer("distances", torch.arange(model.bbox_head.reg_max + 1, dtype=torch.float32))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = ((image - self.mean) / self.deviation)[:, [2, 1, 0]]
        logits, distributions = self.head(self.neck(self.backbone(pixels)))
        boxes, scores = [], []
        for stride, logit, distribution in zip(self.strides, logits, distributions, strict=True):
            height, width = logit.shape[2], logit.shape[3]
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            centers = torch.stack([x.reshape(-1), y.reshape(-1)], 1).float() * stride
            # The distance to each side of the box is the mean of a predicted distribution (GFL, section 3.2).
            probabilities = distribution.permute(0, 2, 3, 1).reshape(-1, 4, self.distances.numel()).softmax(2)
            offsets = (probabilities * self.distances).sum(2) * stride
            boxes.append(torch.cat([centers - offsets[:, :2], centers + offsets[:, 2:]], 1))
            scores.append(logit.sigmoid().reshape(-1))
        return torch.cat(boxes), torch.cat(scores)


def export(
    weights: Path, into: Path, min_score: float | None = None, size: int | None = None, fit: bool | None = None,
    card: str = "",
) -> None:  # fmt: skip
    """Export a run of `models/<arm>` to ONNX, with what is known of it in the file's metadata.

    Args:
        weights: `seed-<n>.pth`, with `model.json` in the same folder.
        into: The ONNX file to write.
        min_score: Score threshold to use it at, 0 to 1; None: not measured.
        size: Longest side to which pictures are resized first, pixels; None: that of the training.
        fit: Whether it may anonymize real people; None if unknown. A detector that has seen rendered photographs
            alone is not fit.
        card: The model card, a text.

    Raises:
        FacadeError: The weights are missing, or are not those of the detector that `model.json` describes.
    """
    description = read_json(weights.parent / "model.json")
    try:
        detect = Detect(size=description["size"], min_score=0.01, nms=0.6, max_detections=500)
        detector = Detector.model_validate(description["detector"])
    except (KeyError, TypeError, ValidationError):
        raise FacadeError(
            f"{weights.parent / 'model.json'} does not describe a detector of Facade. Train it again."
        ) from None
    graph = _ExportedDetector(load_model(weights, detector, detect, "cpu")).eval()
    into.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(into) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the TorchScript exporter, which needs no further package
        torch.onnx.export(
            graph, (torch.zeros(1, 3, *TRACE_SIZE),), str(temporary), dynamo=False, opset_version=OPSET,
            input_names=["image"], output_names=["boxes", "scores"],
            dynamic_axes={"image": {2: "height", 3: "width"}, "boxes": {0: "places"}, "scores": {0: "places"}},
        )  # fmt: skip
        network = onnx.load(str(temporary))
        known = {
            "min_score": min_score, "size": size or detect.size, "card": card,
            "fit_for_real_people": False if description.get("synthetic") else fit,
        }  # fmt: skip
        network.metadata_props.add(key=METADATA_KEY, value=json.dumps(known))
        onnx.save(network, str(temporary))
