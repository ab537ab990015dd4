"""The Python interface, and the manners of the command that is written on it."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from facade import Anonymizer
from facade.errors import FacadeError
from facade.files import write_json
from facade.footage.settings import DEFAULT_DETECTOR
from tests.audit.portraits import portrait
from tests.conftest import REPOSITORY
from tests.footage.films import pattern

ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}


@pytest.fixture(scope="module")
def rendered():
    return portrait()


@pytest.fixture
def photograph(tmp_path, rendered):
    pixels, face = rendered
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    write_json(
        tmp_path / "faces.json",
        {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"id": 1, "image_id": 1, "bbox": face.bbox}]},
    )
    return tmp_path, pixels, face


def test_a_picture_in_memory_is_treated_as_a_file_is(photograph):
    root, pixels, face = photograph
    anonymizer = Anonymizer(boxes=root / "faces.json", method="solid")
    before = pixels.copy()
    treated = anonymizer(pixels, "a.png")
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_allclose(treated.faces[:, :4], [face.bbox])
    outcome = anonymizer.photograph(root / "a.png", root / "b.png")
    assert outcome.status == "done"
    np.testing.assert_array_equal(cv2.imread(str(root / "b.png")), treated.pixels)
    for wrong in (pixels[..., 0], pixels.astype(float)):
        with pytest.raises(ValueError, match="uint8"):
            anonymizer(wrong, "a.png")


def test_widening_covers_more_of_a_detected_face_than_of_a_labelled_one(photograph):
    """A detection's box is not a label's."""
    root, pixels, _ = photograph
    default = Anonymizer(synthetic=True, method="solid")
    boxes = default(pixels).faces[:, :4].tolist()
    found = [{"id": number, "image_id": 1, "bbox": box} for number, box in enumerate(boxes)]
    write_json(root / "found.json", {"images": [{"id": 1, "file_name": "a.png"}], "annotations": found})

    def changed(anonymizer):
        return int((anonymizer(pixels, "a.png").pixels != pixels).any(2).sum())

    labelled = changed(Anonymizer(boxes=root / "found.json", method="solid"))
    ratio = changed(default) / labelled
    assert 1.15 < ratio < 1.4, "(1.3 / 1.15)^2, less with a soft edge"
    assert changed(Anonymizer(boxes=root / "found.json", method="solid", widen=30)) == changed(default)


def test_a_detector_that_is_unfit_says_so_first_and_with_the_exit_code(photograph):
    root, _, _ = photograph
    assert "not fit to anonymize real people" in Anonymizer().warning
    assert Anonymizer(synthetic=True).warning is None
    assert Anonymizer(boxes=root / "faces.json").warning is None
    command = [sys.executable, "-m", "facade", "anonymize", str(root / "a.png"), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=root)
    assert done.returncode == 3
    assert "not fit" in done.stderr.splitlines()[0]
    assert (root / "out/a.png").is_file()


def test_a_model_of_rendered_photographs_is_refused_unless_no_real_people_are_shown(photograph, tmp_path, params):
    root, _, _ = photograph
    models = tmp_path / "models"
    detector = params.detector.model_dump(mode="json")
    write_json(models / "model.json", {"synthetic": True, "train": {"seeds": [0]}, "size": 192, "detector": detector})
    (models / "seed-0.pth").write_bytes(b"weights")
    with pytest.raises(FacadeError, match="rendered photographs alone.*--synthetic"):
        Anonymizer(str(models), min_score=0.3)
    with pytest.raises(FacadeError, match="rendered photographs alone"):
        Anonymizer(str(models), min_score=0.3, tiles=True)
    with pytest.raises(FacadeError, match="rendered photographs alone"):
        Anonymizer([f"{models}@0.3", f"{models}@0.4"])
    assert Anonymizer(str(models), min_score=0.3, synthetic=True).warning is None
    write_json(models / "model.json", {"synthetic": False, "train": {"seeds": [0]}, "size": 192, "detector": detector})
    assert Anonymizer(str(models), min_score=0.3).warning is None
    with pytest.raises(FacadeError, match="exclude each other"):
        Anonymizer(str(DEFAULT_DETECTOR), boxes=root / "faces.json")


def test_an_output_that_cannot_be_written_is_found_before_the_work(photograph, tmp_path):
    root, _, _ = photograph
    anonymizer = Anonymizer(boxes=root / "faces.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(FacadeError, match="cannot be written"):
        anonymizer.photograph(root / "a.png", "/proc/self/b.png")


def test_a_key_by_name_needs_no_edit_of_a_tracked_file(photograph, monkeypatch):
    root, pixels, _ = photograph
    with pytest.raises(FacadeError, match=r"synthesize\.key is demo"):
        Anonymizer(boxes=root / "faces.json", method="pseudonym")
    results = []
    for secret in ("first secret of many letters", "other secret of many letters"):
        monkeypatch.setenv("FACADE_KEY", secret)
        anonymizer = Anonymizer(boxes=root / "faces.json", method="pseudonym", key="mine")
        assert secret not in json.dumps(anonymizer.settings.method)
        results.append(anonymizer(pixels, "a.png").pixels)
    assert (results[0] != results[1]).any()


def test_an_interrupted_command_says_how_to_resume(tmp_path):
    # Long enough that it cannot be finished before the signal arrives, on a busy machine.
    source = pattern(tmp_path / "in.mp4", 400, "320x192")
    boxes = {"images": [{"id": 1, "file_name": "in.mp4"}], "annotations": []}
    write_json(tmp_path / "faces.json", boxes)
    command = [sys.executable, "-m", "facade", "anonymize", str(source), str(tmp_path / "out.mp4")]
    process = subprocess.Popen(
        [*command, "--boxes", str(tmp_path / "faces.json"), "--workers", "1"],
        stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=tmp_path,
    )  # fmt: skip
    deadline = time.time() + 60
    while not (tmp_path / ".out.mp4.partial").is_dir() and time.time() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.rstrip().splitlines()[-1] == "facade: interrupted. Run the same command again to resume."
    assert "Traceback" not in errors
    assert not (tmp_path / "out.mp4").exists()
