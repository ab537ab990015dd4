"""Videos with damaged headers are read or refused with a message: no traceback, no hang, no partial output.

In processes of their own: a crash of FFmpeg would end the tests.
"""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.footage.films import pattern
from tests.test_untrusted import TIMEOUT

KINDS = {
    "mp4": (),
    "mkv": (),
    "ts": (),
    "avi": ("-c:v", "mpeg4", "-c:a", "mp2"),
    "webm": ("-c:v", "libvpx", "-cpu-used", "8"),
}
PROGRAM = """
import signal, sys
from pathlib import Path
import numpy as np
from facade.errors import FacadeError
from facade.footage.anonymize_files import run_jobs
from facade.footage.run_record import failures
from facade.footage.job import Job
from tests.footage.films import settings
from tests.test_untrusted import damaged, hangs
sound, random, out = Path(sys.argv[1]), np.random.default_rng(0), Path(sys.argv[3])
content, plain, refused = sound.read_bytes(), settings({}), 0
signal.signal(signal.SIGALRM, hangs)
for number in range(int(sys.argv[2])):
    source, target = out / ("in" + sound.suffix), out / "out.mkv"
    # Half of the damage is in the first and last kilobytes, where containers keep their tables.
    head = content[:2000] if number % 2 else content
    changed = damaged(head, random) + (content[2000:] if number % 2 else b"")
    if number % 4 == 3:
        changed = changed[:-3000] + damaged(changed[-3000:], random)
    source.write_bytes(changed)
    print(number, flush=True)
    signal.alarm(int(sys.argv[4]))
    errors = failures(run_jobs([Job(source, source.name, target)], plain, False, lambda line: None, 1))
    signal.alarm(0)
    refused += len(errors)
    assert all(10 < len(error) < 1000 for error in errors), errors
    assert target.exists() != bool(errors), "an output without success"
    left = [path.name for path in out.iterdir() if path != source and ".partial" not in path.name]
    assert left == ([] if errors else left) and not any(name.startswith(".writing") for name in left), left
    for path in out.iterdir():
        path.is_file() and path.unlink()
print("done", refused)
"""


def try_damaged(tmp_path, kind: str, count: int) -> int:
    source = pattern(tmp_path / f"source.{kind}", 0.4, "64x48", *KINDS[kind])
    (tmp_path / "out").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}
    command = [sys.executable, "-c", PROGRAM, str(source), str(count), str(tmp_path / "out"), str(TIMEOUT)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=60 + 10 * count, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stdout[-100:] + done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_videos_are_read_or_refused(tmp_path, kind):
    assert try_damaged(tmp_path, kind, 10) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_damaged_videos_are_read_or_refused(tmp_path, kind):
    assert try_damaged(tmp_path, kind, 200) > 0
