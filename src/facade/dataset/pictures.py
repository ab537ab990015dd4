"""Finding the file that a label names: separators of Windows, accents in either form, and endings in either case."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

# Endings of pictures, whether or not they can be decoded.
SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .tif .tiff .bmp .gif .heic .heif .avif .jp2".split()  # noqa: SIM905
)


def list_pictures(folder: Path) -> list[Path]:
    """All files below a folder whose ending is one of a picture, sorted by their path."""
    return sorted(path for path in _walk(folder) if path.suffix.lower() in SUFFIXES)


def spelled_alike(name: str) -> str:
    r"""A key that is equal for all spellings of a file name that systems and tools exchange.

    >>> spelled_alike("e\\Cafe\u0301.JPG") == spelled_alike("./e/Caf\u00e9.jpg")
    True
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(parts)).casefold()


class PictureFinder:
    """Finds labelled files in folders. Lists a folder at most once, and only if a name is not found as it is."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, folders: Sequence[Path], name: str) -> tuple[Path, str] | None:
        """The first folder that holds a file, and the file's name there; None if no folder holds it.

        The name as it stands comes before other spellings of it. A spelling that several files share is not used.
        """
        try:
            for folder in folders:
                if (folder / name).is_file():
                    return folder, name
        except (OSError, ValueError):  # an impossible file name; ingest reports it
            return None
        key = spelled_alike(name)
        if key.startswith("../") or "/../" in key or Path(name).is_absolute():
            return None
        for folder in folders:
            spellings = self._spellings(folder).get(key, [])
            if len(spellings) > 1:
                ending = Path(name.replace("\\", "/")).with_suffix("").as_posix()
                spellings = [one for one in spellings if Path(one).with_suffix("").as_posix() == ending]
            if len(spellings) == 1:
                return folder, spellings[0]
        return None

    def find_stem(self, folders: Sequence[Path], stem: str) -> tuple[Path, str] | None:
        """The only picture that is called so apart from its ending, which some formats leave out."""
        for folder in folders:
            names = [self._spellings(folder).get(spelled_alike(f"{stem}{suffix}"), []) for suffix in sorted(SUFFIXES)]
            found = [name for spellings in names for name in spellings]
            if len(found) == 1:
                return folder, found[0]
        return None

    def _spellings(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            listed: dict[str, list[str]] = {}
            for path in sorted(_walk(folder)):
                name = path.relative_to(folder).as_posix()
                listed.setdefault(spelled_alike(name), []).append(name)
            self._listed[folder] = listed
        return self._listed[folder]


def _walk(folder: Path) -> Iterator[Path]:
    """All files below a folder. Links to files count; links to folders are not followed, so that circles end."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)
