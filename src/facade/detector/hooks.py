"""Training hooks: seeding, weight averaging, checkpoints, curves, validation, and an end when the parent has gone."""

import io
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
from facade.detector.distributed import all_mean, is_main_process, unwrapped
from facade.detector.infer import TrainedDetector, coco_results
from facade.files import write_bytes, write_json
from facade.measure.average_precision import average_precision
from facade.params import Detect
from facade.seeds import generator

# Warm-up of the average: its momentum is WARMUP / (WARMUP + steps) until that falls below 1 - train.ema_decay, so that
# a short training is not averaged with its random start.
WARMUP = 10


class _FileLive(Live):
    """DVCLive that only writes files."""

    def _init_dvc(self) -> None:
        """Skip DVC: without a repository here, DVCLive would make one by `dvc init`."""


class SeedEachEpoch(Hook):
    """Seeds torch before each epoch, and sets the epoch of the data set.

    An epoch's randomness depends on the seed and the epoch alone. So checkpoints need no generator states, and a
    resumed training ends with the same weights as an uninterrupted one.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        torch.manual_seed(int(generator("epoch", self._seed, runner.epoch).integers(2**63)))
        runner.train_dataloader.dataset.epoch = runner.epoch


def ema_hook(decay: float) -> EMAHook:
    """Mmengine's exponential moving average of the weights and of batch norm's running statistics."""
    return EMAHook("MomentumAnnealingEMA", momentum=1 - decay, gamma=WARMUP, update_buffers=True)


def final_model(runner: Runner) -> torch.nn.Module:
    """The model that is saved and evaluated: the moving average if there is one, else the trained model."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            model: torch.nn.Module = hook.ema_model.module
            return model
    return unwrapped(runner.model)


class Checkpoint(Hook):
    """Saves the state after each epoch, and resumes from it.

    A checkpoint holds tensors and numbers alone, which torch loads without running code. It is written atomically, so
    that a kill at any moment leaves a complete one.

    Args:
        path: The checkpoint.
        ema: The hook that averages the weights, whose state is saved, too; None if there is none.
    """

    priority = "VERY_LOW"

    def __init__(self, path: Path, ema: EMAHook | None = None) -> None:
        self._path = path
        self._ema = ema

    def before_train(self, runner: Runner) -> None:
        """Called by mmengine."""
        if not self._path.is_file():
            return
        device = next(runner.model.parameters()).device
        state = torch.load(self._path, map_location=device, weights_only=True)
        unwrapped(runner.model).load_state_dict(state["model"])
        if self._ema is not None:
            self._ema.ema_model.load_state_dict(state["average"])
        runner.optim_wrapper.load_state_dict(state["optimizer"])
        for scheduler, values in zip(runner.param_schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(values)
        runner.train_loop._epoch, runner.train_loop._iter = state["epoch"], state["iteration"]

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        if not is_main_process():
            return
        state = {
            "model": unwrapped(runner.model).state_dict(),
            **({} if self._ema is None else {"average": self._ema.ema_model.state_dict()}),
            "optimizer": runner.optim_wrapper.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in runner.param_schedulers],
            "epoch": runner.epoch + 1,
            "iteration": runner.iter,
        }
        save_state(state, self._path)


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write a state atomically. Through memory: torch puts the name of a file into it, also a temporary one."""
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(path, content.getvalue())


class Curves(Hook):
    """Logs the mean losses and the learning rate of each epoch through DVCLive, and reports progress.

    Args:
        folder: Where DVCLive writes.
        on_epoch: Called after each epoch with the number of epochs done and the mean loss.
    """

    def __init__(self, folder: Path, on_epoch: Callable[[int, float], None]) -> None:
        self._folder = folder
        self._on_epoch = on_epoch
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0

    def before_train(self, runner: Runner) -> None:
        """Called by mmengine."""
        if not is_main_process():
            return
        # save_dvc_exp and dvcyaml are off: DVC runs this stage, and DVCLive must not change its workspace.
        self._live = _FileLive(str(self._folder), resume=True, save_dvc_exp=False, dvcyaml=None, report=None)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: dict | None = None
    ) -> None:
        """Called by mmengine."""
        for name, value in (outputs or {}).items():
            # Stays on the device: fetching it would synchronize the GPU at each step.
            loss = value.detach().double()
            self._sums[name] = self._sums[name] + loss if name in self._sums else loss
        self._steps += 1

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        totals = torch.stack([*self._sums.values()]) / self._steps
        means = dict(zip(self._sums, all_mean(totals).tolist(), strict=True))
        self._sums, self._steps = {}, 0
        if not is_main_process():
            return
        self._live.step = runner.epoch
        for name, value in means.items():
            self._live.log_metric(f"train/{name}", value, plot=True)
        self._live.log_metric("train/learning_rate", runner.optim_wrapper.get_lr()["lr"][0], plot=True)
        self._live.make_summary()
        self._on_epoch(runner.epoch + 1, means["loss"])

    def after_train(self, runner: Runner) -> None:
        """Called by mmengine."""
        if is_main_process():
            self._live.end()


class Validate(Hook):
    """Measures AP50 of the averaged weights on the arm's calibration photographs, to show convergence.

    Golden photographs are not used before training is over.

    Args:
        folder: Where a JSON file is written for each measurement.
        photographs: The arm's photographs.
        labels: COCO labels of the photographs to measure on.
        detect: Input size, score threshold and NMS.
        interval: Epochs between measurements; the last epoch is always measured.
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
        if not is_main_process() or (done % self._interval and done != runner.max_epochs):
            return
        model = final_model(runner)
        model.eval()
        wanted = {image["id"] for image in self._labels["images"]}
        items = [item for item in self._photographs.items() if item[0] in wanted]
        results = coco_results(TrainedDetector(model, self._detect), self._photographs, items)
        # Without a moving average, this model is trained further.
        model.train()
        value = average_precision(self._labels, results)["AP50"] if results else 0.0
        write_json(self._folder / f"{done:05d}.json", {"epoch": done, "AP50": value})


class EndWithParent(Hook):
    """Ends training when the stage that started it is gone, so that a restarted stage does not run beside it."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Called by mmengine."""
        if os.getppid() != self._parent:
            sys.exit("facade: the stage that started this training has ended")
