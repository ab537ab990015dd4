"""Run other programs: git and DVC."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from facade.errors import FacadeError


def run(command: Sequence[str], cwd: Path | None = None) -> str:
    """Run a command, and return its standard output.

    Args:
        command: The program and its arguments.
        cwd: The folder to run it in; None for the current one.

    Raises:
        FacadeError: The command fails.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        output = " ".join((done.stderr.strip() or done.stdout).split())[-500:]
        location = f" in {cwd}" if cwd else ""
        raise FacadeError(f"`{' '.join(command[:4])}` failed{location}: {output}")
    return done.stdout
