"""BlazeFace for the back camera (Bazarevsky et al., arXiv 1907.05047), for faces that fill much of an image."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.networks.protocol import apply_nms
from facade.networks.sessions import torch_device
from facade.parallel import one_torch_thread

# Side of the input, pixels.
SIZE = 256
# Grids of anchors: cells per side, and anchors per cell.
GRIDS = ((16, 2), (8, 6))
# Logits of scores are clipped here before the sigmoid (MediaPipe's `score_clipping_thresh`).
MAX_LOGIT = 100.0
NMS = 0.3
# The network gives the eyes, the nose, the center of the mouth and the ears. The corners of the mouth are taken to lie
# on a line parallel to the eyes, this share of their distance apart (of ArcFace's landmark template).
MOUTH_WIDTH = 0.83


class _Block(nn.Module):
    """A depthwise and a pointwise convolution with a residual connection."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.extra_channels = stride, out_channels - in_channels
        self.convs = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, stride, 0 if stride == 2 else 1, groups=in_channels),
            nn.Conv2d(in_channels, out_channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = nn.functional.max_pool2d(x, 2) if self.stride == 2 else x
        if self.extra_channels:
            shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, 0, self.extra_channels))
        # TensorFlow's padding: at the bottom and right only.
        x = nn.functional.pad(x, (0, 2, 0, 2)) if self.stride == 2 else x
        return torch.relu(self.convs(x) + shortcut)


class _Final(nn.Module):
    """Downsampling from 16 to 8 cells."""

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
    """Images are padded to a square and resized to 256 pixels."""

    name = "BlazeFace"
    fixed_size = True

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        self.device = torch_device(device)
        self._network = _Network()
        try:
            self._network.load_state_dict(read_checkpoint(weights, "the reference detector"))
        except RuntimeError:
            raise FacadeError(f"{weights} does not hold the weights of BlazeFace's back-camera model.") from None
        self._network.to(self.device).eval()
        centers = []
        for cells, anchors in GRIDS:
            y, x = np.mgrid[:cells, :cells]
            centers.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), anchors, axis=0) / cells + 0.5 / cells)
        self._centers = np.concatenate(centers)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        height, width = image.shape[:2]
        side = max(height, width)
        square = cv2.copyMakeBorder(image, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT)
        resized = cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., ::-1]
        with torch.no_grad(), one_torch_thread():
            pixels = torch.from_numpy(np.ascontiguousarray(resized)).permute(2, 0, 1)[None].float() / 127.5 - 1
            logits, boxes = (one.double().cpu().numpy() for one in self._network(pixels.to(self.device)))
        scores = 1 / (1 + np.exp(-np.clip(logits, -MAX_LOGIT, MAX_LOGIT)))
        kept = scores >= min_score
        center = (self._centers[kept] + boxes[kept, :2] / SIZE) * side
        size = boxes[kept, 2:4] / SIZE * side
        points = (np.tile(self._centers[kept], 4) + boxes[kept, 4:12] / SIZE) * side
        left_eye, right_eye, nose, mouth = np.split(points, 4, axis=1)
        half = MOUTH_WIDTH / 2 * (right_eye - left_eye)
        landmarks = np.column_stack([left_eye, right_eye, nose, mouth - half, mouth + half])
        return apply_nms(np.column_stack([center - size / 2, size]), scores[kept], min_score, NMS, landmarks)
