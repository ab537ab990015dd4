"""Photographs that several entries of the labels name, and golden photographs whose stored names would collide."""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from facade.dataset.names import stored_name
from facade.dataset.records import Labelled, Split


@dataclass(frozen=True)
class Rejected:
    """A rejected photograph.

    Attributes:
        name: Its name in the data set.
        reason: Why it is rejected.
        labels: Number of annotations of faces that the labels give for it.
    """

    name: str
    reason: str
    labels: int = 0


def rejected(labelled: Labelled, reason: str) -> Rejected:
    """The rejection of a labelled photograph."""
    return Rejected(labelled.name, reason, len(labelled.faces) + len(labelled.without_box))


def golden_name(labelled: Labelled) -> str:
    """The stored name of a golden photograph."""
    return labelled.stored_as or stored_name(labelled.name)


def reject_duplicates(labelled: Sequence[Labelled]) -> list[Labelled | Rejected]:
    """Reject photographs that are listed twice in a split, because it is unknown which labels are right.

    Different photographs whose stored names would be equal (`a.jpg` and `a.jpeg`, or files of one name in two folders)
    get different ones.
    """
    files = Counter((entry.split, _file(entry)) for entry in labelled)
    stored = Counter((entry.split, golden_name(entry).lower()) for entry in labelled if _is_single(entry, files))
    result: list[Labelled | Rejected] = []
    for entry in labelled:
        if not _is_single(entry, files):
            result.append(rejected(entry, "its name occurs twice in the labels"))
        elif stored[entry.split, golden_name(entry).lower()] > 1:
            result.append(replace(entry, stored_as=_distinct(entry)))
        else:
            result.append(entry)
    return result


def _is_single(entry: Labelled, files: Counter[tuple[Split | None, str]]) -> bool:
    return files[entry.split, _file(entry)] == 1


def _file(entry: Labelled) -> str:
    """The path of a photograph, equal for every spelling of it in the labels."""
    return posixpath.normpath(f"{entry.folder.as_posix()}/{entry.name}")


def _distinct(entry: Labelled) -> str:
    """A stored name with a digest of the original one: the last two folders tell equal names apart."""
    path = PurePosixPath(stored_name(entry.name))
    digest = hashlib.sha256("/".join([*entry.folder.parts[-2:], entry.name]).encode("utf-8", "backslashreplace"))
    return str(path.with_name(f"{path.stem}-{digest.hexdigest()[:8]}.jpg"))
