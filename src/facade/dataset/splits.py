"""Which split a label file or a folder belongs to, by its name."""

from collections.abc import Iterable
from pathlib import Path

from facade.dataset.records import Split

# In the order in which they are looked for: "trainval" is training.
TRAIN = "train"
GOLDEN = ("golden", "val", "test")


def split_of(name: str) -> Split | None:
    """The split that a name names; None if it names none.

    Everything that is not training is golden, so that nothing is trained on that others hold out.

    >>> [split_of(name) for name in ("instances_train2017", "Validation", "test", "trainval", "default")]
    ['train', 'golden', 'golden', 'train', None]
    """
    word = split_word(name)
    return None if word is None else "train" if word == TRAIN else "golden"


def split_word(name: str) -> str | None:
    """The word in a name that names its split."""
    lower = name.lower()
    return next((word for word in (TRAIN, *GOLDEN) if word in lower), None)


# Why a photograph outside of all splits is refused in a data set that has them.
NO_SPLIT = "it is in no split, while other photographs are in one"


def has_both(splits: Iterable[Split | None]) -> bool:
    """Whether a data set is split by its labels. Otherwise Facade splits it, whatever the one name is."""
    return {"train", "golden"} <= set(splits)


def split_folders(root: Path) -> list[tuple[Path, Split]]:
    """The folders in a data set that are called as a split: train, valid, test and the like."""
    found = []
    for folder in subfolders(root):
        split = split_of(folder.name)
        if split is not None:
            found.append((folder, split))
    return found


def subfolders(folder: Path, start: str = "") -> list[Path]:
    """The folders in a folder whose names begin so, in any case; sorted."""
    return [path for path in _entries(folder) if path.name.lower().startswith(start) and path.is_dir()]


def with_suffix(folders: Iterable[Path], suffix: str) -> list[Path]:
    """The files in folders with a suffix, in any case; sorted within each folder."""
    return [path for folder in folders for path in _entries(folder) if path.suffix.lower() == suffix and path.is_file()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
