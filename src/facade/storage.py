"""Local files and objects in storage (`s3://bucket/key`) through one interface."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, TypeAlias

from facade.errors import FacadeError

# A local path, or an object that fsspec (https://filesystem-spec.readthedocs.io) reads and writes.
if TYPE_CHECKING:
    from upath import UPath

    AnyPath: TypeAlias = Path | UPath
else:
    AnyPath = Path  # UPath is imported where an object is named: fsspec takes a tenth of a second to import
# Storage clients, whose exceptions mean that the storage is unreachable or refuses the request.
_CLIENTS = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google")

# How names of temporary files begin.
WRITING = ".writing-"


def to_path(text: str) -> AnyPath:
    """Parse a path: local, or in storage if `text` contains `://`.

    Raises:
        FacadeError: The protocol is not supported, or its client is not installed.
    """
    if "://" not in text:
        return Path(text)
    from upath import UPath

    try:
        # Cluster nodes write concurrently, so listings must not be cached.
        path = UPath(text, use_listings_cache=False)
        path.fs  # noqa: B018  the client is created on first access
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise FacadeError(f"{text} cannot be accessed: {error}. Use a local path or s3://.") from None
    return path if path.protocol not in ("", "file", "local") else Path(path.path)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Convert exceptions of storage clients (unreachable, access denied) into OSError."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise OSError(f"the storage request failed ({str(error)[:200]})") from error


def canonical_uri(path: AnyPath) -> str:
    """The canonical text of a path, equal for every spelling of the same location."""
    if isinstance(path, Path):
        return str(path.resolve())
    return str(path.fs.unstrip_protocol(path.path)).rstrip("/")  # s3a:// is s3://


def is_within(path: AnyPath, folder: AnyPath) -> bool:
    """Whether a path is the folder itself or lies below it."""
    return f"{canonical_uri(path)}/".startswith(f"{canonical_uri(folder)}/")


def escapes_folder(name: str) -> bool:
    """Whether a relative name escapes its folder. Object keys and archive members can be arbitrary text."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def list_files(folder: AnyPath) -> list[tuple[AnyPath, str]]:
    """All files below a folder with their relative names (forward slashes), sorted by name.

    Links to folders are followed, each folder once.

    Raises:
        OSError: A folder cannot be read.
    """
    if not isinstance(folder, Path):
        start = folder.path.rstrip("/") + "/"
        names = [key.removeprefix(start) for key in folder.fs.find(folder.path)]
        # Some tools mark a folder with an empty object.
        return [(folder / name, name) for name in sorted(names) if name and not name.endswith("/")]
    return [(path, path.relative_to(folder).as_posix()) for path in sorted(_walk(folder)) if path.is_file()]


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder, broken links included. Links to folders are followed.

    No folder is visited twice: not one that two links lead to, nor one that contains the link. Of two names for a
    folder, the one without a link counts.

    Raises:
        OSError: A folder cannot be read.
    """
    visited: set[tuple[int, int]] = set()
    queue, links = [folder], list[Path]()
    while queue or links:
        current = queue.pop() if queue else links.pop(0)
        status = current.stat()
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        for path in sorted(current.iterdir()):
            if not path.is_dir():
                yield path
            elif path.is_symlink():
                links.append(path)
            else:
                queue.append(path)


def broken_links(folder: AnyPath) -> list[Path]:
    """Links below a folder that lead nowhere."""
    if not isinstance(folder, Path) or not folder.is_dir():
        return []
    return sorted(path for path in _walk(folder) if path.is_symlink() and not path.exists())


@contextmanager
def atomic_file(final: AnyPath) -> Iterator[Path]:
    """Write a file that appears under its final name only if the block succeeds.

    What a killed process left in the folder is removed.

    Yields:
        A temporary local path: next to `final`, or in a temporary folder if `final` is an object. Removed afterwards.
    """
    with ExitStack() as stack:
        if isinstance(final, Path):
            _remove_abandoned(final.parent.absolute())
            temporary = final.with_name(f"{WRITING}{os.getpid()}.{final.name}")
            stack.callback(temporary.unlink, missing_ok=True)
            stack.enter_context(_locked(temporary))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facade-"))
            temporary = Path(folder) / final.name
        yield temporary
        if isinstance(final, Path):
            temporary.replace(final)
        else:
            final.fs.put_file(str(temporary), final.path)  # object storage uploads atomically


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Create a file, and lock it: the system unlocks it when this process ends, however it ends."""
    with path.open("wb") as file:
        with suppress(OSError):  # a file system without locks; there, nothing is taken for abandoned
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@cache
def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder; once per process, as folders can be large."""
    for path in folder.glob(f"{WRITING}*"):
        with suppress(OSError), path.open("rb") as file:  # locked: it is being written; or another process removed it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def av_name(path: Path) -> str:
    """A local file name as FFmpeg takes it: absolute, because it takes what precedes a colon for a protocol."""
    return str(path.absolute())


@contextmanager
def open_for_av(path: AnyPath) -> Iterator[str | IO[bytes]]:
    """A file as PyAV opens it: a local file name, or a seekable stream for an object. No copy is made."""
    if isinstance(path, Path):
        yield av_name(path)
    else:
        with path.open("rb") as content:
            yield content


def make_parents(path: AnyPath) -> None:
    """Create the parent folders of a local file; object storage has no folders."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)


def remove_tree(folder: AnyPath) -> None:
    """Remove a folder and everything below it, if it exists."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        folder.fs.rm(folder.path, recursive=True)
