"""Arms that are switched off: their directories hold a note and nothing else, so that the graph of stages stays one."""

from pathlib import Path

from facade.files import whole_directory

NOTE = "OFF.txt"


def switch_off(folder: Path, why: str) -> None:
    """Write a directory that says that its arm is switched off, in the place of what it would hold.

    Args:
        folder: `data/<arm>`, for example.
        why: The parameter, and its value.
    """
    with whole_directory(folder) as beside:
        (beside / NOTE).write_text(f"{why} in params.yaml: this is not run.\n")


def is_off(folder: Path) -> bool:
    """Whether a directory belongs to an arm that is switched off."""
    return (folder / NOTE).is_file()


def pass_on(source: Path, target: Path) -> bool:
    """Switch a directory off where the one that it is made from is.

    Returns:
        Whether it is: there is nothing to do then.
    """
    if not is_off(source):
        return False
    with whole_directory(target) as beside:
        (beside / NOTE).write_bytes((source / NOTE).read_bytes())
    return True
