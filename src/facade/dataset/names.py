"""File names of stored photographs: golden ones keep their own, training ones get neutral names."""

import csv
import hashlib
import re
from pathlib import Path, PurePath, PurePosixPath

# Original names of the training photographs. It is stored beside the untreated photographs, and nowhere else.
NAMES = "names.csv"
NEUTRAL = re.compile(r"[0-9a-f]{16}\.jpg")


def stored_name(name: str) -> str:
    """The stored name of a golden photograph: its original name with the suffix .jpg.

    Official evaluations identify photographs by name.

    >>> stored_name("0--Parade/a.JPEG"), stored_name("b.png")
    ('0--Parade/a.jpg', 'b.png.jpg')
    """
    path = PurePosixPath(name.replace("\\", "/"))
    kept = [part for part in path.parts if part not in ("/", "..", ".")]
    clean = PurePosixPath(*kept)
    if clean.suffix.lower() in (".jpg", ".jpeg"):
        return str(clean.with_suffix(".jpg"))
    return f"{clean}.jpg"


def neutral_name(name: str, content: bytes) -> str:
    """The stored name of a training photograph: it reveals neither person nor place, and cannot be guessed.

    Args:
        name: The original name.
        content: The source file, without which the name cannot be computed.
    """
    digest = hashlib.sha256(hashlib.sha256(content).digest() + name.encode())
    return f"{digest.hexdigest()[:16]}.jpg"


def is_neutral(name: PurePath) -> bool:
    """Whether a stored name has the form that `neutral_name` returns."""
    return NEUTRAL.fullmatch(name.as_posix()) is not None


def events_of(root: Path) -> dict[str, str]:
    """The event of each training photograph by stored name: the folder that it came from, if it was in one.

    Args:
        root: The training photographs, with `names.csv`. Without this file no event is known.
    """
    if not (root / NAMES).is_file():
        return {}
    with (root / NAMES).open(newline="", encoding="utf-8") as text:
        folders = {row["stored"]: PurePosixPath(row["photograph"]).parent.as_posix() for row in csv.DictReader(text)}
    return {stored: folder for stored, folder in folders.items() if folder != "."}


def printable(name: str) -> str:
    """A name that can be encoded as UTF-8: lone surrogates, which JSON and tars may hold, are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
