"""Atomic file and directory writes: write under a temporary name, then rename."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facade.errors import FacadeError
from facade.storage import AnyPath, atomic_file, make_parents, storage_errors


@contextmanager
def atomic_directory(final: Path, resume_key: str | None = None) -> Iterator[Path]:
    """Write a directory that appears under its final name only if the block succeeds.

    Until then no other user can read it: a killed process leaves it behind, and it may hold untreated photographs.

    Args:
        final: Final path. An existing directory is replaced.
        resume_key: Identifies the inputs of the directory. If the block is interrupted, its partial output is kept, and
            the next call with the same key resumes from it. None keeps no partial output.

    Yields:
        A temporary directory in a folder next to `final`, empty except for resumed output. Without a key it is removed
        if the block raises.
    """
    partial = _partial(final)
    temporary, key_file = partial / "content", partial / "made-from"
    if resume_key is None or not (key_file.is_file() and key_file.read_text() == resume_key):
        remove_partial(final)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=0o700)
        temporary.mkdir()
        if resume_key is not None:
            write_text(key_file, resume_key)
    try:
        yield temporary
        if final.exists():
            final.rename(partial / "replaced")  # a killed process leaves no directory of which a part is removed
        temporary.rename(final)
        remove_partial(final)
    finally:
        if resume_key is None:
            remove_partial(final)


@contextmanager
def scratch_directory(path: Path) -> Iterator[Path]:
    """An empty directory that no other user can read, and that is removed at the end of the block.

    If the process is killed, the next call with the same path removes what it left.
    """
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove_partial(final: Path) -> None:
    """Remove what a killed `atomic_directory` left of a directory."""
    shutil.rmtree(_partial(final), ignore_errors=True)


def _partial(final: Path) -> Path:
    return final.with_name(f".{final.name}.partial")


def write_empty_directory(path: Path) -> None:
    """Write a directory without content: the output of a stage that has nothing to do."""
    with atomic_directory(path):
        pass


def is_empty_directory(path: Path) -> bool:
    """Whether a directory was written by `write_empty_directory`."""
    return path.is_dir() and not any(path.iterdir())


def write_bytes(path: AnyPath, content: bytes) -> None:
    """Write a file atomically."""
    if not isinstance(path, Path):
        path.write_bytes(content)  # object storage uploads atomically
        return
    make_parents(path)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: AnyPath, text: str) -> None:
    """`write_bytes` for text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: AnyPath, value: Any) -> None:
    """Write JSON with readable diffs: indented, keys in insertion order, trailing newline."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sha256_of(path: AnyPath) -> str:
    """The sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: AnyPath) -> Any:
    """Read a JSON file.

    Raises:
        FacadeError: The file is missing, unreadable, or not JSON.
    """
    try:
        with storage_errors():
            return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing. Run `dvc repro`, or check the path.") from None
    except OSError as error:
        raise FacadeError(
            f"{path} cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, or a number of thousands of digits
        raise FacadeError(f"{path} is not valid JSON ({error}). Fix or replace the file.") from None
