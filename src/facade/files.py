"""Files that are never half-written: write beside the final name, then rename."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facade.errors import FacadeError
from facade.storage import Place, make_parents, reaching


@contextmanager
def whole_directory(final: Path, go_on: str | None = None) -> Iterator[Path]:
    """A directory to fill, which appears under its final name when, and only when, the block succeeds.

    Args:
        final: Where the directory is to be. What stood there before is replaced.
        go_on: Names what the directory is made from. What a block that was stopped had written is then kept, and is
            there again for the next of the same name. None keeps nothing.

    Yields:
        A directory beside `final`, empty but for what is kept. It is removed if the block raises, if nothing is kept.
    """
    beside = final.with_name(f".{final.name}.partial")
    mark = beside / ".made-from"
    if go_on is None or not (mark.is_file() and mark.read_text() == go_on):
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        if go_on is not None:
            write_text(mark, go_on)
    try:
        yield beside
        mark.unlink(missing_ok=True)
        if final.exists():
            shutil.rmtree(final)
        beside.rename(final)
    finally:
        if go_on is None:
            shutil.rmtree(beside, ignore_errors=True)


def write_bytes(path: Place, content: bytes) -> None:
    """Write a file whole: beside its final name first, then renamed over it."""
    if not isinstance(path, Path):
        path.write_bytes(content)  # an object is there when all of it has come
        return
    make_parents(path)
    beside = path.with_name(f".{path.name}.partial")
    beside.write_bytes(content)
    beside.replace(path)


def write_text(path: Place, text: str) -> None:
    """`write_bytes` for text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Place, value: Any) -> None:
    """Write JSON that reads well in a diff: indented, keys in the order given, a newline at the end."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sha256_of(path: Place) -> str:
    """The sha256 of a file, which may be large."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: Place) -> Any:
    """Read a JSON file.

    Raises:
        FacadeError: The file is missing, or is no JSON.
    """
    try:
        with reaching():
            return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing. Run `dvc repro`, or check the path.") from None
    except OSError as error:
        raise FacadeError(
            f"{path} cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, or a number of thousands of digits
        raise FacadeError(f"{path} is not readable as JSON ({error}). Mend or replace the file.") from None
