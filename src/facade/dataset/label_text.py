"""Reading label files as text: byte order marks, line endings of any system, and numbers."""

import codecs
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facade.errors import FacadeError

# Windows programs mark their text files; PowerShell writes UTF-16.
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_label_text(path: Path) -> str:
    """The text of a label file: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        FacadeError: The file is missing or is not text.
    """
    try:
        content = path.read_bytes()
        encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
        return content.decode(encoding)
    except FileNotFoundError:
        raise FacadeError(
            f"{path} is missing, but the layout of the data set requires it. Check ingest.path."
        ) from None
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except UnicodeDecodeError:
        raise FacadeError(f"{path} is not UTF-8 text. Replace it with the original label file.") from None


def read_label_lines(path: Path) -> list[str]:
    """The lines of a label file; see `read_label_text`."""
    return read_label_text(path).splitlines()


def read_label_json(path: Path) -> Any:
    """The content of a label file in JSON; see `read_label_text`.

    Raises:
        FacadeError: The file is missing, or is not JSON.
    """
    try:
        return json.loads(read_label_text(path))
    except (ValueError, RecursionError) as error:  # no JSON, or a number of thousands of digits
        raise FacadeError(f"{path} is not valid JSON ({error}). Fix or replace the file.") from None


def finite_numbers(words: Sequence[str]) -> list[float] | None:
    """The numbers that words spell, or None if one of them is no finite number."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None
