"""`facade anonymize`, run as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facade.cli import app
from facade.errors import FacadeError
from facade.files import read_json
from facade.footage.settings import KEEP
from tests.audit.portraits import portrait
from tests.conftest import REPOSITORY
from tests.footage.films import film_of_people

ONNX = REPOSITORY / "src/facade/networks/weights/facade-pseudonyms.onnx"
# A photograph with an ONNX detector and a blur is done in the time that some of these take to import.
HEAVY = {"torch", "mmdet", "mmengine", "numba", "scipy", "av", "pyarrow", "upath", "supervision", "pandas"}


def facade(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facade", "anonymize", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": "src"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """A folder with a photograph with EXIF metadata, a PNG file and a video; and a COCO file of their faces."""
    root = tmp_path_factory.mktemp("footage")
    folder = root / "in"
    (folder / "deep").mkdir(parents=True)
    pixels, face = portrait()
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe's garden"
    Image.fromarray(pixels[..., ::-1]).save(folder / "deep" / "a.jpg", quality=95, exif=exif, comment=b"Jane")
    Image.fromarray(pixels[..., ::-1]).save(folder / "b.png")
    (folder / "notes.txt").write_text("Jane")
    boxes = film_of_people(folder / "c.mp4", 30)
    images = [{"id": 1, "file_name": "deep/a.jpg"}, {"id": 2, "file_name": "b.png"}]
    images += [{"id": 10 + n, "file_name": "c.mp4", "frame": n} for n in range(len(boxes))]
    marked = [(1, face.bbox), (2, face.bbox)] + [(10 + n, row.tolist()) for n, rows in enumerate(boxes) for row in rows]
    content = {
        "images": images,
        "annotations": [{"id": n, "image_id": i, "bbox": b} for n, (i, b) in enumerate(marked)],
    }
    (root / "faces.json").write_text(json.dumps(content))
    return root, pixels, face


def test_a_folder_is_written_with_every_face_treated_and_no_metadata(footage, tmp_path):
    root, pixels, face = footage
    done = facade(root / "in", tmp_path / "out", "--boxes", root / "faces.json")
    assert done.returncode == 0, done.stderr
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == [
        "b.png", "b.png.json", "c.mp4", "c.mp4.json", "deep/a.jpg", "deep/a.jpg.json", "facade-run.json",
    ]  # fmt: skip
    assert "notes.txt" in done.stdout
    assert b"Jane" not in (tmp_path / "out/deep/a.jpg").read_bytes()
    after = cv2.imread(str(tmp_path / "out/b.png"))
    x, y, w, h = np.rint(face.bbox).astype(int)
    changed = (after != pixels).any(-1)
    assert changed[y + 2 : y + h - 2, x + w // 3 : x + 2 * w // 3].mean() > 0.9
    assert changed.mean() < 4 * w * h / changed.size
    record = json.loads((tmp_path / "out/c.mp4.json").read_text())
    assert record["counts"] == {"pictures": 30, "faces": 60, "interpolated": 0, "tracks": 2, "exempt": 0}
    again = facade(root / "in", tmp_path / "out", "--boxes", root / "faces.json")
    assert again.stdout.count("already done") == 3
    other = facade(root / "in", tmp_path / "out", "--boxes", root / "faces.json", "--method", "solid")
    assert other.returncode == 1
    assert other.stderr.count("--overwrite") == 3


def test_a_detector_in_a_file_of_its_own_hides_the_face(footage, tmp_path):
    """Facade's own export, as others would run it: without torch, on a face that its labels know."""
    root, pixels, face = footage
    done = facade(root / "in/b.png", tmp_path / "out", "--method", "solid")
    assert done.returncode == 3, done.stderr
    assert "not fit to anonymize real people" in done.stderr.splitlines()[0]
    changed = (cv2.imread(str(tmp_path / "out/b.png")) != pixels).any(-1)
    x, y, w, h = np.rint(face.bbox).astype(int)
    assert changed[y + h // 4 : y + 3 * h // 4, x + w // 4 : x + 3 * w // 4].mean() > 0.9
    code = f"import sys; sys.argv = ['facade', 'anonymize', {str(root / 'in/b.png')!r}, {str(tmp_path / 'two')!r}, "
    code += f"'--detector', {str(ONNX)!r}, '--synthetic', '--workers', '1']\n"
    code += "from facade.cli import app\ntry: app()\nexcept SystemExit as end: assert not end.code\n"
    code += f"assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": "src"})


