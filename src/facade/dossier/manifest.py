"""The manifest of a dossier: the SHA-256 of every file, in the form that `sha256sum --check` reads."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from facade.dataset.names import printable
from facade.errors import FacadeError
from facade.files import sha256_of

MANIFEST, SIGNATURE, PUBLIC_KEY = "MANIFEST", "MANIFEST.sig", "public-key.pem"
# These cannot name themselves: the manifest is covered by the signature, which is checked with the key.
UNLISTED = frozenset({MANIFEST, SIGNATURE})
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9@._-]+(?:/[A-Za-z0-9@._-]+)*)")


def manifest_text(folder: Path) -> str:
    """The manifest of a folder: a line `<sha256>  <file>` for each file but itself, sorted by name."""
    return "".join(f"{sha256_of(folder / name)}  {name}\n" for name in sorted(_names(folder) - UNLISTED))


def parse_manifest(content: bytes) -> dict[str, str]:
    """The SHA-256 of each file.

    Only the one form that `manifest_text` writes is accepted, so that no byte of a manifest can change unnoticed.

    Raises:
        FacadeError: The text is no manifest.
    """
    files: dict[str, str] = {}
    text = content.decode("latin-1")  # every byte is a character; what is not ASCII fits no line
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = LINE.fullmatch(line)
        if match is None or ".." in match[2].split("/"):
            raise FacadeError(f"{MANIFEST} is altered: line {number} is not `<sha256>  <file>`")
        if files and match[2] <= max(files):
            raise FacadeError(f"{MANIFEST} is altered: line {number} is out of order")
        files[match[2]] = match[1]
    if not text.endswith("\n"):
        raise FacadeError(f"{MANIFEST} is altered: it does not end with a line")
    return files


def differences(folder: Path, listed: dict[str, str]) -> list[str]:
    """What a folder holds other than its manifest says, as clauses that each name a file.

    Raises:
        OSError: A file cannot be read.
    """
    found = _names(folder)
    clauses = [f"{printable(name)} is not in the {MANIFEST}: it was added" for name in found - set(listed) - UNLISTED]
    for name, sha256 in listed.items():
        path = folder / name
        if name not in found:
            clauses.append(f"{name} is missing")
        elif path.is_symlink() or not path.is_file():
            clauses.append(f"{name} is no plain file")
        elif sha256_of(path) != sha256:
            clauses.append(f"{name} is altered")
    return sorted(clauses)


def _names(folder: Path) -> set[str]:
    """Everything below a folder but folders that hold something; links are not followed."""
    return {path.relative_to(folder).as_posix() for path in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False):
            yield path
        elif any(os.scandir(path)):
            yield from _walk(path)
        else:
            yield path
