"""Distributed training (DDP): several processes train one run, each on its part of every batch."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def join_process_group(rank: int, world_size: int, device: str, rendezvous: Path) -> None:
    """Join the process group of the run.

    Args:
        rank: Of this process, from 0.
        world_size: Number of processes.
        device: "cpu" or "cuda".
        rendezvous: A file that does not exist yet, the same for all processes.
    """
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{rendezvous.resolve()}", rank=rank, world_size=world_size)


def leave_process_group() -> None:
    """Wait until all processes are done. This process must then end by `os._exit`.

    The group is not destroyed, because that is a race: gloo's threads abort a process whose peer closes its sockets at
    the same moment.
    """
    dist.barrier()


def distributed_settings(world_size: int, device: str) -> dict[str, Any]:
    """Settings of mmengine's runner for distributed training; none for a single process."""
    if world_size == 1:
        return {}
    wrapper: dict[str, Any] = {"type": "MMDistributedDataParallel", "broadcast_buffers": False}
    if device == "cpu":
        wrapper["device_ids"] = None
        return {"launcher": "pytorch", "cfg": {"model_wrapper_cfg": wrapper}}
    # Batch norm uses the statistics of the whole batch, as on one GPU. Torch has no such layer for CPUs.
    return {"launcher": "pytorch", "cfg": {"model_wrapper_cfg": wrapper, "sync_bn": "torch"}}


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, without the wrapper for distributed training."""
    inner: torch.nn.Module = model.module if is_model_wrapper(model) else model
    return inner


def is_main_process() -> bool:
    """Whether this process has rank 0, which alone writes files."""
    return not dist.is_initialized() or dist.get_rank() == 0


def all_mean(values: torch.Tensor) -> torch.Tensor:
    """Mean over the processes; in place."""
    if dist.is_initialized():
        dist.all_reduce(values)
        values /= dist.get_world_size()
    return values


class SyncBuffers(Hook):
    """Averages the running statistics of batch norms over the processes after each epoch.

    Each process has seen only its part of the photographs. After this, all hold the same model, also when
    training resumes from the checkpoint of one.
    """

    priority = "NORMAL"

    def after_train_epoch(self, runner: Runner) -> None:
        """Called by mmengine."""
        models = [unwrapped(runner.model)] + [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
        for model in models:
            for buffer in model.buffers():
                if buffer.is_floating_point():
                    all_mean(buffer)
