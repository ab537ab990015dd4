"""Where runs train and detect: GPUs or cores, and how many of them a run is spread over."""

import multiprocessing
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from facade.errors import FacadeError
from facade.parallel import cores
from facade.params import Train


def devices_for(train: Train) -> list[str]:
    """A place for each run that may work at the same time: every GPU, or as many CPU runs as cores allow.

    Raises:
        FacadeError: There are fewer GPUs than `train.devices` asks for.
    """
    if train.device != "cpu":
        import torch

        if torch.cuda.is_available():
            there = torch.cuda.device_count()
            if (wanted := train.devices or there) > there:
                raise FacadeError(f"train.devices is {wanted}, and torch finds {there} GPUs here. Ask for fewer.")
            return [f"cuda:{number}" for number in range(wanted)]
        if train.device == "cuda":
            raise FacadeError("train.device is cuda, and torch finds no GPU here. Use auto or cpu.")
    return ["cpu"] * (train.devices or max(1, cores() // train.threads))


def groups_for(train: Train) -> list[tuple[str, ...]]:
    """Groups of devices, each for one run at a time.

    Runs come first: while there are as many of them as devices, each device has its own. Where devices are left over, a
    run is spread over several: over as many as its batch can be parted between evenly. Cores are left over where
    `train.devices` says so, and nowhere else: what a run on two of them learns differs in last digits from what one
    does, and results must not depend on whose machine has more.
    """
    devices = devices_for(train)
    each = len(devices) // len(train.seeds)
    if each <= 1 or (devices[0] == "cpu" and train.devices is None):
        return [(device,) for device in devices]
    each = max(number for number in range(1, each + 1) if train.batch % number == 0)
    return [tuple(devices[start : start + each]) for start in range(0, len(devices) - each + 1, each)]


def own_device(train: Train) -> str:
    """The device of a process that detects: on this machine, workers take GPUs in turn; a cluster gives each its own.

    Raises:
        FacadeError: `train.device` is cuda, and there is no GPU.
    """
    import torch

    if train.device != "cpu" and torch.cuda.is_available():
        worker = (multiprocessing.current_process()._identity or (1,))[-1]
        return f"cuda:{(worker - 1) % min(torch.cuda.device_count(), train.devices or torch.cuda.device_count())}"
    if train.device == "cuda":
        raise FacadeError(f"train.device is cuda, and torch finds no GPU on {platform.node()}. Use auto or cpu.")
    return "cpu"


@contextmanager
def settled(train: Train) -> Iterator[None]:
    """Torch works inside as in the training: on as many threads, and in the same order each time."""
    # cuBLAS is deterministic only with a workspace of fixed size (NVIDIA, cuBLAS reproducibility).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    lenient = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(train.threads)
    torch.use_deterministic_algorithms(True, warn_only=train.device != "cpu" and torch.cuda.is_available())
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=lenient)
