"""Parallel map on a Ray cluster with Ray Data: the same results in the same order as on one machine."""

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
from facade.storage import storage_errors

Item = TypeVar("Item")
Result = TypeVar("Result")

# Maximum number of items in a batch. If a node is lost, other nodes redo the batches it was working on.
MAX_BATCH = 100
# Batches per core: more than one, so that fast nodes take work from slow ones.
BATCHES_PER_CORE = 4
# Ray sets this variable in submitted jobs.
JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
# Connection timeout, seconds.
TIMEOUT = 20


def on_cluster(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    address: str | None,
    folders: Sequence[Path] | None = None,
    gpu: bool = False,
    one_by_one: bool = False,
) -> Iterator[Result]:
    """Map a function over items on the nodes of a Ray cluster.

    Nodes must run the same code under the same path: on a shared filesystem, in copies that Ray distributes
    (`ray job submit --working-dir`), or in a container image. Folders that the function reads or writes must be on a
    shared filesystem.

    If a node is lost, its batch is redone from the start. A function that writes files must therefore be idempotent.

    Args:
        function: Importable, or a picklable object with `__call__`. It must not depend on the order of its calls.
        items: Arguments, one per call.
        address: Address of the cluster ("auto" or "host:6379", from a machine that belongs to it); None starts a local
            cluster that ends with the process.
        folders: Folders that the function reads or writes; None for the current one.
        gpu: Whether each worker needs its own GPU, if the cluster has any.
        one_by_one: Whether to send items one at a time.

    Yields:
        Results in the order of `items`, batch by batch.

    Raises:
        FacadeError: Ray is not installed, the cluster is unreachable, or a node does not see a folder. A FacadeError of
            the function is raised again.
    """
    ray = _connect(address)
    import pyarrow

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
    size = 1 if one_by_one else max(1, min(MAX_BATCH, len(items) // (BATCHES_PER_CORE * cores)))
    batches = [
        pyarrow.table({"item": pyarrow.array([pickle.dumps(item) for item in items[start : start + size]], "binary")})
        for start in range(0, len(items), size)
    ]
    resolved = [str(path.resolve()) for path in ((Path(),) if folders is None else folders)]
    work = {
        "function": pickle.dumps(function),
        "home": str(Path().resolve()),
        "code": code_hash(),
        "folders": {folder: _inode(folder) for folder in resolved},
    }
    gpus = 1 if gpu and ray.cluster_resources().get("GPU") else None
    results = ray.data.from_arrow(batches).map_batches(
        _run_batch, batch_size=None, batch_format="pyarrow", fn_kwargs=work, num_gpus=gpus
    )
    for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
        for content in table["result"]:
            error, result = pickle.loads(content.as_py())  # noqa: S301  written by `_run_batch`
            if error is not None:
                raise error
            yield result


def _inode(folder: str) -> int | None:
    """The inode of a folder. It differs for a folder of the same name on another machine."""
    try:
        return Path(folder).stat().st_ino
    except OSError:
        return None


def _run_batch(table: Any, function: bytes, home: str, code: str, folders: Mapping[str, int | None]) -> Any:
    """Run a batch on a node. User-facing errors are returned as results; others are raised with Ray's traceback."""
    import cv2
    import pyarrow

    cv2.setNumThreads(1)
    results: list[tuple[Exception | None, Any]]
    node = os.uname().nodename
    missing = [folder for folder, inode in folders.items() if _inode(folder) != inode]
    if missing:
        message = (
            f"{node} of the Ray cluster does not share {missing[0]} with this machine. Mount it on all nodes under the "
            "same path (shared filesystem), or keep all photographs in object storage (docs/scale.md)."
        )
        results = [(FacadeError(message), None)] * len(table)
    elif code_hash() != code:
        message = f"{node} of the Ray cluster runs another version of Facade. Use the same image or code on all nodes."
        results = [(FacadeError(message), None)] * len(table)
    else:
        call = pickle.loads(function)  # noqa: S301  written by `on_cluster`
        if Path(home).is_dir():
            os.chdir(home)
        results = [_result(call, pickle.loads(item.as_py())) for item in table["item"]]  # noqa: S301
    return pyarrow.table({"result": pyarrow.array(map(pickle.dumps, results), "large_binary")})


def _result(call: Callable[[Any], Any], item: Any) -> tuple[Exception | None, Any]:
    try:
        with storage_errors():
            return None, call(item)
    except FacadeError as error:
        return FacadeError(str(error)), None
    except OSError as error:
        return OSError(error.errno, error.strerror or str(error)), None


@contextmanager
def _without_secrets() -> Iterator[None]:
    """Hide FACADE_KEY and FACADE_KEY_FILE from processes that are started inside the block."""
    hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("FACADE_KEY")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _connect(address: str | None) -> Any:
    # No usage statistics are sent.
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
    # Nodes use the import path of this process. A submitted job configures its own runtime environment.
    imports = {"PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)}
    runtime_env = None if JOB_CONFIG in os.environ else {"env_vars": imports}
    # Ray sets RAY_ADDRESS in submitted jobs.
    address = address or os.environ.get("RAY_ADDRESS")
    # A local cluster needs no dashboard.
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        if address is not None and (match := re.fullmatch(r"([^/]+):(\d+)", address)):
            # Ray itself would retry for minutes.
            socket.create_connection((match[1], int(match[2])), TIMEOUT).close()
        with _without_secrets():
            ray.init(
                address or "local", runtime_env=runtime_env, log_to_driver=False, logging_level=logging.ERROR, **options
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise FacadeError(
            f"the Ray cluster at engine.address {address} is unreachable ({error}). Check that it is running."
        ) from None
    return ray
