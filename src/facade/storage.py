"""Files on this machine, and objects in storage (`s3://bucket/key`), by the same calls."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from upath import UPath

from facade.errors import FacadeError

# What fsspec (https://filesystem-spec.readthedocs.io) reads and writes, and files of this machine.
Place: TypeAlias = Path | UPath
# Packages that speak to storage, whose exceptions say that it cannot be reached, or refuses.
_SPEAKERS = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google")


def place(text: str) -> Place:
    """A path of this machine, or where `text` has `://`, one in storage.

    Raises:
        FacadeError: Nothing here speaks to storage of that kind.
    """
    if "://" not in text:
        return Path(text)
    try:
        # Nodes of a cluster write side by side: what is there is asked of the storage each time.
        found = UPath(text, use_listings_cache=False)
        found.fs  # noqa: B018  made when it is first asked for
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise FacadeError(f"{text} cannot be reached: {error}. s3:// and paths always can.") from None
    return found if found.protocol not in ("", "file", "local") else Path(found.path)


@contextmanager
def reaching() -> Iterator[None]:
    """Turn what packages raise when storage cannot be reached, or refuses, into an OSError."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _SPEAKERS:
            raise
        raise OSError(f"storage does not answer as it should ({str(error)[:200]})") from error


def identity(path: Place) -> str:
    """One text for one place, however it is written."""
    if isinstance(path, UPath):
        return str(path.fs.unstrip_protocol(path.path)).rstrip("/")  # s3a:// is s3://
    return str(path.resolve())


def is_within(path: Place, folder: Place) -> bool:
    """Whether a path is a folder, or below it."""
    return f"{identity(path)}/".startswith(f"{identity(folder)}/")


def leads_out(name: str) -> bool:
    """Whether a name below a folder leads out of it: keys of objects, and names in archives, are any text."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def files_below(folder: Place) -> list[tuple[Place, str]]:
    """All files below a folder, and their names from there, with forward slashes; sorted by name."""
    if isinstance(folder, UPath):
        start = folder.path.rstrip("/") + "/"
        names = [found.removeprefix(start) for found in folder.fs.find(folder.path)]
        # Some tools mark a folder by an empty object.
        return [(folder / name, name) for name in sorted(names) if name and not name.endswith("/")]
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path, path.relative_to(folder).as_posix()) for path in found]


@contextmanager
def whole_file(final: Place) -> Iterator[Path]:
    """A file of this machine to write, which appears under its final name when, and only when, the block succeeds.

    Yields:
        Where to write: beside `final`, or for an object in a temporary folder. It is gone afterwards.
    """
    with ExitStack() as stack:
        if isinstance(final, Path):
            beside = final.with_name(f".writing-{os.getpid()}.{final.name}")
            stack.callback(beside.unlink, missing_ok=True)
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facade-"))
            beside = Path(folder) / final.name
        yield beside
        if isinstance(final, Path):
            beside.replace(final)
        else:
            final.fs.put_file(str(beside), final.path)  # an object is there when all of it has come


@contextmanager
def readable(path: Place) -> Iterator[str | IO[bytes]]:
    """A file as FFmpeg takes one: its name, or for an object, something to read from and seek in; no copy is made."""
    if isinstance(path, Path):
        yield str(path)
    else:
        with path.open("rb") as content:
            yield content


def make_parents(path: Place) -> None:
    """Make the folder that a file is to lie in; storage has none to make."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)


def remove(folder: Place) -> None:
    """Remove a folder and all below it, if it is there."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():
        folder.fs.rm(folder.path, recursive=True)
