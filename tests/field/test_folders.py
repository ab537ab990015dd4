"""Folders as people have them: links, files of all kinds, names of all kinds. Nothing is left out without a word."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest

from facade.errors import FacadeError
from facade.footage.anonymize_files import plan_jobs
from facade.storage import list_files
from tests.conftest import noise
from tests.field.cases import anonymize, case
from tests.footage.films import pattern


def photograph(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", noise(60, 80, seed))[1].tobytes())


def coco(path, names):
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    path.write_text(json.dumps({"images": images, "annotations": []}))
    return path


def outputs(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix != ".json" and path.is_file()
    )


def test_linked_folders_are_followed_once_and_circles_end(tmp_path):
    photograph(tmp_path / "in/a.jpg")
    photograph(tmp_path / "nas/cam2/b.jpg")
    photograph(tmp_path / "in/deep/c.jpg")
    (tmp_path / "in/cam2").symlink_to("../nas/cam2")
    (tmp_path / "in/again").symlink_to("../nas/cam2")
    (tmp_path / "nas/cam2/back").symlink_to("../../in")
    (tmp_path / "in/deep/self").symlink_to(".")
    (tmp_path / "in/d.jpg").symlink_to("../nas/cam2/b.jpg")
    names = ["a.jpg", "again/b.jpg", "d.jpg", "deep/c.jpg"]
    assert [name for _, name in list_files(tmp_path / "in")] == names
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", coco(tmp_path / "b.json", names)) == 0
    assert outputs(tmp_path / "out") == names


def test_a_link_into_the_outputs_is_refused(tmp_path):
    photograph(tmp_path / "in/a.jpg")
    photograph(tmp_path / "out/old.jpg")
    (tmp_path / "in/link").symlink_to("../out")
    with pytest.raises(FacadeError, match="where outputs go"):
        plan_jobs([tmp_path / "in"], tmp_path / "out")


def test_what_cannot_be_anonymized_is_named_and_fails(tmp_path, capsys):
    photograph(tmp_path / "in/a.jpg")
    content = (tmp_path / "in/a.jpg").read_bytes()
    refused = ["b.psd", "c.CR2", "d.svg", "e.mjpeg", "f", "g.dat"]
    for name in refused:
        (tmp_path / "in" / name).write_bytes(content if name in ("f", "g.dat") else b"something")
    (tmp_path / "in/h.jpg").symlink_to("nowhere.jpg")
    for name in ("notes.txt", "labels.json", ".DS_Store", "._a.jpg"):
        (tmp_path / "in" / name).write_bytes(b"something")
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", coco(tmp_path / "b.json", ["a.jpg"])) == 1
    told = capsys.readouterr()
    assert outputs(tmp_path / "out") == ["a.jpg"]
    assert told.err.count("facade: ") == len(refused) + 1
    for name in (*refused, "h.jpg"):
        assert f"/in/{name} " in told.err
    assert all(name in told.out for name in ("notes.txt", "labels.json", ".DS_Store", "._a.jpg"))
    for name in refused:
        (tmp_path / "in" / name).unlink()
    (tmp_path / "in/h.jpg").unlink()
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", tmp_path / "b.json") == 0


def test_a_file_named_by_itself_that_is_not_supported_is_an_error_before_any_work(tmp_path):
    photograph(tmp_path / "a.jpg")
    (tmp_path / "b.psd").write_bytes(b"8BPS")
    with pytest.raises(FacadeError, match=r"b\.psd has no supported format"):
        anonymize(tmp_path / "a.jpg", tmp_path / "b.psd", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_are_no_utf_8_and_names_with_colons(tmp_path, monkeypatch, capsys):
    odd = os.fsdecode(b"caf\xe9.jpg")
    names = ["http:a.jpg", "b.jpg", "file:c.mp4", os.fsdecode(b"d\xe9.mp4")]
    for name in (odd, *names):
        photograph(tmp_path / "in" / name) if name.endswith("jpg") else pattern(tmp_path / "v.mp4", 0.2, "64x48", "-an")
        if name.endswith("mp4"):
            shutil.move(tmp_path / "v.mp4", tmp_path / "in" / name)
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", coco(tmp_path / "b.json", [odd, *names])) == 0
    assert outputs(tmp_path / "out") == sorted([odd, *names])
    assert "caf\\udce9.jpg" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "in")
    assert anonymize("file:c.mp4", tmp_path / "x:y.mp4", "--boxes", tmp_path / "b.json") == 0
    assert (tmp_path / "x:y.mp4").is_file()


def test_the_case_reported(tmp_path):
    """The link is drawn here, because copies of a folder may lose it."""
    shutil.copytree(case("symlinked-folder") / "nas", tmp_path / "nas")
    (tmp_path / "in").mkdir()
    shutil.copy(case("symlinked-folder") / "in/a.jpg", tmp_path / "in")
    (tmp_path / "in/cam2").symlink_to("../nas/cam2")
    boxes = coco(tmp_path / "b.json", ["a.jpg", "cam2/b.jpg"])
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", boxes) == 0
    assert outputs(tmp_path / "out") == ["a.jpg", "cam2/b.jpg"]
    assert np.array(cv2.imread(str(tmp_path / "out/cam2/b.jpg"))).shape == (222, 256, 3)
