"""Parallel map over processes or a cluster, with results in the order of the items."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from facade.params import Engine

Item = TypeVar("Item")
Result = TypeVar("Result")


# The function of this worker process.
_function: list[Callable[[Any], Any]] = []
# Where `ordered_map` runs.
_engine: ContextVar[Engine] = ContextVar("engine", default=Engine(name="local", address=None))  # noqa: B039  frozen


def use_engine(engine: Engine) -> None:
    """Set where `ordered_map` runs from now on, in this process only."""
    _engine.set(engine)


def uses_cluster() -> bool:
    """Whether `ordered_map` runs on a cluster when no number of processes is given."""
    return _engine.get().name == "ray"


def cores() -> int:
    """Number of CPU cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def library_threads() -> int:
    """Threads that a library may use: one in a worker process, since the others use the remaining cores."""
    return 1 if _function else cores()


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit torch to one thread inside the block.

    Results then do not depend on the number of cores, and on one small picture thread synchronization costs more than
    it gains.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ordered_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    workers: int | None = None,
    preload: Sequence[str] = (),
    folders: Sequence[Path] | None = None,
    gpu: bool = False,
    one_by_one: bool = False,
) -> Iterator[Result]:
    """Map a function over items on all cores or on a cluster (`use_engine`), with a progress bar.

    Args:
        function: Importable (not a lambda), or a picklable object with `__call__`. It must not depend on the order
            of its calls. An exception aborts the map.
        items: Arguments, one per call.
        label: Label of the progress bar.
        workers: Number of local processes; 1 runs in this process. Default: all cores, or the cluster.
        preload: Modules that are expensive to import. They are imported once for all workers if the system can fork.
        folders: Folders that the function reads or writes and that cluster nodes must share; None for the current one.
        gpu: Whether each worker needs its own GPU, if the cluster has any. On this machine the function selects one.
        one_by_one: Whether to send items one at a time, for items that take seconds. A lost node then costs one item,
            and nodes that join later get work, too.

    Yields:
        Results in the order of `items`.
    """
    if workers is None and items and uses_cluster():
        from facade.cluster import on_cluster

        results = on_cluster(function, items, _engine.get().address, folders, gpu, one_by_one)
        yield from tqdm(results, label, len(items), mininterval=1)
        return
    workers = min(workers or cores(), max(1, len(items)))
    if workers == 1:
        yield from tqdm(map(function, items), label, len(items), mininterval=1)
        return
    # Imported here: a run in this process needs neither.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Workers are not forked from this process: OpenCV and torch hold threads, and forking them can deadlock. A fork
    # server that has only imported modules has no threads yet.
    forks = bool(preload) and "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload(list(preload))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_initialize, initargs=(function,)) as pool:
        chunk = 1 if one_by_one else max(1, min(16, len(items) // (4 * workers)))
        yield from tqdm(pool.map(_call, items, chunksize=chunk), label, len(items), mininterval=1)


def _initialize(function: Callable[[Any], Any]) -> None:
    """Set up a worker. The function is sent once per worker: it can hold the labels of many photographs."""
    cv2.setNumThreads(1)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _function.append(function)


def _exit_with_parent() -> None:
    """Exit when the parent process is gone: an orphan would write into the output of the next run."""
    import multiprocessing

    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _call(item: Any) -> Any:
    return _function[0](item)
