"""Other programs: git and DVC."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from facade.errors import FacadeError


def run(command: Sequence[str], where: Path | None = None) -> str:
    """What a command prints.

    Args:
        command: The program and its arguments.
        where: The folder to run it in; None for this one.

    Raises:
        FacadeError: It fails.
    """
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout).split())[-500:]
        place = f" in {where}" if where else ""
        raise FacadeError(f"`{' '.join(command[:4])}` failed{place}: {said}")
    return done.stdout
