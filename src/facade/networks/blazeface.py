"""BlazeFace for the back camera (Bazarevsky et al., arXiv 1907.05047), for faces that fill much of a picture."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.networks.protocol import suppressed

SIZE = 256
# Grids of anchors: cells a side, and anchors in each.
GRIDS = ((16, 2), (8, 6))
# Logits of scores are cut off here before the sigmoid (MediaPipe's `score_clipping_thresh`).
LARGEST_LOGIT = 100.0
NMS = 0.3


class _Block(nn.Module):
    """A depthwise and a pointwise convolution beside a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.more = stride, outside - inside
        self.convs = nn.Sequential(
            nn.Conv2d(inside, inside, 3, stride, 0 if stride == 2 else 1, groups=inside), nn.Conv2d(inside, outside, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = nn.functional.max_pool2d(x, 2) if self.stride == 2 else x
        if self.more:
            shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, 0, self.more))
        # As TensorFlow pads: below and to the right alone.
        x = nn.functional.pad(x, (0, 2, 0, 2)) if self.stride == 2 else x
        return torch.relu(self.convs(x) + shortcut)


class _Final(nn.Module):
    """The step from 16 to 8 cells."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 2, groups=channels), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convs(nn.functional.pad(x, (0, 2, 0, 2))))


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 24, 5, 2), nn.ReLU()]
        layers += [_Block(24, 24) for _ in range(7)] + [_Block(24, 24, 2)] + [_Block(24, 24) for _ in range(7)]
        layers += [_Block(24, 48, 2)] + [_Block(48, 48) for _ in range(7)]
        layers += [_Block(48, 96, 2)] + [_Block(96, 96) for _ in range(7)]
        self.backbone = nn.Sequential(*layers)
        self.final = _Final(96)
        self.classifier_8, self.classifier_16 = nn.Conv2d(96, 2, 1), nn.Conv2d(96, 6, 1)
        self.regressor_8, self.regressor_16 = nn.Conv2d(96, 32, 1), nn.Conv2d(96, 96, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.backbone(nn.functional.pad(x, (1, 2, 1, 2)))
        coarse = self.final(fine)

        def rows(of: torch.Tensor, width: int) -> torch.Tensor:
            return of.permute(0, 2, 3, 1).reshape(-1, width)

        scores = torch.cat([rows(self.classifier_8(fine), 1), rows(self.classifier_16(coarse), 1)])
        return scores[:, 0], torch.cat([rows(self.regressor_8(fine), 16), rows(self.regressor_16(coarse), 16)])


class BlazeFace:
    """Pictures are padded to a square and resized to 256 pixels."""

    name = "BlazeFace"

    def __init__(self, weights: Path) -> None:
        self._network = _Network()
        try:
            self._network.load_state_dict(read_checkpoint(weights, "the reference detector"))
        except RuntimeError:
            raise FacadeError(f"{weights} does not hold the weights of BlazeFace's back model.") from None
        self._network.eval()
        centres = []
        for cells, each in GRIDS:
            y, x = np.mgrid[:cells, :cells]
            centres.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), each, axis=0) / cells + 0.5 / cells)
        self._centres = np.concatenate(centres)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        height, width = image.shape[:2]
        side = max(height, width)
        square = cv2.copyMakeBorder(image, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT)
        seen = cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., ::-1]
        with torch.no_grad():
            pixels = torch.from_numpy(np.ascontiguousarray(seen)).permute(2, 0, 1)[None].float() / 127.5 - 1
            logits, places = (one.double().numpy() for one in self._network(pixels))
        scores = 1 / (1 + np.exp(-np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)))
        sure = scores >= min_score
        centre = (self._centres[sure] + places[sure, :2] / SIZE) * side
        extent = places[sure, 2:4] / SIZE * side
        return suppressed(np.column_stack([centre - extent / 2, extent]), scores[sure], min_score, NMS)
