"""Misses of detectors that the user names, against the network's own output."""

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facade.cli import app
from facade.errors import FacadeError
from facade.footage.settings import DEFAULT_DETECTOR
from facade.misses import harvest as module
from facade.misses.harvest import harvest
from facade.misses.ledger import Ledger, read_ledger
from facade.misses.runs import named_runs
from facade.networks.open_detector import open_detector
from tests.conftest import REPOSITORY, SHARED
from tests.misses.field import FakeDetector, golden, runs, scenes, wider_lines

YUNET = SHARED / "weights/peers/yunet_n_dynamic.onnx"
NETWORKS = [
    pytest.param(DEFAULT_DETECTOR, None, 0.3, id="packaged"),
    # At its own threshold, .35, it misses no rendered face.
    pytest.param(
        YUNET,
        0.9,
        0.9,
        id="YuNet",
        marks=pytest.mark.skipif(not YUNET.is_file(), reason="YuNet's weights are not at hand"),
    ),
]


def detects(file: Path, threshold: float, pixels: np.ndarray, box: tuple[float, ...]) -> bool:
    """Whether a network has a detection from its threshold on, whose IoU with a box is .5 or more."""
    x, y, w, h = box
    for left, top, width, height, score, *_ in open_detector(file).detect(pixels, threshold):
        both = max(0, min(x + w, left + width) - max(x, left)) * max(0, min(y + h, top + height) - max(y, top))
        if score >= threshold and both / (w * h + width * height - both) >= 0.5:
            return True
    return False


@pytest.fixture
def pool(write_wider) -> Path:
    taken = scenes(2, 240)
    return write_wider(train={f"a/{n}.jpg": (pixels, wider_lines(faces)) for n, (pixels, faces) in enumerate(taken)})


@pytest.mark.parametrize(("file", "named", "threshold"), NETWORKS)
def test_harvest_records_what_a_named_detector_misses(monkeypatch, pool, params, file, named, threshold):
    monkeypatch.setattr(module, "golden_hashes", lambda params: golden())
    monkeypatch.setattr(module, "is_marked_synthetic", lambda root: True)
    models = named_runs([str(file) if named is None else f"{file}@{named}"], None, None, False, params)
    assert models.version == hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    assert models.thresholds == (threshold,)
    new, _, _ = harvest(pool, Ledger(Path("none"), ()), [models], params, 0.5, print, workers=1)
    sources = {cv2.imread(str(path)).tobytes(): path for path in pool.rglob("*.jpg")}
    every, _, _ = harvest(pool, Ledger(Path("none"), ()), [runs(FakeDetector())], params, 0.5, print, workers=1)
    missed = {one.entry.photograph.file: one.entry.misses for one in new}
    found = 0
    for one in every:  # all photographs with a face that counts
        photograph = one.entry.photograph
        pixels = next(
            cv2.imread(str(path))
            for path in sources.values()
            if module.neutral_name(f"a/{path.name}", path.read_bytes()) == photograph.file
        )
        for index in one.entry.misses:
            detected = detects(file, threshold, pixels, photograph.faces[index].bbox)
            found += detected
            assert (index in missed.get(photograph.file, {})) is not detected
            if not detected:
                miss = missed[photograph.file][index]
                assert (miss.by, miss.of, miss.models) == (
                    {models.name: [0]}, {models.name: 1}, {models.name: models.version}
                )  # fmt: skip
    assert missed
    assert found


def test_detectors_named_together_are_joined(params, tmp_path):
    twin = tmp_path / "twin.onnx"
    shutil.copy(DEFAULT_DETECTOR, twin)
    joined = named_runs([str(DEFAULT_DETECTOR), f"{twin}@0.2"], None, None, False, params)
    assert joined.name == f"{DEFAULT_DETECTOR.stem} + twin"
    assert (joined.seeds, joined.thresholds, len(joined.detectors)) == ((0,), (0.5,), 1)
    assert joined.version != named_runs([str(twin)], None, None, False, params).version


def test_two_detectors_of_one_name_are_refused(params):
    both = [runs(FakeDetector()), runs(FakeDetector())]
    with pytest.raises(FacadeError, match=r"two of pseudo, pseudo"):
        harvest(Path("none"), Ledger(Path("none"), ()), both, params, 0.5, print, workers=1)


def test_the_command_harvests_with_a_detector_and_without_models(monkeypatch, pool, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", work)
    monkeypatch.chdir(work)
    monkeypatch.setattr(module, "golden_hashes", lambda params: golden())
    monkeypatch.setattr(module, "is_marked_synthetic", lambda root: True)
    command = ["misses", "harvest", str(pool), "--workers", "1"]
    result = CliRunner().invoke(app, [*command, "--detector", str(DEFAULT_DETECTOR), "--min-score", "0.9"])
    assert result.exit_code == 0, result.output
    assert "misses in" in result.output
    ledger = read_ledger(work / "misses")
    assert ledger.entries
    (image,) = {next(iter(miss.by)) for entry in ledger.entries for miss in entry.misses.values()}
    assert image == DEFAULT_DETECTOR.stem
    assert "facade-pseudonyms" in json.dumps(json.loads((work / "misses/annotations.json").read_text()))
    result = CliRunner().invoke(app, [*command, "--size", "640"])
    assert isinstance(result.exception, FacadeError)
    assert "--detector" in str(result.exception)
    result = CliRunner().invoke(app, command)  # the arm's models, which are not there
    assert isinstance(result.exception, FacadeError)
    assert "pseudo" in str(result.exception)
