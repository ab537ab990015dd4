"""Arms that are switched off: their directories hold a note and nothing else, so that the graph of stages stays one."""

from pathlib import Path

from facade.files import whole_directory

NOTE = "OFF.txt"


def switch_off(folder: Path, parameter: str) -> None:
    """Write a directory that says that its arm is switched off, in the place of what it would hold.

    Args:
        folder: `data/<arm>`, for example.
        parameter: What switches the arm on.
    """
    with whole_directory(folder) as beside:
        (beside / NOTE).write_text(f"{parameter} is false in params.yaml: this arm is not run.\n")


def is_off(folder: Path) -> bool:
    """Whether a directory belongs to an arm that is switched off."""
    return (folder / NOTE).is_file()


def pass_on(source: Path, *targets: Path) -> bool:
    """Switch directories off where the one that they are made from is.

    Returns:
        Whether it is: there is nothing to do then.
    """
    if not is_off(source):
        return False
    for target in targets:
        with whole_directory(target) as beside:
            (beside / NOTE).write_bytes((source / NOTE).read_bytes())
    return True
