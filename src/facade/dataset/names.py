"""Names of stored photographs: golden ones keep their own, training ones get names that tell nothing."""

import hashlib
import re
from pathlib import PurePath, PurePosixPath

NEUTRAL = re.compile(r"[0-9a-f]{16}\.jpg")


def stored_name(name: str) -> str:
    """The name under which a golden photograph is kept: the data set's own, ending in .jpg.

    Official evaluations find photographs by it.

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
    """The name under which a training photograph is kept: it tells nobody who was where, and cannot be guessed.

    Args:
        name: The data set's own.
        content: The source file, without which the name cannot be made.
    """
    digest = hashlib.sha256(hashlib.sha256(content).digest() + name.encode())
    return f"{digest.hexdigest()[:16]}.jpg"


def is_neutral(name: PurePath) -> bool:
    """Whether a stored name is one that `neutral_name` gives."""
    return NEUTRAL.fullmatch(name.as_posix()) is not None


def printable(name: str) -> str:
    """A name that can be written, with escapes for halves of characters, which JSON and tars may hold."""
    return name.encode("utf-8", "backslashreplace").decode()
