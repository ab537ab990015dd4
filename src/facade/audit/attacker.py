"""The stand-in attacker: a small face recognition network that has seen drawn people alone.

Weights of face recognition have to be fetched; the demo must be measured without. Drawn people can be told apart by a
network that learned from other drawn people. Of real faces it knows nothing, and is not asked about them.
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
from facade.files import read_json, whole_directory, write_json
from facade.heads import (
    View,
    develop,
    draw_expression,
    draw_head,
    draw_identity,
    draw_light,
    draw_pose,
    exposed,
)
from facade.parallel import in_order, one_torch_thread
from facade.recognition import align, unit
from facade.seeds import generator

# Pictures of each person that is learned. Half as many others, with two pictures of each, are what it is tested with.
PICTURES = 8
# What the network is, and how large the pictures are that it sees: the smallest of timm's residual networks, which
# learns this faster than mobile ones twice its size.
BACKBONE, SEEN, DIMENSIONS = "test_resnet", 80, 128
EPOCHS, BATCH, LEARNING_RATE, WARMUP = 14, 64, 1e-2, 0.2
# ArcFace's scale and angular margin (arXiv 1801.07698), smaller than for millions of people; the margin grows over the
# first epochs, without which nothing is learned.
SCALE, MARGIN, GROWS = 24.0, 0.25, 4
# The order of sums depends on the number of threads: the same on every machine.
THREADS = 2
# What people change from one picture to the next. Hair and beard stay, as they mostly do.
CHANGES = (
    "hair_mess", "stubble", "spectacles", "spectacles_size", "spectacles_roundness", "spectacles_rim",
    "spectacles_colour", "headwear", "headwear_colour", "clothes", "flush", "makeup", "oil",
)  # fmt: skip
# How much lighter or darker skin looks from picture to picture, and how far white balances are off, as spreads of
# logarithms.
TAN, CAST = 0.15, 0.06
# A drawn head is so many pixels high, on a square of so many.
HEIGHT, TILE = 56.0, 104
WEIGHTS, ABOUT = "attacker.pth", "attacker.json"
NAME = "a small network trained on drawn faces"


@dataclass(frozen=True)
class _Sitting:
    """Which drawn person, in which picture."""

    group: str
    person: int
    picture: int


def train_attacker(people: int, into: Path) -> None:
    """Train the network, and tell how well it knows drawn people that it has never seen.

    Args:
        people: How many drawn people it learns.
        into: Directory to write: the weights, and `attacker.json`, what they are and how good.
    """
    import torch  # here, not above: it takes seconds, and processes that draw people need none

    others = people // 2
    learned = [_Sitting("learned", person, picture) for person in range(people) for picture in range(PICTURES)]
    strangers = [_Sitting("strangers", person, picture) for picture in range(2) for person in range(others)]
    pictures = np.stack(list(in_order(_draw, learned + strangers, "draw people")))
    state = _train(pictures[: len(learned)], np.array([sitting.person for sitting in learned]))
    with whole_directory(into) as beside:
        torch.save(state, beside / WEIGHTS)
        network = DrawnRecogniser(beside / WEIGHTS)
        seen = np.stack([network.embed(picture) for picture in pictures[len(learned) :]])
        known = linkage(seen[others:], seen[:others], [str(person) for person in range(others)])
        write_json(
            beside / ABOUT,
            {
                "backbone": BACKBONE,
                "people": people,
                "pictures": len(learned),
                "strangers": others,
                "strangers_rank1": round(known.rank1.seen, 3),
                "strangers_auc": round(known.auc.seen, 3),
            },
        )


def about(folder: Path) -> str:
    """What pages call the network: what it is, and how well it knows drawn people that it has never seen."""
    told = read_json(folder / ABOUT)
    return f"{NAME} (ROC AUC {told['strangers_auc']:.2f} on {told['strangers']} others)"


class DrawnRecogniser:
    """The trained network, a `Recogniser`."""

    def __init__(self, weights: Path) -> None:
        """Load it.

        Raises:
            FacadeError: The file is missing, or is not what `train_attacker` writes.
        """
        self._network = _network()
        try:
            self._network.load_state_dict(read_checkpoint(weights, "the stand-in attacker's file"))
        except (RuntimeError, TypeError, AttributeError):
            raise FacadeError(f"{weights} holds another network. `dvc repro attacker` makes it anew.") from None
        self._network.eval()

    def embed(self, aligned: np.ndarray) -> np.ndarray:
        """See `facade.recognition.Recogniser`."""
        import torch

        with torch.no_grad(), one_torch_thread():
            return unit(self._network(_tensor(aligned[None])).numpy())


@lru_cache(maxsize=1)
def attacker(weights: Path) -> DrawnRecogniser:
    """The network, loaded once in a process."""
    return DrawnRecogniser(weights)


def _draw(sitting: _Sitting) -> np.ndarray:
    """An aligned picture of a drawn person, (112, 112, 3) uint8, BGR: some pose, light, backdrop and camera."""
    who = draw_identity(generator("attacker", sitting.group, sitting.person))
    random = generator("attacker", sitting.group, sitting.person, "picture", sitting.picture)
    another = draw_identity(random)
    tanned = who.melanin * float(np.exp(random.normal(0, TAN)))
    who = replace(who, melanin=tanned, **{name: getattr(another, name) for name in CHANGES})
    view = View.of_face(draw_pose(random), HEIGHT, TILE / 2, TILE / 2)
    head = draw_head(
        who, draw_expression(random), view, exposed(draw_light(random), who, random), (TILE, TILE), with_body=False
    )
    rough = random.uniform(0, 1, (4, 4, 3)).astype(np.float32)
    backdrop = cv2.resize(rough, (TILE, TILE), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    alpha = head.alpha[..., None]
    shown = develop(head.linear) * alpha + backdrop * (1 - alpha)
    # As from a camera farther away, its white balance off, a little out of focus, with grain.
    shown = shown * np.exp(random.normal(0, CAST, 3)).astype(np.float32)
    factor = random.uniform(0.35, 1.0)
    small = cv2.resize(shown, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), random.uniform(0.3, 0.8))
    small = small + random.normal(0, random.uniform(0.002, 0.03), small.shape)
    seen = np.clip(np.rint(255 * small), 0, 255).astype(np.uint8)
    return align(seen, (head.keypoints + random.normal(0, 0.8, (5, 2))) * factor)


def _network() -> Any:
    import timm
    import torch

    torch.manual_seed(int(generator("attacker", "weights").integers(2**31)))
    return timm.create_model(BACKBONE, pretrained=False, num_classes=DIMENSIONS, drop_rate=0.0)


def _tensor(pictures: np.ndarray) -> Any:
    """(N, 3, SEEN, SEEN) float32 of aligned pictures."""
    import torch

    small = np.stack([cv2.resize(one, (SEEN, SEEN), interpolation=cv2.INTER_AREA) for one in pictures])
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
        centres = torch.nn.Parameter(functional.normalize(torch.randn(int(people.max()) + 1, DIMENSIONS)))
        optimizer = torch.optim.AdamW([*network.parameters(), centres], LEARNING_RATE, weight_decay=0.05)
        batch = min(BATCH, len(people))
        steps = EPOCHS * (len(people) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARMUP)
        inputs, targets = _tensor(pictures), torch.from_numpy(people)
        for epoch in tqdm(range(EPOCHS), "train attacker", unit="epoch"):
            random = generator("attacker", "epoch", epoch)
            order = random.permutation(len(people))
            margin = MARGIN * min(1.0, epoch / GROWS)
            for start in range(0, len(order) - batch + 1, batch):
                chosen = torch.from_numpy(order[start : start + batch])
                seen = inputs[chosen]
                flipped = torch.from_numpy(random.random(batch) < 0.5)
                seen = torch.where(flipped[:, None, None, None], seen.flip(-1), seen)
                embedded = functional.normalize(network(seen.contiguous(memory_format=torch.channels_last)))
                cosine = embedded @ functional.normalize(centres).T
                angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
                asked = functional.one_hot(targets[chosen], len(centres)).bool()
                logits = SCALE * torch.where(asked, torch.cos(angle + margin), cosine)
                optimizer.zero_grad()
                functional.cross_entropy(logits, targets[chosen]).backward()
                optimizer.step()
                schedule.step()
        return {name: value.contiguous() for name, value in network.state_dict().items()}
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(torch_threads)
