"""Killed at any moment, a command leaves nothing half-written, and its next run gives the same bytes.

Each command runs undisturbed once. Then its whole process group is killed (SIGKILL) at random moments, 20 times;
`FACADE_KILLS=3` is enough while developing.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from facade.storage import WRITING
from tests.field.workspace import COMMANDS, TIMED, Command, Workspace, files, is_temporary, prepare

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FACADE_KILLS", "20"))
# From when on a command is killed, as a share of its duration: before, it imports libraries.
EARLIEST = 0.3


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Workspace:
    return prepare(tmp_path_factory.mktemp("killed"))


def kill(space: Workspace, command: Command, after: float) -> bool:
    """Kill a command and all its processes after some seconds; whether it was still running."""
    process = space.start(command)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=after)
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while group_lives(process.pid):
        time.sleep(0.01)
    process.communicate()
    return True


def group_lives(group: int) -> bool:
    """Whether a process of a group still runs; a killed one may have to finish a system call."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, own, *_ = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(own) == group and state != "Z":
            return True
    return False


def is_private(path: Path, root: Path) -> bool:
    """Whether a file lies in a folder below `root` that no other user can enter."""
    folders = path.parents[: path.parents.index(root)]
    return any(folder.stat().st_mode & 0o077 == 0 for folder in folders)


def check_leftovers(space: Workspace, command: Command, expected: dict[str, bytes], before: dict[str, bytes]) -> None:
    """What a killed command leaves: results, and unfinished files that are private or hold treated pixels."""
    for name, content in space.outputs(command).items():
        path = space.root / name
        if is_private(path, space.root) or name.startswith(".work/"):  # what a training resumes from
            continue
        if path.name.startswith(WRITING):  # a result for all users, not yet complete
            final = path.with_name(path.name.removeprefix(WRITING).partition(".")[2])
            if final.name not in TIMED and final.suffix != ".mkv":  # a muxer changes what it wrote before
                whole = expected[final.relative_to(space.root).as_posix()]
                assert whole.startswith(content), f"{name} holds something else"
            continue
        assert content in (expected.get(name), before.get(name)), f"{name} is half-written, or something else"
    for path in files(space.temporary):
        assert is_private(path, space.temporary), f"{path.name} can be read by others"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_gives_the_same_bytes_the_next_time(space, name):
    command, random = COMMANDS[name], np.random.default_rng(sorted(COMMANDS).index(name))
    space.clear(command)
    before = space.outputs(command)
    begin = time.monotonic()
    space.finish(command)
    seconds = time.monotonic() - begin
    expected = space.outputs(command)
    assert len(expected) > len(before)
    assert not any(map(is_temporary, expected))
    killed = 0
    for moment in random.uniform(EARLIEST, 1, KILLS):
        space.clear(command)
        killed += kill(space, command, moment * seconds)
        check_leftovers(space, command, expected, before)
        space.finish(command)
        assert space.outputs(command) == expected
    assert killed > KILLS / 3, "it was seldom running when it was to be killed"
