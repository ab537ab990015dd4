"""The marker of synthetic data sets. It is valid only for the exact files that it was written for."""

import hashlib
from pathlib import Path

# The demo stage writes it into its data set. It states that the photographs show no real people.
SYNTHETIC_MARK = "SYNTHETIC.txt"


def write_synthetic_marker(root: Path, notice: str) -> None:
    """Mark a data set as synthetic, after all of its files are written.

    Args:
        root: The data set.
        notice: Text of the marker.
    """
    (root / SYNTHETIC_MARK).write_text(f"{notice.rstrip()}\nsha256 of all files: {_fingerprint(root)}\n")


def is_marked_synthetic(root: Path) -> bool:
    """Whether a data set is synthetic: it has the marker, and all files are unchanged since it was written.

    A marker that was copied with a folder does not cover photographs that were added later.
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
