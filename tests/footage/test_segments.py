"""How a video is divided among workers, and what an interrupted run keeps of its detections."""

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from facade import parallel
from facade.errors import FacadeError
from facade.footage.anonymize_video import anonymize_video
from facade.footage.clip import read_clip
from facade.footage.job import Job
from facade.footage.segments import LONGEST, SHORTEST, cut, read_faces, write_faces
from tests.conftest import REPOSITORY
from tests.footage.films import film_of_people, pattern, settings

ONNX = REPOSITORY / "src/facade/networks/weights/facade-pseudonyms.onnx"
# Of a worker, MiB. A machine of 4 GB then runs a worker on each of its cores.
MEMORY_LIMIT = 400


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.integers(1, 20_000), st.sets(st.integers(0, 20_000), max_size=40), st.none() | st.integers(1, 300))
def test_segments_cover_every_frame_once_and_none_is_much_longer_than_the_others(frame_count, keys, length):
    segments = cut(frame_count, keys, length)
    assert segments[0].first == 0
    assert segments[-1].last == frame_count
    assert all(one.last == other.first for one, other in pairwise(segments))
    longest = LONGEST if length is None else length
    assert all(0 < one.last - one.first <= longest + longest // 2 for one in segments)


@pytest.mark.parametrize(("frame_count", "regular"), [(100, SHORTEST), (1600, 100), (10_000, LONGEST)])
def test_short_clips_are_cut_for_the_cores_and_long_ones_for_small_files(frame_count, regular):
    assert cut(frame_count, [0])[0].last == regular


def test_segments_begin_at_key_frames_where_the_source_has_them():
    """Else a worker decodes the frames before its segment, too."""
    assert [one.first for one in cut(200, range(0, 200, 25), 60)] == [0, 50, 100, 150]
    assert [one.first for one in cut(200, [0, 5, 30], 60)] == [0, 60, 120, 180]


def test_the_key_frames_of_a_file_are_known(tmp_path):
    source = pattern(tmp_path / "in.mp4", 3, "160x96", "-an", "-g", "20", "-keyint_min", "20", "-sc_threshold", "0")
    assert read_clip(source, 100).key_frames == (0, 20, 40, 60)


def test_detections_survive_an_interruption_exactly(tmp_path):
    rows = np.random.default_rng(0).random((3, 15))
    rows[1, 5:] = np.nan
    frames = [rows[:2], np.zeros((0, 5)), rows[2:]]
    write_faces(tmp_path / "faces.npz", (640, 360), frames)
    size, again = read_faces(tmp_path / "faces.npz")
    assert size == (640, 360)
    assert [len(one) for one in again] == [2, 0, 1]
    np.testing.assert_array_equal(np.concatenate([again[0], again[2]]), rows)
    write_faces(tmp_path / "none.npz", (640, 360), [np.zeros((0, 15)), np.zeros((0, 5))])
    assert [one.shape for one in read_faces(tmp_path / "none.npz")[1]] == [(0, 5), (0, 5)]


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 no archive", None])
def test_a_damaged_file_of_detections_is_refused_with_a_message(tmp_path, content):
    path = tmp_path / "faces.npz"
    write_faces(path, (640, 360), [np.zeros((1, 5))])
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(FacadeError, match="is not what Facade wrote"):
        read_faces(path)


def test_a_short_clip_has_several_work_items_and_the_bar_advances_with_each(tmp_path, monkeypatch):
    """With one item, a clip of ten seconds took one core, and the bar stayed at 0 % until the end."""
    source = tmp_path / "people.mp4"
    boxes = film_of_people(source, 100)
    seen = []

    def bar(results, label, total, **_):
        for number, result in enumerate(results, 1):
            seen.append((label, number, total))
            yield result

    monkeypatch.setattr(parallel, "tqdm", bar)
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    anonymize_video(Job(source, source.name, tmp_path / "out.mp4"), settings(found), 1)
    assert seen == [
        ("detect out.mp4", 1, 2),
        ("detect out.mp4", 2, 2),
        ("treat out.mp4", 1, 2),
        ("treat out.mp4", 2, 2),
    ]


def parent_of(folder: Path) -> int:
    """The parent of a process by its folder in /proc; 0 if it has ended."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descendants(pid: int) -> list[int]:
    parents = {int(folder.name): parent_of(folder) for folder in Path("/proc").glob("[0-9]*")}
    family = [pid]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return family


def proportional_set_size(pid: int) -> float:
    """MiB; a page that n processes share counts 1/n in each."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the kernel tells no proportional set size")
def test_no_process_takes_more_than_its_share_of_memory(tmp_path):
    source = pattern(tmp_path / "in.mp4", 5, "640x360", "-an")
    command = [sys.executable, "-m", "facade", "anonymize", source, tmp_path / "out.mp4", "--detector", ONNX]
    process = subprocess.Popen(
        [*map(str, command), "--synthetic", "--workers", "2"], stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": "src"},
    )  # fmt: skip
    most: dict[int, float] = {}
    while process.poll() is None:
        for pid in descendants(process.pid):
            most[pid] = max(most.get(pid, 0), proportional_set_size(pid))
        time.sleep(0.05)
    assert process.returncode == 0
    assert len(most) >= 5, "this process, the fork server, its tracker, and two workers or more"
    assert max(most.values()) < MEMORY_LIMIT, most
