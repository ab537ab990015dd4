"""One run: the training of one arm with one seed, in its own process or processes."""

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

# Files and folders of a run: final weights, and what an unfinished run resumes from.
FINAL, CHECKPOINT, LOCK, CURVES, VALIDATION = "final.pth", "checkpoint.pth", "lock", "dvclive", "validation"
# Maximum size of the cache of decoded photographs, in bytes per run.
MAX_CACHE = 2**31
# Labels of the photographs that are trained on.
LABELS = "labels.json"


@dataclass(frozen=True)
class TrainingRun:
    """Settings of one run. Picklable: it is sent to the process that trains.

    Attributes:
        data: The arm's photographs.
        seed: Of the run.
        detector: What is trained.
        train: How it is trained.
        detect: Input size, score threshold and NMS.
        calibration: Percent of the photographs that are kept for calibration, and not trained on.
        start: Initial weights (`facade.detector.start`); None for random ones.
        devices: "cpu", or "cuda:0" and so on; one for each process of the run.
        work: Folder of checkpoints, curves and logs until training is done.
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
    def device_type(self) -> str:
        """Either "cpu" or "cuda"."""
        return self.devices[0].partition(":")[0]


def train_run(
    run: TrainingRun, on_epoch: Callable[[int, float], None], rank: int = 0, rendezvous: Path | None = None
) -> Path:
    """Train, or resume training from the checkpoint of an earlier process.

    Args:
        run: Settings of the run.
        on_epoch: Called after each epoch with the number of epochs done and the mean loss.
        rank: Of this process among those of the run.
        rendezvous: See `facade.detector.distributed.join_process_group`; None for a single process.

    Returns:
        The file of the final weights, a state dict.
    """
    final = run.work / FINAL
    if final.is_file():
        return final
    run.work.mkdir(parents=True, exist_ok=True)
    # Held while this process lives: a restarted one waits until an earlier one that is being killed has ended.
    with (run.work / f"{LOCK}-{rank}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if rendezvous is not None:
            from facade.detector.distributed import join_process_group, leave_process_group

            join_process_group(rank, len(run.devices), run.device_type, rendezvous)
        _train(run, on_epoch)
        if rendezvous is not None:
            leave_process_group()
    return final


def prepare_process(run: TrainingRun, rank: int = 0) -> None:
    """Set the device, threads and determinism. Call this before torch is imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = run.devices[rank].partition(":")[2]
    # Each process sees a single device, which is number 0 to it.
    os.environ |= {"LOCAL_RANK": "0", "RANK": str(rank), "WORLD_SIZE": str(len(run.devices))}
    # cuBLAS is deterministic only with a workspace of fixed size (NVIDIA, cuBLAS reproducibility).
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(run.train.threads)
    torch.use_deterministic_algorithms(True, warn_only=run.device_type == "cuda")


def _train(run: TrainingRun, on_epoch: Callable[[int, float], None]) -> None:
    import torch
    from mmengine.runner import Runner

    from facade.detector.distributed import SyncBuffers, distributed_settings, is_main_process
    from facade.detector.hooks import (
        Checkpoint,
        Curves,
        EndWithParent,
        SeedEachEpoch,
        Validate,
        ema_hook,
        final_model,
        save_state,
    )
    from facade.detector.model import build, model_config
    from facade.detector.start import load_start

    torch.manual_seed(run.seed)
    model = build(model_config(run.detector, run.detect))
    if run.start is not None:
        # Called here because mmengine's runner would otherwise call it later, and re-initialize neck and head.
        model.init_weights()
        load_start(model, run.start)
    model = model.to(run.device_type)
    ema = ema_hook(run.train.ema_decay) if run.train.ema_decay else None
    photographs = Photographs(run.data)
    labels = calibration_labels(photographs.content(), run.calibration)
    runner = Runner(
        model=model,
        **_runner_settings(run, model),
        **distributed_settings(len(run.devices), run.device_type),
        custom_hooks=[
            SeedEachEpoch(run.seed),
            Curves(run.work / CURVES, on_epoch),
            EndWithParent(),
            SyncBuffers(),
            *([ema] if ema else []),
            *(
                [Validate(run.work / VALIDATION, photographs, labels, run.detect, run.train.val_interval)]
                if run.train.val_interval and any(not face["iscrowd"] for face in labels["annotations"])
                else []
            ),
            Checkpoint(run.work / CHECKPOINT, ema),
        ],
    )
    runner.train()
    if is_main_process():
        state = {name: value.cpu() for name, value in final_model(runner).state_dict().items()}
        save_state(state, run.work / FINAL)


def _write_training_labels(photographs: Photographs, calibration: float, path: Path) -> int:
    """Write the labels without those of the calibration part; returns the number of photographs left."""
    content = training_labels(photographs.content(), calibration)
    if not any(not one["iscrowd"] for one in content["annotations"]):
        raise FacadeError(
            f"{photographs.root} has no face to train on outside its calibration part. Lower evaluate.calibration."
        )
    write_json(path, content)
    return len(content["images"])


def _cache_size(runs: int) -> int:
    """Bytes of decoded photographs that each of several runs may cache: all together at most half of the free memory.

    Zero if the system does not report its free memory.
    """
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return 0
    return min(MAX_CACHE, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (2 * runs))


def _runner_settings(run: TrainingRun, model: Any) -> dict[str, Any]:
    from facade.detector.data import training_pipeline
    from facade.detector.optimizer import optimizer

    train = run.train
    photographs = Photographs(run.data)
    labels = run.work / LABELS
    count = _write_training_labels(photographs, run.calibration, labels)
    steps = train.epochs * ceil(count / train.batch)
    warmup = int(train.warmup * steps)
    device_type, world_size = run.device_type, len(run.devices)
    load = {
        "type": "LoadPhotograph",
        "root": str(run.data),
        "cache_size": _cache_size(len(train.seeds)) // world_size,
        "preload": device_type != "cpu",  # the data loader's workers are forked, and share what is loaded
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
            "batch_size": train.batch // world_size,
            "num_workers": 0 if device_type == "cpu" else 6,
            "sampler": {"type": "DefaultSampler", "shuffle": True, "seed": run.seed},
            "dataset": {
                "type": "SeededCoco",
                "seed": run.seed,
                "ann_file": str(labels),
                "data_prefix": {"img": ""},
                "filter_cfg": None,
                "pipeline": training_pipeline(load, train, run.detect),
            },
        },
        "train_cfg": {"by_epoch": True, "max_epochs": train.epochs},
        "optim_wrapper": optimizer(model, train, device_type),
        "param_scheduler": schedule,
        # mmengine's own checkpoints hold pickled objects, which torch refuses to load with `weights_only`. Its logger
        # synchronizes with the device at each step.
        "default_hooks": dict.fromkeys(("checkpoint", "logger", "runtime_info", "timer")),
        "randomness": {"seed": run.seed, "deterministic": True},
        "log_level": "WARNING",
        "experiment_name": "run",
    }  # fmt: skip
