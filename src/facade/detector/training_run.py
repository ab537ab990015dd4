"""One run: the training of one arm with one seed, in a process of its own."""

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from facade.dataset import Photographs
from facade.dataset.calibration import calibration_labels, training_labels
from facade.errors import FacadeError
from facade.files import write_json
from facade.params import Detect, Detector, Train

# Weights of a finished run, and what an unfinished one leaves to resume from.
FINAL, CHECKPOINT, LOCK, CURVES, VALIDATION = "final.pth", "checkpoint.pth", "lock", "dvclive", "validation"
# Decoded photographs are kept in memory up to so many bytes a run.
KEPT = 2**31
# Labels of the photographs that are trained on.
LABELS = "labels.json"


@dataclass(frozen=True)
class Run:
    """What one training needs to know. Picklable: it travels to the process that trains.

    Attributes:
        data: The arm's photographs.
        calibration: Percent of them that are not trained on.
        work: Where checkpoints, curves and logs go until the training is done.
        start: Weights that the training starts from; None for random ones.
        devices: "cpu", or "cuda:0" and so on; several if the run is spread over processes, one for each.
    """

    data: Path
    seed: int
    detector: Detector
    train: Train
    detect: Detect
    calibration: float
    start: Path | None
    devices: tuple[str, ...]
    work: Path

    @property
    def kind(self) -> str:
        """Of the devices: "cpu" or "cuda"."""
        return self.devices[0].partition(":")[0]


def train_run(run: Run, told: Callable[[int, float], None], rank: int = 0, meeting: Path | None = None) -> Path:
    """Train, or go on training where an earlier process was killed.

    Args:
        run: What to train on what, and how.
        told: Called after each epoch with the number of epochs done and the mean loss.
        rank: Number of this process among those of the run.
        meeting: Where those meet (`facade.detector.distributed.join`); None where there is one.

    Returns:
        The file of the final weights, a state dict.
    """
    final = run.work / FINAL
    if final.is_file():
        return final
    run.work.mkdir(parents=True, exist_ok=True)
    # Held while this process lives: a second one waits until a first that is being killed is truly gone.
    with (run.work / f"{LOCK}-{rank}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if meeting is not None:
            from facade.detector.distributed import join, part

            join(rank, len(run.devices), run.kind, meeting)
        _train(run, told)
        if meeting is not None:
            part()
    return final


def prepare_process(run: Run, rank: int = 0) -> None:
    """Settle what must be settled before torch is imported or used: the device, threads and determinism."""
    os.environ["CUDA_VISIBLE_DEVICES"] = run.devices[rank].partition(":")[2]
    # Each process sees its own device alone, which is the first for it.
    os.environ |= {"LOCAL_RANK": "0", "RANK": str(rank), "WORLD_SIZE": str(len(run.devices))}
    # cuBLAS is deterministic only with a workspace of fixed size (NVIDIA, cuBLAS reproducibility).
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(run.train.threads)
    torch.use_deterministic_algorithms(True, warn_only=run.kind == "cuda")


def _train(run: Run, told: Callable[[int, float], None]) -> None:
    import torch
    from mmengine.runner import Runner

    from facade.detector.distributed import AgreeOnStatistics, is_first, runner_settings
    from facade.detector.hooks import Checkpoint, Curves, EndWithParent, SeedEachEpoch, Validate, averaged, averaging
    from facade.detector.model import build, model_config
    from facade.detector.start import load_start

    torch.manual_seed(run.seed)
    model = build(model_config(run.detector, run.detect))
    if run.start is not None:
        # mmengine's runner calls this, too, unless it was called before: it would draw neck and head anew.
        model.init_weights()
        load_start(model, run.start)
    model = model.to(run.kind)
    average = averaging(run.train.ema_decay) if run.train.ema_decay else None
    photographs = Photographs(run.data)
    labels = calibration_labels(photographs.content(), run.calibration)
    runner = Runner(
        model=model,
        **_runner_settings(run, model),
        **runner_settings(len(run.devices), run.kind),
        custom_hooks=[
            SeedEachEpoch(run.seed),
            Curves(run.work / CURVES, told),
            EndWithParent(),
            AgreeOnStatistics(),
            *([average] if average else []),
            *(
                [Validate(run.work / VALIDATION, photographs, labels, run.detect, run.train.val_interval)]
                if run.train.val_interval and any(not face["iscrowd"] for face in labels["annotations"])
                else []
            ),
            Checkpoint(run.work / CHECKPOINT, average),
        ],
    )
    runner.train()
    if is_first():
        beside = run.work / f".{FINAL}"
        torch.save({name: value.cpu() for name, value in averaged(runner).state_dict().items()}, beside)
        beside.replace(run.work / FINAL)


def _write_trained_on(photographs: Photographs, calibration: float, path: Path) -> int:
    """Write the labels without those of the calibration part; how many photographs they are of."""
    content = training_labels(photographs.content(), calibration)
    if not any(not one["iscrowd"] for one in content["annotations"]):
        raise FacadeError(
            f"{photographs.root} without its calibration part has no face to train on. Lower evaluate.calibration."
        )
    beside = path.with_name(f".{path.name}-{os.getpid()}")  # several processes of a run may write it
    write_json(beside, content)
    beside.replace(path)
    return len(content["images"])


def _room(runs: int) -> int:
    """Bytes of decoded photographs that one of several runs may keep: together no more than half of what is free.

    None, where the system does not say what is free.
    """
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return 0
    return min(KEPT, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (2 * runs))


def _runner_settings(run: Run, model: Any) -> dict[str, Any]:
    from facade.detector.data import training_steps
    from facade.detector.optimizer import optimizer

    train = run.train
    photographs = Photographs(run.data)
    labels = run.work / LABELS
    count = _write_trained_on(photographs, run.calibration, labels)
    steps = train.epochs * ceil(count / train.batch)
    warmup = int(train.warmup * steps)
    kind, apart = run.kind, len(run.devices)
    load = {
        "type": "LoadPhotograph",
        "root": str(run.data),
        "kept": _room(len(train.seeds)) // apart,
        "ahead": kind != "cpu",  # the workers below are forked
    }
    schedule = [
        {"type": "CosineAnnealingLR", "by_epoch": False, "begin": warmup, "end": steps, "T_max": steps - warmup,
         "eta_min": 0.01 * train.learning_rate}
    ]  # fmt: skip
    if warmup:
        schedule.insert(0, {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": warmup})
    return {
        "work_dir": str(run.work),
        "default_scope": "mmdet",
        "train_dataloader": {
            "batch_size": train.batch // apart,
            "num_workers": 0 if kind == "cpu" else 6,
            "sampler": {"type": "DefaultSampler", "shuffle": True, "seed": run.seed},
            "dataset": {
                "type": "SeededCoco",
                "seed": run.seed,
                "ann_file": str(labels),
                "data_prefix": {"img": ""},
                "filter_cfg": None,
                "pipeline": training_steps(load, train, run.detect),
            },
        },
        "train_cfg": {"by_epoch": True, "max_epochs": train.epochs},
        "optim_wrapper": optimizer(model, train, kind),
        "param_scheduler": schedule,
        # mmengine's own checkpoints hold pickled objects, which torch rightly refuses to load. What it logs, it fetches
        # from the device at each step, which then waits.
        "default_hooks": dict.fromkeys(("checkpoint", "logger", "runtime_info", "timer")),
        "randomness": {"seed": run.seed, "deterministic": True},
        "log_level": "WARNING",
        "experiment_name": "run",
    }  # fmt: skip
