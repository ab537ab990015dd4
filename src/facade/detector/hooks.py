"""Hooks of the training: resumable randomness, averaged weights, curves, and an end when the parent has gone."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from dvclive import Live
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from facade.dataset import Photographs
from facade.detector.distributed import bare, is_first, mean
from facade.detector.infer import detections
from facade.files import write_json
from facade.measure.average_precision import average_precision
from facade.params import Detect
from facade.seeds import generator

# The average follows the weights more closely at first: its momentum is WARMUP / (WARMUP + steps) until that falls
# below 1 - train.ema_decay, so that a short training is not averaged with its random start.
WARMUP = 10


class _Log(Live):
    """DVCLive that only writes files."""

    def _init_dvc(self) -> None:
        """Leave DVC alone. DVCLive would look for a repository here and, finding none, make one by `dvc init`."""


class SeedEachEpoch(Hook):
    """Seeds torch before each epoch and tells the data set which one it is.

    Checkpoints hold no state of random generators. With this they need none: an epoch's chance depends on the seed
    and the epoch alone, so that a resumed training ends with the same weights as one that ran through.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        torch.manual_seed(int(generator("epoch", self._seed, runner.epoch).integers(2**63)))
        runner.train_dataloader.dataset.epoch = runner.epoch


def averaging(decay: float) -> EMAHook:
    """Mmengine's exponential moving average of the weights, and of batch norm's statistics with them."""
    return EMAHook("MomentumAnnealingEMA", momentum=1 - decay, gamma=WARMUP, update_buffers=True)


def averaged(runner: Runner) -> torch.nn.Module:
    """The model whose weights count: the average where there is one, else the model itself."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            model: torch.nn.Module = hook.ema_model.module
            return model
    return bare(runner.model)


class Checkpoint(Hook):
    """Keeps the state after each epoch, and goes on from it.

    Tensors and numbers alone, which torch loads without running anybody's code; written beside and renamed, so that
    a kill at any moment leaves a whole one.

    Args:
        path: The file.
        average: The hook that averages the weights, whose state is kept, too; None where there is none.
    """

    priority = "VERY_LOW"

    def __init__(self, path: Path, average: EMAHook | None = None) -> None:
        self._path = path
        self._average = average

    def before_train(self, runner: Runner) -> None:
        """Called by mmengine."""
        if not self._path.is_file():
            return
        device = next(runner.model.parameters()).device
        state = torch.load(self._path, map_location=device, weights_only=True)
        bare(runner.model).load_state_dict(state["model"])
        if self._average is not None:
            self._average.ema_model.load_state_dict(state["average"])
        runner.optim_wrapper.load_state_dict(state["optimizer"])
        for scheduler, values in zip(runner.param_schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(values)
        runner.train_loop._epoch, runner.train_loop._iter = state["epoch"], state["iteration"]

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        if not is_first():
            return
        state = {
            "model": bare(runner.model).state_dict(),
            **({} if self._average is None else {"average": self._average.ema_model.state_dict()}),
            "optimizer": runner.optim_wrapper.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers],
            "epoch": runner.epoch + 1,
            "iteration": runner.iter,
        }
        beside = self._path.with_name(f".{self._path.name}")
        torch.save(state, beside)
        beside.replace(self._path)


class Curves(Hook):
    """The mean losses and the learning rate of each epoch, logged through DVCLive and told to the parent."""

    def __init__(self, folder: Path, told: Callable[[int, float], None]) -> None:
        self._folder = folder
        self._told = told
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0

    def before_train(self, runner: Runner) -> None:
        """Called by mmengine."""
        if not is_first():
            return
        # save_dvc_exp and dvcyaml off: DVC runs this stage, and must not find its workspace changed by it.
        self._live = _Log(str(self._folder), resume=True, save_dvc_exp=False, dvcyaml=None, report=None)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: dict | None = None
    ) -> None:
        """Called by mmengine."""
        for name, value in (outputs or {}).items():
            # Not fetched here: a GPU would have to wait at each step.
            own = value.detach().double()
            self._sums[name] = self._sums[name] + own if name in self._sums else own
        self._steps += 1

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        totals = torch.stack([*self._sums.values()]) / self._steps
        means = dict(zip(self._sums, mean(totals).tolist(), strict=True))
        self._sums, self._steps = {}, 0
        if not is_first():
            return
        self._live.step = runner.epoch
        for name, value in means.items():
            self._live.log_metric(f"train/{name}", value, plot=True)
        self._live.log_metric("train/learning_rate", runner.optim_wrapper.get_lr()["lr"][0], plot=True)
        self._live.make_summary()
        self._told(runner.epoch + 1, means["loss"])

    def after_train(self, runner: Runner) -> None:
        """Called by mmengine."""
        if is_first():
            self._live.end()


class Validate(Hook):
    """AP50 of the averaged weights on the calibration photographs, so that convergence can be seen.

    Those are the arm's own: golden photographs are not looked at before the training is over.

    Args:
        folder: Where a JSON file is written for each measurement.
        photographs: The arm's.
        labels: Content of the COCO file of those to detect faces in.
        detect: Input size, score threshold and NMS.
        interval: Epochs from one measurement to the next; the last epoch is always measured.
    """

    priority = "LOW"

    def __init__(
        self, folder: Path, photographs: Photographs, labels: dict[str, Any], detect: Detect, interval: int
    ) -> None:
        self._folder, self._photographs, self._labels = folder, photographs, labels
        self._detect, self._interval = detect, interval

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        done = runner.epoch + 1
        if not is_first() or (done % self._interval and done != runner.max_epochs):
            return
        model = averaged(runner)
        model.eval()
        wanted = {image["id"] for image in self._labels["images"]}
        items = [item for item in self._photographs.items() if item[0] in wanted]
        found = detections(model, self._photographs, items, self._detect)
        # The average is only ever run here; the model itself is trained on.
        model.train()
        value = average_precision(self._labels, found)["AP50"] if found else 0.0
        write_json(self._folder / f"{done:05d}.json", {"epoch": done, "AP50": value})


class EndWithParent(Hook):
    """Ends the training when the stage that started it is gone: a second start must not meet the first one."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Called by mmengine."""
        if os.getppid() != self._parent:
            sys.exit("facade: the stage that started this training has ended")
