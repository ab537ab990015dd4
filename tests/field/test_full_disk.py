"""A full disk, or a source that is gone in the middle: a sentence, nothing half-written, and the next run completes.

The full disk is a real file system (tmpfs), which only root may mount.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.field.workspace import COMMANDS, Command, Workspace, check_failure, files, is_temporary, prepare

pytestmark = pytest.mark.slow

LARGE = 256 * 2**20


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Workspace:
    return prepare(tmp_path_factory.mktemp("disks"))


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={LARGE}", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def used(disk: Path) -> int:
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def check_results(space: Workspace, command: Command, expected: dict[str, bytes]) -> None:
    """What lies under its final name is complete. The list of refused photographs is also that of a failed run."""
    for name, content in space.outputs(command).items():
        if not is_temporary(name) and name != "data/quarantine.csv":
            assert content == expected[name], f"{name} is half-written"


@pytest.mark.parametrize("name", ["ingest", "blur", "synthesize", "folder", "video"])
@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_full_disk_stops_a_command_with_a_sentence(prepared, disk, name, share):
    command = COMMANDS[name]
    space = replace(prepared, root=disk / "space")
    shutil.copytree(prepared.root, space.root)
    space.clear(command)
    before = used(disk)
    space.finish(command)
    expected, after = space.outputs(command), used(disk)
    space.clear(command)
    resize(disk, int(before + share * (after - before)) // 4096 * 4096)
    output = space.fail(command)
    assert "no space is left" in output
    check_results(space, command, expected)
    resize(disk, LARGE)
    space.finish(command)
    assert space.outputs(command) == expected


# Where a command reads, and where its first results appear.
SOURCES = {
    "ingest": ("data/demo", "data"),
    "blur": ("data/train", "data"),
    "synthesize": ("data/train", "data"),
    "folder": ("footage/photographs", "out"),
    "video": ("footage/video", "out"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_vanishes_stops_a_command_with_a_sentence(prepared, name):
    space, command = prepared, COMMANDS[name]
    source, target = (space.root / path for path in SOURCES[name])
    space.clear(command)
    space.finish(command)
    expected = space.outputs(command)
    space.clear(command)
    known = set(files(target))
    process = space.start(command)
    while process.poll() is None and not set(files(target)) - known:
        time.sleep(0.001)
    source.rename(source.with_name("away"))
    output, _ = process.communicate(timeout=600)
    source.with_name("away").rename(source)
    if process.returncode:
        check_failure(process.returncode, output)
    check_results(space, command, expected)
    space.finish(command)
    assert space.outputs(command) == expected
