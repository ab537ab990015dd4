"""Networks in onnxruntime, and what they hold in memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from facade.footage.settings import DEFAULT_DETECTOR

# Peak memory that a process gains by running a network on pictures of several sizes, as two sessions. MiB.
GAINED = """
import sys
import numpy as np, onnxruntime
from pathlib import Path
from facade.networks.sessions import OnnxNetwork

file, kind = Path(sys.argv[1]), sys.argv[2]

def peak():
    # Unlike ru_maxrss, of this program alone, not of the one that started it.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024

def plain():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda outputs, pixels: session.run(outputs, {session.get_inputs()[0].name: pixels})

before = peak()
runs = [OnnxNetwork(file).run if kind == "facade" else plain() for _ in range(2)]
for side in (640, 736, 704):
    pixels = np.full((1, 3, side, side), 100, np.float32)
    found = [run(["boxes", "scores"], pixels) for run in runs]
print(peak() - before, [float(np.abs(one).sum()) for one in found[0]])
"""


def gained(kind: str) -> tuple[float, str]:
    command = [sys.executable, "-c", GAINED, str(DEFAULT_DETECTOR), kind]
    memory, sums = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(maxsplit=1)
    return float(memory), sums


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not say how much memory is held")
def test_two_networks_share_their_memory_and_give_the_same_numbers():
    ours, numbers = gained("facade")
    plain, expected = gained("plain")
    assert numbers == expected
    assert ours < 0.75 * plain, (ours, plain)
