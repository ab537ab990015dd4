"""The stand-in attacker: a small face recognition network trained on drawn people only.

It audits the demo without downloaded recognition weights. A network trained on drawn identities can recognize other
drawn identities. It cannot recognize real faces, and is not applied to them.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facade.audit.linkage import linkage
from facade.checkpoints import read_checkpoint
from facade.errors import FacadeError
from facade.files import atomic_directory, read_json, write_json
from facade.heads import (
    View,
    develop,
    expose,
    render_head,
    sample_expression,
    sample_identity,
    sample_light,
    sample_pose,
)
from facade.parallel import one_torch_thread, ordered_map
from facade.recognition import align_face, normalized
from facade.seeds import generator

# Pictures per training identity. The test set has half as many other identities, with two pictures each.
PICTURES = 8
# Network, input size in pixels, and embedding dimensions. It is the smallest of timm's residual networks, and learns
# this task faster than mobile networks of twice its size.
BACKBONE, INPUT_SIZE, DIMENSIONS = "test_resnet", 80, 128
EPOCHS, BATCH, LEARNING_RATE, WARMUP = 14, 64, 1e-2, 0.2
# ArcFace's scale and angular margin (arXiv 1801.07698), smaller than for millions of identities; and the number of
# epochs over which the margin increases from 0, without which training does not converge.
SCALE, MARGIN, MARGIN_EPOCHS = 24.0, 0.25, 4
# Fixed, because the order of floating-point sums depends on the number of threads.
THREADS = 2
# Attributes that vary between pictures of a person. Hair and beard stay the same, as they mostly do.
VARIABLE_ATTRIBUTES = (
    "hair_mess", "stubble", "spectacles", "spectacles_size", "spectacles_roundness", "spectacles_rim",
    "spectacles_color", "headwear", "headwear_color", "clothes", "flush", "makeup", "oil",
)  # fmt: skip
# Variation of skin tone and of white balance between pictures: standard deviation of the logarithm.
TAN, CAST = 0.15, 0.06
# Height of a drawn face, and side of the square it is drawn on, pixels.
HEIGHT, TILE = 56.0, 104
WEIGHTS, ABOUT = "attacker.pth", "attacker.json"
NAME = "a small network trained on drawn faces"


@dataclass(frozen=True)
class _Sample:
    """A picture of a drawn person."""

    group: str
    person: int
    picture: int


def train_attacker(identities: int, into: Path) -> None:
    """Train the network, and evaluate it on drawn identities that are not in its training set.

    Args:
        identities: Number of drawn identities to train on.
        into: Directory to write: the weights, and `attacker.json` with a description and test results.
    """
    import torch  # imported here: it takes seconds, and the processes that draw people do not need it

    others = identities // 2
    learned = [_Sample("learned", person, picture) for person in range(identities) for picture in range(PICTURES)]
    strangers = [_Sample("strangers", person, picture) for picture in range(2) for person in range(others)]
    pictures = np.stack(list(ordered_map(_draw, learned + strangers, "draw people")))
    state = _train(pictures[: len(learned)], np.array([sample.person for sample in learned]))
    with atomic_directory(into) as temporary:
        torch.save(state, temporary / WEIGHTS)
        network = DrawnRecognizer(temporary / WEIGHTS)
        embeddings = np.stack([network.embed(picture) for picture in pictures[len(learned) :]])
        linked = linkage(embeddings[others:], embeddings[:others], [str(person) for person in range(others)])
        write_json(
            temporary / ABOUT,
            {
                "backbone": BACKBONE,
                "people": identities,
                "pictures": len(learned),
                "strangers": others,
                "strangers_rank1": round(linked.rank1.estimate, 3),
                "strangers_auc": round(linked.auc.estimate, 3),
            },
        )


def describe_attacker(folder: Path) -> str:
    """Description of the network for reports, with its ROC AUC on drawn identities outside its training set."""
    content = read_json(folder / ABOUT)
    return f"{NAME} (ROC AUC {content['strangers_auc']:.2f} on {content['strangers']} others)"


class DrawnRecognizer:
    """The trained network, a `Recognizer`."""

    def __init__(self, weights: Path) -> None:
        """Load the network.

        Raises:
            FacadeError: The file is missing, or was not written by `train_attacker`.
        """
        self._network = _network()
        try:
            self._network.load_state_dict(read_checkpoint(weights, "the stand-in attacker's file"))
        except (RuntimeError, TypeError, AttributeError):
            raise FacadeError(f"{weights} holds the weights of another network. Run `dvc repro attacker`.") from None
        self._network.eval()

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """See `facade.recognition.Recognizer`."""
        import torch

        with torch.no_grad(), one_torch_thread():
            return normalized(self._network(_tensor(aligned[None])).numpy())


@lru_cache(maxsize=1)
def load_attacker(weights: Path) -> DrawnRecognizer:
    """The network, loaded once per process."""
    return DrawnRecognizer(weights)


def _draw(sample: _Sample) -> np.ndarray:
    """An aligned picture of a drawn person, (112, 112, 3) uint8, BGR; pose, light, background and camera are random."""
    who = sample_identity(generator("attacker", sample.group, sample.person))
    random = generator("attacker", sample.group, sample.person, "picture", sample.picture)
    another = sample_identity(random)
    melanin = who.melanin * float(np.exp(random.normal(0, TAN)))
    who = replace(who, melanin=melanin, **{name: getattr(another, name) for name in VARIABLE_ATTRIBUTES})
    view = View.of_face(sample_pose(random), HEIGHT, TILE / 2, TILE / 2)
    head = render_head(
        who, sample_expression(random), view, expose(sample_light(random), who, random), (TILE, TILE), with_body=False
    )
    rough = random.uniform(0, 1, (4, 4, 3)).astype(np.float32)
    backdrop = cv2.resize(rough, (TILE, TILE), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    alpha = head.alpha[..., None]
    shown = develop(head.linear) * alpha + backdrop * (1 - alpha)
    # Simulated camera: white balance error, larger distance, defocus and noise.
    shown = shown * np.exp(random.normal(0, CAST, 3)).astype(np.float32)
    factor = random.uniform(0.35, 1.0)
    small = cv2.resize(shown, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), random.uniform(0.3, 0.8))
    small = small + random.normal(0, random.uniform(0.002, 0.03), small.shape)
    image = np.clip(np.rint(255 * small), 0, 255).astype(np.uint8)
    return align_face(image, (head.keypoints + random.normal(0, 0.8, (5, 2))) * factor)


def _network() -> Any:
    import timm
    import torch

    torch.manual_seed(int(generator("attacker", "weights").integers(2**31)))
    return timm.create_model(BACKBONE, pretrained=False, num_classes=DIMENSIONS, drop_rate=0.0)


def _tensor(pictures: np.ndarray) -> Any:
    """(N, 3, INPUT_SIZE, INPUT_SIZE) float32 of aligned pictures."""
    import torch

    small = np.stack([cv2.resize(one, (INPUT_SIZE, INPUT_SIZE), interpolation=cv2.INTER_AREA) for one in pictures])
    return torch.from_numpy(small.transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1


def _train(pictures: np.ndarray, people: np.ndarray) -> dict[str, Any]:
    import torch
    from torch.nn import functional
    from tqdm import tqdm

    before, torch_threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    try:
        network = _network().to(memory_format=torch.channels_last).train()
        centers = torch.nn.Parameter(functional.normalize(torch.randn(int(people.max()) + 1, DIMENSIONS)))
        optimizer = torch.optim.AdamW([*network.parameters(), centers], LEARNING_RATE, weight_decay=0.05)
        batch = min(BATCH, len(people))
        steps = EPOCHS * (len(people) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARMUP)
        inputs, targets = _tensor(pictures), torch.from_numpy(people)
        for epoch in tqdm(range(EPOCHS), "train attacker", unit="epoch"):
            random = generator("attacker", "epoch", epoch)
            order = random.permutation(len(people))
            margin = MARGIN * min(1.0, epoch / MARGIN_EPOCHS)
            for start in range(0, len(order) - batch + 1, batch):
                chosen = torch.from_numpy(order[start : start + batch])
                images = inputs[chosen]
                flipped = torch.from_numpy(random.random(batch) < 0.5)
                images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
                embedded = functional.normalize(network(images.contiguous(memory_format=torch.channels_last)))
                cosine = embedded @ functional.normalize(centers).T
                angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
                is_target = functional.one_hot(targets[chosen], len(centers)).bool()
                logits = SCALE * torch.where(is_target, torch.cos(angle + margin), cosine)
                optimizer.zero_grad()
                functional.cross_entropy(logits, targets[chosen]).backward()
                optimizer.step()
                schedule.step()
        return {name: value.contiguous() for name, value in network.state_dict().items()}
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(torch_threads)
