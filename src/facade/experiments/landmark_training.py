"""Train the network that finds five landmarks in a detection, on rendered heads alone, and export it to ONNX.

facade experiment landmarks
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from facade.demo.face_crops import TILE, FaceCrop, draw_face_crop
from facade.networks.landmarks import CONTEXT, INPUT
from facade.parallel import ordered_map
from facade.seeds import generator
from facade.storage import atomic_file

SAMPLES = 16000
EPOCHS, BATCH, LEARNING_RATE, WARMUP = 14, 128, 4e-3, 0.1
# Fixed, because the order of floating-point sums depends on the number of threads; the network is small.
THREADS = 1
# Jitter of a detector's box, in box sizes: standard deviations of its center and of the logarithm of its size.
SHIFT, SCALE = 0.09, 0.16
# Roll added to that of the rendered pose: standard deviation, degrees.
ROLL = 12.0
# Resolutions of the face that the network sees, pixels a side of the square; INPUT is full resolution.
RESOLUTIONS = (64, 64, 64, 48, 40, 32, 24, 20)
# Mean error of the landmarks, in box sizes, below which they count as right: what the confidence is trained to tell.
RIGHT = 0.06
# Weight of the confidence in the loss.
CONFIDENCE_WEIGHT = 0.05
OPSET = 17


class LandmarkNetwork(nn.Module):
    """From gray squares (N, 1, 64, 64), standardized, to (N, 11): five x y relative to the square, and a logit."""

    def __init__(self) -> None:
        super().__init__()

        def full(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

        def separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
            depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
            pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
            return [depthwise, nn.BatchNorm2d(inputs), pointwise, nn.BatchNorm2d(outputs), nn.ReLU()]

        self.features = nn.Sequential(
            *full(1, 16, 2), *full(16, 24, 2), *full(24, 24, 1), *separable(24, 64, 2), *separable(64, 64, 1),
            *separable(64, 64, 1), *separable(64, 96, 2), *separable(96, 96, 1), nn.Conv2d(96, 24, 1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(24 * 16, 64), nn.ReLU(), nn.Linear(64, 11))

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        output = self.head(self.features(faces))
        return torch.cat([output[:, :10] + 0.5, output[:, 10:]], 1)


class _Exported(nn.Module):
    """The same network, with the confidence as a probability."""

    def __init__(self, network: LandmarkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        output = self.network(faces)
        return torch.cat([output[:, :10], output[:, 10:].sigmoid()], 1)


@dataclass(frozen=True)
class _Draw:
    """Renders tile number N of a part."""

    part: str

    def __call__(self, number: int) -> FaceCrop:
        return draw_face_crop(generator("landmarks", self.part, number))


@dataclass(frozen=True)
class Tiles:
    """Rendered tiles as tensors: pixels (N, TILE, TILE) uint8, keypoints (N, 5, 2), boxes (N, 4), whether a face."""

    pixels: torch.Tensor
    keypoints: torch.Tensor
    boxes: torch.Tensor
    is_face: torch.Tensor


def draw_tiles(part: str, count: int, workers: int | None = None) -> Tiles:
    """Render tiles; the result depends on the part and the number of each alone."""
    crops = list(ordered_map(_Draw(part), range(count), f"render {part}", workers))
    return Tiles(
        torch.from_numpy(np.stack([crop.pixels for crop in crops])),
        torch.from_numpy(np.stack([crop.keypoints for crop in crops])).float(),
        torch.from_numpy(np.stack([crop.bbox for crop in crops])).float(),
        torch.tensor([crop.is_face for crop in crops]),
    )


def train_landmarks(into: Path, samples: int = SAMPLES, epochs: int = EPOCHS, workers: int | None = None) -> None:
    """Render the training set, train the network, and export it.

    Args:
        into: The ONNX file to write.
        samples: Number of rendered tiles.
        epochs: Passes over them, each with other crops.
        workers: Processes that render; all cores by default. The result does not depend on it.
    """
    tiles = draw_tiles("train", samples, workers)
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        export(fit(tiles, epochs), into)
    finally:
        torch.set_num_threads(threads)


def fit(tiles: Tiles, epochs: int) -> LandmarkNetwork:
    """Train the network on tiles."""
    torch.manual_seed(int(generator("landmarks", "weights").integers(2**31)))
    network = LandmarkNetwork().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2)
    steps = len(tiles.pixels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * steps, pct_start=WARMUP
    )
    progress = tqdm(range(epochs), "train landmarks", unit="epoch")
    for epoch in progress:
        random = generator("landmarks", "epoch", epoch)
        order = torch.from_numpy(random.permutation(len(tiles.pixels)))
        losses = []
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            faces, targets, sizes = augmented(tiles, chosen, random)
            output = network(faces.contiguous(memory_format=torch.channels_last))
            loss = _loss(output, targets, sizes, tiles.is_face[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        progress.set_postfix(loss=f"{np.mean(losses):.4f}")
    return network.eval()


def _loss(output: torch.Tensor, targets: torch.Tensor, sizes: torch.Tensor, is_face: torch.Tensor) -> torch.Tensor:
    """Mean distance of the landmarks in box sizes, and cross-entropy of the confidence."""
    points = output[:, :10].reshape(-1, 5, 2)
    distance = ((points - targets).square().sum(-1) + 1e-6).sqrt().mean(1) / sizes
    right = (distance.detach() < RIGHT) & is_face
    confidence = functional.binary_cross_entropy_with_logits(output[:, 10], right.float())
    return distance[is_face].mean() + CONFIDENCE_WEIGHT * confidence


def augmented(
    tiles: Tiles, chosen: torch.Tensor, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Squares as a detector's boxes would cut them out: moved, scaled, turned, mirrored, blurred, dark, noisy, small.

    Returns:
        (N, 1, INPUT, INPUT) float32 standardized squares; (N, 5, 2) landmarks relative to the square; (N,) side of the
        true box, relative to the square.
    """
    count = len(chosen)

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(random.standard_normal((count, *shape), np.float32))

    boxes = tiles.boxes[chosen]
    size = boxes[:, 2:].max(1).values
    middle = boxes[:, :2] + boxes[:, 2:] / 2 + SHIFT * size[:, None] * normal(2).clamp(-2, 2)
    side = CONTEXT * size * torch.exp(SCALE * normal().clamp(-2, 2))
    turn = torch.deg2rad(ROLL * normal().clamp(-2, 2))
    cos, sin = torch.cos(turn), torch.sin(turn)
    sign = torch.where(torch.from_numpy(random.random(count) < 0.5), -1.0, 1.0)
    # From the square, -1 to 1, to the tile: mirrored, turned, scaled, moved.
    linear = torch.stack([torch.stack([cos * sign, -sin], 1), torch.stack([sin * sign, cos], 1)], 1)
    to_tile = linear * (side / TILE)[:, None, None]
    offset = 2 * middle / TILE - 1
    resolution = int(random.choice(RESOLUTIONS))
    grid = functional.affine_grid(
        torch.cat([to_tile, offset[..., None]], 2), [count, 1, resolution, resolution], align_corners=False
    )
    pixels = tiles.pixels[chosen][:, None].float()
    if resolution < INPUT / 2:
        pixels = functional.avg_pool2d(pixels, 2)
    faces = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    targets = torch.einsum(
        "nij,npj->npi", torch.linalg.inv(to_tile), 2 * tiles.keypoints[chosen] / TILE - 1 - offset[:, None]
    )
    targets = targets / 2 + 0.5
    mirrored = targets[:, [1, 0, 2, 4, 3]]
    targets = torch.where(sign[:, None, None] < 0, mirrored, targets)
    return _through_camera(faces, random), targets, size / side


