"""The mark of photographs of nobody. It holds for the files that it was made for, and for no others."""

import hashlib
from pathlib import Path

# Written by the demo stage into its data set. It says that nobody in the photographs is real.
SYNTHETIC_MARK = "SYNTHETIC.txt"


def write_synthetic_marker(root: Path, notice: str) -> None:
    """Mark a data set as one in which nobody is real, once all of its files are written.

    Args:
        root: The data set.
        notice: What people read in the mark.
    """
    (root / SYNTHETIC_MARK).write_text(f"{notice.rstrip()}\nsha256 of all files: {_fingerprint(root)}\n")


def is_marked_synthetic(root: Path) -> bool:
    """Whether nobody in a data set is real: it bears the mark, and every file is the one that was marked.

    A mark that was copied along with a folder's layout says nothing of the photographs that came into it later.
    """
    mark = root / SYNTHETIC_MARK
    return mark.is_file() and mark.read_bytes().rstrip().endswith(_fingerprint(root).encode())


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name != SYNTHETIC_MARK:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