def test_a_pseudonym_and_a_list_of_files(footage, tmp_path):
    root, pixels, _ = footage
    files = (root / "in/b.png", root / "in/c.mp4")
    options = ("--boxes", root / "faces.json", "--method", "pseudonym")
    refused = facade(*files, tmp_path / "out", *options)
    assert refused.returncode == 1
    assert "synthesize.key is demo" in refused.stderr
    assert not (tmp_path / "out").exists()
    done = facade(*files, tmp_path / "out", *options, "--synthetic")
    assert done.returncode == 0, done.stderr
    pseudonym = cv2.imread(str(tmp_path / "out/b.png"))
    assert (pseudonym != pixels).any()
    assert read_json(tmp_path / "out/b.png.json")["treatment"]["keep"] == list(KEEP)
    # What is kept is part of the settings: without --overwrite the output of others stays.
    other = facade(*files, tmp_path / "out", *options, "--synthetic", "--keep", "none")
    assert other.returncode == 1
    assert "--overwrite" in other.stderr
    again = facade(*files, tmp_path / "out", *options, "--synthetic", "--keep", "none", "--overwrite")
    assert again.returncode == 0, again.stderr
    assert read_json(tmp_path / "out/b.png.json")["treatment"]["keep"] == []
    assert (cv2.imread(str(tmp_path / "out/b.png")) != pseudonym).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in", "in/out"), "is inside"),
        (("in/b.png", "in/b.png"), "is an input itself"),
        (("in/b.png", "out.mp4"), "cannot be written as"),
        (("in/none.png", "out.png"), "is missing"),
        (("in/b.png", "in/b.png", "out"), "would both be written to"),
        (("in/b.png",), "name the inputs and the output"),
        (("in/b.png", "out.png", "--method", "smear"), "choose one of gaussian"),
        (("in/b.png", "out.png", "--boxes", "faces.json", "--keep", "pose,smile"), "--keep has smile"),
        (("in/b.png", "out.png", "--detector", "none"), "none"),
        (("in/b.png", "out.png", "--detector", "none", "--boxes", "faces.json"), "exclude each other"),
        (("empty", "out"), "no supported inputs found in"),
    ],
)
def test_invalid_arguments_are_refused_with_a_message(footage, tmp_path, arguments, message):
    root, _, _ = footage
    (root / "empty").mkdir(exist_ok=True)
    boxes = () if "--detector" in arguments else ("--boxes", root / "faces.json")
    before = sorted(path.read_bytes() for path in (root / "in").rglob("*.*"))
    paths = [root / one if one.startswith(("in", "empty")) else one for one in arguments]
    paths = [tmp_path / one if one in ("out", "out.mp4", "out.png") else one for one in paths]
    with pytest.raises(FacadeError, match=message):
        app(["anonymize", *map(str, (*paths, *boxes))], standalone_mode=False)
    assert sorted(path.read_bytes() for path in (root / "in").rglob("*.*")) == before


def test_a_bad_file_does_not_stop_the_others(footage, tmp_path):
    root, _, _ = footage
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/a.jpg").write_bytes(b"no picture")
    (tmp_path / "in/b.png").write_bytes((root / "in/b.png").read_bytes())
    done = facade(tmp_path / "in", tmp_path / "out", "--boxes", root / "faces.json")
    assert done.returncode == 1
    assert "photographs:" in done.stderr, "a progress bar"
    assert "a.jpg cannot be read as a photograph" in done.stderr
    run = json.loads((tmp_path / "out/facade-run.json").read_text())
    assert [(file["file"], file["status"]) for file in run["files"]] == [("b.png", "done"), ("deep/a.jpg", "failed")]
    written = {path.name for path in (tmp_path / "out").rglob("*.*")}
    assert written == {"b.png", "b.png.json", "facade-run.json"}


def test_a_file_that_the_boxes_do_not_list_is_refused(footage, tmp_path):
    root, _, _ = footage
    (tmp_path / "other.png").write_bytes((root / "in/b.png").read_bytes())
    with pytest.raises(FacadeError, match=r"does not list other\.png"):
        app(["anonymize", str(tmp_path / "other.png"), str(tmp_path / "out.png"), "--boxes", str(root / "faces.json")],
            standalone_mode=False)  # fmt: skip
    assert not (tmp_path / "out.png").exists()


def test_a_changed_output_is_not_taken_for_done(footage, tmp_path):
    root, _, _ = footage
    command = (root / "in/b.png", tmp_path / "b.png", "--boxes", root / "faces.json")
    assert facade(*command).returncode == 0
    (tmp_path / "b.png").write_bytes((root / "in/b.png").read_bytes())
    again = facade(*command)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr


def test_no_input_is_overwritten_by_the_output_of_another(footage, tmp_path):
    root, _, _ = footage
    (tmp_path / "out/x").mkdir(parents=True)
    (tmp_path / "in/x").mkdir(parents=True)
    for folder in ("in/x", "out/x"):
        (tmp_path / folder / "b.png").write_bytes((root / "in/b.png").read_bytes())
    with pytest.raises(FacadeError, match="is an input itself"):
        app(["anonymize", str(tmp_path / "in"), str(tmp_path / "out/x/b.png"), str(tmp_path / "out"), "--overwrite",
             "--boxes", str(root / "faces.json")], standalone_mode=False)  # fmt: skip
