"""Work spread over a Ray cluster by Ray Data: the results of one machine, in the same order, from many."""

import logging
import os
import pickle
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from facade.code_hash import code_hash
from facade.errors import FacadeError
from facade.storage import reaching

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items in a shard, at the most. A node that is lost costs the shards that it worked on, which others do again.
SHARD = 100
# Shards for each core that is there now: more than one, so that fast nodes take over from slow ones.
SHARDS_A_CORE = 4
# Set by Ray where the process is a job that was submitted to it.
SUBMITTED = "RAY_JOB_CONFIG_JSON_ENV_VAR"
# Seconds without an answer after which a cluster is given up.
PATIENCE = 20


def on_cluster(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    address: str | None,
    places: Sequence[Path] | None = None,
    gpu: bool = False,
    heavy: bool = False,
) -> Iterator[Result]:
    """Call a function on every item, on the nodes of a Ray cluster.

    Nodes run the code that this process runs, under the same path: in a folder that all see (a shared filesystem), in
    copies that Ray has sent to them (`ray job submit --working-dir`), or in those of an image. Folders that the
    function reads or writes must be the very ones of this process.

    A shard that a lost node had begun is done again from its start, so that a function which writes files must write
    the same ones each time.

    Args:
        function: Importable, or a picklable object with `__call__`. It must not depend on the order of its calls.
        items: What to call it on.
        address: The cluster's ("auto" or "host:6379", from a machine that belongs to it); None starts one on this
            machine, which ends with the process.
        places: Folders that the function reads or writes; None for the current one.
        gpu: Whether it wants a GPU to itself, if the cluster has any.
        heavy: Whether each item is sent alone.

    Yields:
        Results in the order of `items`, as shards are done.

    Raises:
        FacadeError: Ray is not installed, the cluster cannot be reached, a node does not see the folder; or the
            function raised one.
    """
    ray = _connected(address)
    import pyarrow

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
    size = 1 if heavy else max(1, min(SHARD, len(items) // (SHARDS_A_CORE * cores)))
    shards = [
        pyarrow.table({"item": pyarrow.array([pickle.dumps(item) for item in items[start : start + size]], "binary")})
        for start in range(0, len(items), size)
    ]
    folders = [str(path.resolve()) for path in ((Path(),) if places is None else places)]
    work = {
        "function": pickle.dumps(function),
        "home": str(Path().resolve()),
        "code": code_hash(),
        "folders": {folder: _identity(folder) for folder in folders},
    }
    gpus = 1 if gpu and ray.cluster_resources().get("GPU") else None
    done = ray.data.from_arrow(shards).map_batches(
        _work, batch_size=None, batch_format="pyarrow", fn_kwargs=work, num_gpus=gpus
    )
    for table in done.iter_batches(batch_size=None, batch_format="pyarrow"):
        for content in table["answer"]:
            fault, answer = pickle.loads(content.as_py())  # noqa: S301  written by `_work`
            if fault is not None:
                raise fault
            yield answer


def _identity(folder: str) -> int | None:
    """What tells a folder from another of the same name on another machine: its number in its filesystem."""
    try:
        return Path(folder).stat().st_ino
    except OSError:
        return None


def _work(table: Any, function: bytes, home: str, code: str, folders: Mapping[str, int | None]) -> Any:
    """Do a shard, on a node. Faults that people can mend come back as answers, others with Ray's own traceback."""
    import cv2
    import pyarrow

    cv2.setNumThreads(1)
    answers: list[tuple[Exception | None, Any]]
    node = os.uname().nodename
    unseen = [folder for folder, identity in folders.items() if _identity(folder) != identity]
    if unseen:
        fault = (
            f"{node} of the Ray cluster does not see {unseen[0]}, or another folder of that name. Nodes need it under "
            "the same path, on a shared filesystem; or let all photographs lie in storage (docs/scale.md)."
        )
        answers = [(FacadeError(fault), None)] * len(table)
    elif code_hash() != code:
        fault = f"{node} of the Ray cluster has another version of Facade. Give all nodes the same image, or code."
        answers = [(FacadeError(fault), None)] * len(table)
    else:
        call = pickle.loads(function)  # noqa: S301  written by `on_cluster`
        if Path(home).is_dir():
            os.chdir(home)
        answers = [_answer(call, pickle.loads(item.as_py())) for item in table["item"]]  # noqa: S301
    return pyarrow.table({"answer": pyarrow.array(map(pickle.dumps, answers), "large_binary")})


def _answer(call: Callable[[Any], Any], item: Any) -> tuple[Exception | None, Any]:
    try:
        with reaching():
            return None, call(item)
    except FacadeError as error:
        return FacadeError(str(error)), None
    except OSError as error:
        return OSError(error.errno, error.strerror or str(error)), None


@contextmanager
def _without_secrets() -> Iterator[None]:
    """Hide FACADE_KEY, and where it is, from processes that are started inside."""
    hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("FACADE_KEY")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _connected(address: str | None) -> Any:
    # Nobody is told that Facade runs.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise FacadeError(
            "engine.name is ray, and Ray is not installed: `pip install -r requirements-ray.txt`, or set it to local."
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        return ray
    # Nodes import what this process imports; a job that was submitted to Ray says itself what its nodes do.
    imports = {"PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)}
    where = None if SUBMITTED in os.environ else {"env_vars": imports}
    # A job that was submitted is told so where its cluster is.
    address = address or os.environ.get("RAY_ADDRESS")
    # A dashboard would come with a cluster that is started here, and nobody would look at it.
    started: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        if address is not None and (place := re.fullmatch(r"([^/]+):(\d+)", address)):
            # Ray itself tries for minutes.
            socket.create_connection((place[1], int(place[2])), PATIENCE).close()
        with _without_secrets():
            ray.init(address or "local", runtime_env=where, log_to_driver=False, logging_level=logging.ERROR, **started)
    except (OSError, ValueError, RuntimeError) as error:
        raise FacadeError(
            f"the Ray cluster at engine.address {address} cannot be reached ({error}). Is it up?"
        ) from None
    return ray