def _through_camera(faces: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Defocus or motion blur, tone curve, grain, blocks and standardization; faces are 0 to 255."""
    count, resolution = len(faces), faces.shape[-1]
    # A separate blur for each square, as a convolution of groups.
    sigma = random.uniform(0.3, 1.3, (count, 2)).astype(np.float32) * np.float32(resolution / INPUT) ** 0.5
    reach = np.arange(-2, 3, dtype=np.float32)
    down, across = (np.exp(-0.5 * (reach / sigma[:, axis, None]) ** 2) for axis in range(2))
    kernels = down[:, :, None] * across[:, None, :]
    kernels = torch.from_numpy(kernels / kernels.sum((1, 2), keepdims=True))
    padded = functional.pad(faces.transpose(0, 1), (2, 2, 2, 2), mode="replicate")
    faces = functional.conv2d(padded, kernels[:, None], groups=count).transpose(0, 1)
    curve = torch.from_numpy(np.exp(random.normal(0, 0.35, (count, 1, 1, 1))).astype(np.float32))
    faces = 255 * (faces / 255).clamp(1e-3, 1) ** curve
    # Light falls off across real faces more than across rendered ones.
    ramp = torch.linspace(-1, 1, resolution)
    slope = torch.from_numpy(random.normal(0, 0.2, (count, 2, 1, 1)).astype(np.float32))
    faces = faces * torch.exp(slope[:, :1] * ramp + slope[:, 1:] * ramp[:, None])
    grain = torch.from_numpy(random.standard_normal(faces.shape, np.float32))
    level = torch.from_numpy(random.uniform(0, 9, (count, 1, 1, 1)).astype(np.float32))
    faces = faces + level * grain
    if resolution < INPUT:
        faces = functional.interpolate(faces, size=(INPUT, INPUT), mode="bilinear", align_corners=False)
    faces = faces - faces.mean((-2, -1), keepdim=True)
    return faces / faces.std((-2, -1), keepdim=True, unbiased=False).clamp(min=1.0)


def export(network: LandmarkNetwork, into: Path) -> None:
    """Write the network as ONNX: input `faces`, (N, 1, 64, 64) float32; output `landmarks`, (N, 11) float32."""
    into.parent.mkdir(parents=True, exist_ok=True)
    graph: Any = _Exported(network).eval()
    with atomic_file(into) as temporary:
        torch.onnx.export(
            graph, (torch.zeros(2, 1, INPUT, INPUT),), str(temporary), dynamo=False, opset_version=OPSET,
            input_names=["faces"], output_names=["landmarks"],
            dynamic_axes={"faces": {0: "faces"}, "landmarks": {0: "faces"}},
        )  # fmt: skip
