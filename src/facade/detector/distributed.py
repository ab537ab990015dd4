"""Several processes that train one run together: each takes its part of every batch (DDP)."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def join(rank: int, world: int, device: str, meeting: Path) -> None:
    """Meet the other processes of the run.

    Args:
        rank: Number of this process, from 0.
        world: How many there are.
        device: "cpu" or "cuda".
        meeting: A file that does not exist yet, the same for all.
    """
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{meeting.resolve()}", rank=rank, world_size=world)


def part() -> None:
    """Wait until all are done. The process must then end by `os._exit`.

    Taking the group apart is a race: gloo's threads abort a process whose peer closes its sockets at the same moment.
    """
    dist.barrier()


def runner_settings(world: int, device: str) -> dict[str, Any]:
    """What mmengine's runner must know of it."""
    if world == 1:
        return {}
    wrapper: dict[str, Any] = {"type": "MMDistributedDataParallel", "broadcast_buffers": False}
    if device == "cpu":
        wrapper["device_ids"] = None
        return {"launcher": "pytorch", "cfg": {"model_wrapper_cfg": wrapper}}
    # Statistics of a batch are those of the whole one, as on one GPU; torch has no such layer for CPUs.
    return {"launcher": "pytorch", "cfg": {"model_wrapper_cfg": wrapper, "sync_bn": "torch"}}


def bare(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, where it is wrapped for several processes."""
    inner: torch.nn.Module = model.module if is_model_wrapper(model) else model
    return inner


def is_first() -> bool:
    """Whether this process is the one that writes files."""
    return not dist.is_initialized() or dist.get_rank() == 0


def mean(values: torch.Tensor) -> torch.Tensor:
    """The mean over the processes."""
    if dist.is_initialized():
        dist.all_reduce(values)
        values /= dist.get_world_size()
    return values


class AgreeOnStatistics(Hook):
    """Running means of batch norms become the mean over the processes, after each epoch.

    Each has seen its part of the photographs alone. So all hold the same model, also after a restart from the
    checkpoint of one.
    """

    priority = "NORMAL"

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        models = [bare(runner.model)] + [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
        for model in models:
            for buffer in model.buffers():
                if buffer.is_floating_point():
                    mean(buffer)
