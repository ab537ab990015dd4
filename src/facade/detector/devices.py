"""Device selection: on which GPUs or CPU cores runs train and detect, and over how many a run is spread."""

import multiprocessing
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from facade.errors import FacadeError
from facade.parallel import cores
from facade.params import Train

# Where footage is detected. Its workers are one process per core, on whichever machine, and all must give equal bytes.
FOOTAGE_DEVICE = "cpu"


def available_devices(train: Train) -> list[str]:
    """The devices that runs may use side by side: every GPU, or "cpu" as many times as the cores allow.

    Raises:
        FacadeError: There are fewer GPUs than `train.devices` asks for.
    """
    if train.device != "cpu":
        import torch

        if torch.cuda.is_available():
            count = torch.cuda.device_count()
            if (wanted := train.devices or count) > count:
                raise FacadeError(f"train.devices is {wanted}, but torch finds {count} GPUs here. Ask for fewer.")
            return [f"cuda:{number}" for number in range(wanted)]
        if train.device == "cuda":
            raise FacadeError("train.device is cuda, but torch finds no GPU here. Use auto or cpu.")
    return ["cpu"] * (train.devices or max(1, cores() // train.threads))


def device_groups(train: Train) -> list[tuple[str, ...]]:
    """Groups of devices, each for one run at a time.

    Runs come first: with at least as many runs as devices, each device has its own run. With more devices, a run is
    spread over the largest number of them that divides its batch evenly. A run is spread over CPU processes only if
    `train.devices` is set: two processes learn weights that differ in the last digits from those of one, and results
    must not depend on the number of cores. With `train.runs_per_gpu`, GPUs are shared by several runs, in turn.
    """
    devices = available_devices(train)
    each = len(devices) // len(train.seeds)
    if each <= 1 or (devices[0] == "cpu" and train.devices is None):
        shared = 1 if devices[0] == "cpu" else train.runs_per_gpu
        return [(device,) for _ in range(shared) for device in devices]
    each = max(number for number in range(1, each + 1) if train.batch % number == 0)
    return [tuple(devices[start : start + each]) for start in range(0, len(devices) - each + 1, each)]


def worker_device(train: Train) -> str:
    """The device of a worker process that detects.

    On one machine, workers take the GPUs in turn. On a cluster, each worker sees a single GPU.

    Raises:
        FacadeError: `train.device` is cuda, but there is no GPU.
    """
    import torch

    if train.device != "cpu" and torch.cuda.is_available():
        worker = (multiprocessing.current_process()._identity or (1,))[-1]
        return f"cuda:{(worker - 1) % min(torch.cuda.device_count(), train.devices or torch.cuda.device_count())}"
    if train.device == "cuda":
        raise FacadeError(f"train.device is cuda, but torch finds no GPU on {platform.node()}. Use auto or cpu.")
    return "cpu"


@contextmanager
def deterministic_torch(train: Train) -> Iterator[None]:
    """Inside, torch runs as in training: on `train.threads` threads, with deterministic algorithms."""
    # cuBLAS is deterministic only with a workspace of fixed size (NVIDIA, cuBLAS reproducibility).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(train.threads)
    torch.use_deterministic_algorithms(True, warn_only=train.device != "cpu" and torch.cuda.is_available())
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
