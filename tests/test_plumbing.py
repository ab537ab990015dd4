"""Atomic writes, random generators keyed by owner, and the parallel map."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from facade.files import atomic_directory, write_bytes, write_text
from facade.parallel import ordered_map
from facade.seeds import generator
from tests.conftest import REPOSITORY, tree


def square(value: int) -> int:
    if value == 13:
        raise ValueError("thirteen")
    return value * value


def process(value: int) -> int:
    del value
    return os.getpid()


def test_a_directory_is_written_atomically(tmp_path):
    with atomic_directory(tmp_path / "out") as temporary:
        (temporary / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert tree(tmp_path) == {"out/a": b"1"}
    with pytest.raises(FileNotFoundError), atomic_directory(tmp_path / "out") as temporary:
        (temporary / "no such folder" / "b").write_text("2")
    assert tree(tmp_path) == {"out/a": b"1"}
    with atomic_directory(tmp_path / "out") as temporary:
        (temporary / "c").write_text("3")
    assert tree(tmp_path) == {"out/c": b"3"}


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_bytes(tmp_path / "a", b"old")
    monkeypatch.setattr(type(tmp_path), "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_owners_get_different_generators():
    values = {
        owner: generator(*owner).integers(2**62)
        for owner in [("a", 1), ("a", 2), ("b", 1), ("a1",), ("a", 1, 1), ("ab", "c"), ("a", "bc")]
    }
    assert len(set(values.values())) == len(values)
    assert generator("a", 1).integers(2**62) == values["a", 1]


def test_generators_are_the_same_on_every_machine():
    """A pinned value: pseudonyms must not change between releases."""
    assert generator("pseudonym", 0, "a.jpg", 3).integers(2**62) == 2440227605126783658


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_the_order_of_the_items(workers):
    values = [3, 1, 4, 1, 5, 9, 2, 6] * 5
    assert list(ordered_map(square, values, "squares", workers)) == [value * value for value in values]


def test_items_are_mapped_in_several_processes():
    assert len(set(ordered_map(process, range(200), "processes", 2)) - {os.getpid()}) >= 1


def loaded(value: int) -> bool:
    del value
    return "sched" in sys.modules


def test_preloaded_modules_are_imported_once_for_all_workers(tmp_path):
    """The fork server imports them: a module that is imported nowhere else is loaded when a worker starts.

    In a process of its own, because there is one fork server for each.
    """
    code = """
from facade.parallel import ordered_map
from tests.test_plumbing import loaded, square

if __name__ == "__main__":
    assert set(ordered_map(loaded, range(20), "loaded", 2)) == {False}
    assert set(ordered_map(loaded, range(20), "loaded", 2, ("sched",))) == {True}
    assert list(ordered_map(square, [3, 1, 4], "squares", 2, ("sched",))) == [9, 1, 16]
"""
    (tmp_path / "mapped.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"}
    subprocess.run([sys.executable, str(tmp_path / "mapped.py")], check=True, env=environment)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_aborts_the_map(workers):
    with pytest.raises(ValueError, match="thirteen"):
        list(ordered_map(square, [1, 13, 2], "squares", workers))


def test_no_items_give_no_results():
    assert list(ordered_map(square, [], "nothing")) == []
    assert np.all(np.array(list(ordered_map(square, [2], "one"))) == 4)


def test_workers_exit_when_their_parent_is_killed(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom facade.parallel import ordered_map\n"
        "def wait(number):\n    Path(f'{number}.pid').write_text(str(os.getpid()))\n    time.sleep(120)\n"
        "if __name__ == '__main__':\n    list(ordered_map(wait, [0, 1], 'wait', 2))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{tmp_path}"}
    parent = subprocess.Popen([sys.executable, "slow.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len([path for path in tmp_path.glob("*.pid") if path.read_text()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived the process that started it"
        time.sleep(0.05)


WRITES = """
import os, sys, time
from pathlib import Path
from facade.storage import atomic_file
with atomic_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(flush=True)
    time.sleep(120)
"""


def test_temporary_files_of_killed_processes_are_removed_and_those_of_others_stay(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    command = [sys.executable, "-c", WRITES]
    killed, alive = (
        subprocess.Popen([*command, str(tmp_path / name)], env=environment, stdout=subprocess.PIPE)
        for name in ("killed.txt", "alive.txt")
    )
    try:
        assert [process.stdout.readline() for process in (killed, alive)] == [b"\n", b"\n"]
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.iterdir())) == 2
        write_text(tmp_path / "third.txt", "whole")
        assert {path.name for path in tmp_path.iterdir()} == {"third.txt", f".writing-{alive.pid}.alive.txt"}
    finally:
        alive.kill()


def test_a_full_disk_ends_a_stage_with_a_sentence(tmp_path):
    (tmp_path / "full.py").write_text(
        "import errno\nfrom facade.stage import stage\n@stage\ndef full(params):\n"
        "    raise OSError(errno.ENOSPC, 'No space left on device', 'data/blur/1.jpg')\n"
    )
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(
        [sys.executable, "full.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("facade: no space is left to write data/blur/1.jpg. Free some space")
    assert "Traceback" not in done.stderr
