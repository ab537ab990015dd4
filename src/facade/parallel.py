"""Work spread over processes: results in the order of the items, whichever worker is done first."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from facade.params import Engine

Item = TypeVar("Item")
Result = TypeVar("Result")


# What this process does, where it is a worker.
_given: list[Callable[[Any], Any]] = []
# What `in_order` spreads work over.
_engine: ContextVar[Engine] = ContextVar("engine", default=Engine(name="local", address=None))  # noqa: B039  frozen


def work_on(engine: Engine) -> None:
    """Settle what `in_order` spreads work over, from here on and in this process alone."""
    _engine.set(engine)


def elsewhere() -> bool:
    """Whether `in_order` works on a cluster where it is not told how many processes to take."""
    return _engine.get().name == "ray"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch works on one thread inside.

    Sums come out the same whatever the number of cores, and threads on one small picture wait for each other more than
    they work.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_order(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    workers: int | None = None,
    shared: Sequence[str] = (),
    places: Sequence[Path] | None = None,
    gpu: bool = False,
    heavy: bool = False,
) -> Iterator[Result]:
    """Call a function on every item, on all cores or on a cluster (`work_on`), with a progress bar.

    Args:
        function: Importable (not a lambda), or a picklable object with `__call__`. It must not depend on the order
            of its calls. An exception ends the whole.
        items: What to call it on, one by one.
        label: What the progress bar says.
        workers: Number of processes on this machine; 1 works in this one. Default: all cores, or the cluster.
        shared: Modules that take much memory and time to import: once for all workers, where the system can fork.
        places: Folders that the function reads or writes, which nodes of a cluster must see; None for the current one.
        gpu: Whether it wants a GPU to itself, where a cluster has some. On this machine it looks for itself.
        heavy: Whether an item is seconds of work, so that each is sent alone: it is what a lost node costs, and as many
            nodes can work as there are items, also such as come later.

    Yields:
        Results in the order of `items`.
    """
    if workers is None and items and elsewhere():
        from facade.cluster import on_cluster

        done = on_cluster(function, items, _engine.get().address, places, gpu, heavy)
        yield from tqdm(done, label, len(items), mininterval=1)
        return
    workers = min(workers or cores(), max(1, len(items)))
    if workers == 1:
        yield from tqdm(map(function, items), label, len(items), mininterval=1)
        return
    # Not forked off this process: OpenCV and torch keep threads, and a fork in the middle of them may hang. A server
    # that has imported modules, and done nothing with them, has no threads yet.
    forks = bool(shared) and "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload(list(shared))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(function,)) as pool:
        chunk = 1 if heavy else max(1, min(16, len(items) // (4 * workers)))
        yield from tqdm(pool.map(_do, items, chunksize=chunk), label, len(items), mininterval=1)


def _begin(function: Callable[[Any], Any]) -> None:
    """The begin of a worker's life. What it does is sent to it once: with labels of many photographs, that is much."""
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _given.append(function)


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone: it would write where another begins anew."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _do(item: Any) -> Any:
    return _given[0](item)
