"""What tests of inputs from the field share."""

import json
from pathlib import Path

import numpy as np
import pytest

from facade.cli import app
from facade.footage.anonymize_files import run_jobs
from facade.footage.clip import Clip, read_clip
from facade.footage.job import Job
from facade.footage.run_record import failures
from facade.footage.video import read_frames
from tests.conftest import SHARED
from tests.footage.films import frames, settings

CASES = SHARED / "cases"


def case(name: str) -> Path:
    """A folder of `../shared/cases`; the test is skipped where it is absent."""
    if not (CASES / name).is_dir():
        pytest.skip("no ../shared/cases here")
    return CASES / name


def anonymize(*arguments: str | Path) -> int:
    """Runs `facade anonymize` with opaque blanks; returns the exit status."""
    try:
        app(["anonymize", *map(str, arguments), "--method", "solid", "--workers", "1"], standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def write_boxes(path: Path, name: str, boxes: list, size: tuple[int, int] | None = None) -> Path:
    """A COCO file for one photograph."""
    image = {"id": 1, "file_name": name} | ({} if size is None else {"width": size[0], "height": size[1]})
    rows = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [float(v) for v in box]} for n, box in enumerate(boxes)]
    path.write_text(json.dumps({"images": [image], "annotations": rows, "categories": [{"id": 1, "name": "face"}]}))
    return path


def coverage(before: np.ndarray, after: np.ndarray, box: np.ndarray) -> float:
    """Share of the middle of a face that was changed."""
    x, y, w, h = box
    core = slice(round(y + h / 4), round(y + 3 * h / 4)), slice(round(x + w / 4), round(x + 3 * w / 4))
    return float((before[core] != after[core]).any(-1).mean())


def all_frames(clip: Clip) -> list[np.ndarray]:
    return [frame.pixels for frame in read_frames(clip, 0, len(clip.pts))]


def check_against_ffmpeg(path: Path, folder: Path) -> Clip:
    """Every picture is the one that the ffmpeg program decodes, from the start and after seeking."""
    clip = read_clip(path, 100)
    own, shown = all_frames(clip), frames(path, folder)
    assert len(own) == len(shown)
    for one, other in zip(own, shown, strict=True):
        assert one.shape == other.shape
        assert np.abs(one.astype(int) - other).mean() < 3
    for first in (len(own) // 3, 2 * len(own) // 3):
        for number, frame in enumerate(read_frames(clip, first, min(first + 5, len(own))), first):
            np.testing.assert_array_equal(frame.pixels, own[number])
    return clip


def run_without_faces(source: Path, target: Path) -> None:
    """Anonymize a video in which nobody has a face."""
    errors = failures(run_jobs([Job(source, source.name, target)], settings({}), False, print, 1))
    assert not errors, errors
