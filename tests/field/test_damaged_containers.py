"""Videos with damaged headers are read or refused with a message: no traceback, no hang, no partial output.

In processes of their own: a crash of FFmpeg would end the tests. `make test-slow` tries ten thousand files, and writes
what became of them to `.work/damaged-containers/<kind>.json`.
"""

import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from facade.files import write_json
from tests.conftest import REPOSITORY
from tests.footage.films import pattern
from tests.test_untrusted import TIMEOUT

# Damaged files of `make test-slow`.
DAMAGES = 10_000
# The ending of each kind, and options of ffmpeg.
KINDS = {
    "mp4": ("mp4", ()),
    "mkv": ("mkv", ()),
    "ts": ("ts", ()),
    "avi": ("avi", ("-c:v", "mpeg4", "-c:a", "mp2")),
    "webm": ("webm", ("-c:v", "libvpx", "-cpu-used", "8")),
    "two-streams": ("mov", ("-map", "0:v", "-map", "0:v", "-map", "1:a")),
}
# Prints what became of each file: refused, treated, or traceback.
PROGRAM = """
import sys, traceback
from pathlib import Path
import numpy as np
from facade.footage.anonymize_files import run_jobs
from facade.footage.run_record import failures
from facade.footage.job import Job
from tests.footage.films import settings
from tests.test_untrusted import damaged

def outcome(job, settings):
    errors = failures(run_jobs([job], settings, False, lambda line: None, 1))
    assert all(10 < len(error) < 1000 for error in errors), errors
    assert job.target.exists() != bool(errors), "an output without success"
    left = [path.name for path in out.iterdir() if path != job.source and ".partial" not in path.name]
    assert left == ([] if errors else left) and not any(name.startswith(".writing") for name in left), left
    return "refused" if errors else "treated"

sound, random, out = Path(sys.argv[1]), np.random.default_rng(0), Path(sys.argv[3])
content, source = sound.read_bytes(), out / ("in" + sound.suffix)
streams = [f"{source.name}/{number}" for number in (0, 1)] if sys.argv[4] == "two-streams" else []
plain = settings({(name, 0): np.zeros((0, 4)) for name in streams})
for number in range(int(sys.argv[2])):
    # Half of the damage is in the first and last kilobytes, where containers keep their tables.
    head = content[:2000] if number % 2 else content
    changed = damaged(head, random) + (content[2000:] if number % 2 else b"")
    if number % 4 == 3:
        changed = changed[:-3000] + damaged(changed[-3000:], random)
    source.write_bytes(changed if number else content)
    try:
        result = outcome(Job(source, source.name, out / "out.mkv"), plain)
    except Exception:
        result = "traceback"
        traceback.print_exc()
    print(result, flush=True)
    for path in out.iterdir():
        path.is_file() and path.unlink()
"""


def try_damaged(folder: Path, kind: str, count: int) -> Counter[str]:
    """What became of files, the first of which is undamaged; "hang": not done within `TIMEOUT` seconds; "crash"."""
    ending, options = KINDS[kind]
    source = pattern(folder / f"source.{ending}", 0.4, "64x48", *options)
    (folder / "out").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}
    command = [sys.executable, "-c", PROGRAM, str(source), str(count), str(folder / "out"), kind]
    process = subprocess.Popen(
        command, text=True, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=(folder / "log").open("w")
    )
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in (*process.stdout, "")], daemon=True).start()
    outcomes: Counter[str] = Counter()
    limit = 10 * TIMEOUT  # of the first file, before which libraries are imported
    try:
        while line := lines.get(timeout=limit):
            outcomes[line.strip()] += 1
            limit = TIMEOUT
    except queue.Empty:
        outcomes["hang"] += 1
    finally:
        process.kill()
    if outcomes.total() < count:
        outcomes["crash"] += not outcomes["hang"]
    return outcomes


def check(folder: Path, kind: str, count: int) -> Counter[str]:
    outcomes = try_damaged(folder, kind, count)
    log = (folder / "log").read_text()[-3000:]
    assert set(outcomes) <= {"refused", "treated"}, f"{outcomes}: {log}"
    assert outcomes.total() == count
    assert outcomes["refused"] > 0
    assert outcomes["treated"] > 0
    return outcomes


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_videos_are_read_or_refused(tmp_path, kind):
    check(tmp_path, kind, 10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_damaged_videos_are_read_or_refused(tmp_path, kind):
    count = DAMAGES // len(KINDS) + 1
    outcomes = check(tmp_path, kind, count)
    numbers = {
        "inputs": count,
        **{name: outcomes[name] for name in ("refused", "treated", "traceback", "hang", "crash")},
    }
    write_json(REPOSITORY / f".work/damaged-containers/{kind}.json", numbers)
