"""Ingest of a data set: accepted and rejected photographs, labels, and atomic output."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facade.dataset import Photographs
from facade.dataset.ingest import ingest
from facade.errors import FacadeError
from facade.params import Params
from tests.conftest import REPOSITORY, noise, tree, write_coco

EMPTY = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "face"}]}
LINE = "20 30 40 50 0 0 0 0 0 0"


@pytest.fixture
def run_ingest(tmp_path: Path, params: Params) -> Callable[..., dict]:
    """Ingests a data set into `out/`, accepting its golden set, with one process."""

    def run(root: Path, accept: bool = True, workers: int = 1, **changes: object) -> dict:
        settings = params.ingest.model_copy(update={"path": root, **changes})
        out = tmp_path / "out"
        outputs = (out / "train", out / "golden", out / "quarantine.csv")
        if not accept:
            return ingest(settings, params.codec, *outputs, workers=workers)
        try:
            return ingest(settings, params.codec, *outputs, workers=workers)
        except FacadeError as error:
            if "golden_lock=" not in str(error):
                raise
            lock = str(error).partition("golden_lock=")[2][:16]
            return ingest(settings.model_copy(update={"golden_lock": lock}), params.codec, *outputs, workers=workers)

    return run


def rejected(tmp_path: Path) -> dict[str, str]:
    with (tmp_path / "out" / "quarantine.csv").open(newline="") as text:
        return {row["photograph"]: row["reason"] for row in csv.DictReader(text)}


def original_names(tmp_path: Path) -> dict[str, str]:
    """The original names by stored name."""
    with (tmp_path / "out" / "train" / "names.csv").open(newline="") as text:
        return {row["stored"]: row["photograph"] for row in csv.DictReader(text)}


def good(seed: int) -> tuple[np.ndarray, list[str]]:
    return noise(120, 160, seed), [LINE]


def test_wider_photographs_and_labels_are_split_into_train_and_golden(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"e/a.jpg": good(1), "e/b.jpg": (noise(90, 80, 2), [])}, val={"e/c.jpg": good(3)})
    counts = run_ingest(root)
    train, golden = Photographs(tmp_path / "out" / "train"), Photographs(tmp_path / "out" / "golden")
    names = original_names(tmp_path)
    assert [names[photograph.file] for photograph in train] == ["e/a.jpg", "e/b.jpg"]
    assert [photograph.file for photograph in golden] == ["e/c.jpg"], "official evaluations find them by their names"
    assert [(photograph.width, photograph.height) for photograph in train] == [(160, 120), (80, 90)]
    assert next(iter(golden)).faces[0].bbox == (20, 30, 40, 50)
    assert counts["train"] == {
        "photographs": 2, "faces": 1, "ignored": 0, "with_landmarks": 0, "without_faces": 1,
    }  # fmt: skip
    assert counts["synthetic"] is False


def test_only_pixels_of_a_file_are_stored(tmp_path, write_wider, run_ingest):
    picture = Image.fromarray(noise(120, 160, 1))
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, comment=b"SECRET comment", xmp=b"<x>SECRET</x>", icc_profile=b"SECRET" * 30)
    assert b"SECRET" in buffer.getvalue()
    trailing = buffer.getvalue() + b"SECRET after the end"
    pictures = {"a.jpg": (buffer.getvalue(), [LINE]), "b.jpg": (trailing, [LINE])}
    run_ingest(
        write_wider(train={"c.jpg": good(5), **pictures}, val={"d.jpg": good(6), **pictures}), duplicate_distance=0
    )
    for name, content in tree(tmp_path / "out").items():
        assert b"SECRET" not in content, name
        if name.endswith(".jpg"):
            markers = [content[at + 1] for at in range(len(content) - 1) if content[at] == 0xFF and content[at + 1]]
            assert not {*range(0xE1, 0xF0), 0xFE} & set(markers[: markers.index(0xDA)]), "an APP1..15 or COM segment"


@pytest.mark.parametrize("says_stored_size", [False, True])
def test_boxes_follow_exif_orientation(tmp_path, run_ingest, says_stored_size):
    """A white face on black, stored rotated; labels refer once to the upright and once to the stored picture."""
    upright = np.zeros((160, 120, 3), np.uint8)
    upright[20:60, 30:70] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    for name, picture in (("a", upright), ("g", np.rot90(upright, 2))):
        path = tmp_path / "in" / "images" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(np.rot90(picture, 1))).save(path, exif=exif, quality=95)
    as_seen, as_stored = [30, 20, 40, 40], [20, 120 - 70, 40, 40]
    for part, file, boxes in (("train", "a.jpg", (as_seen, as_stored)), ("val", "g.jpg", (as_seen, as_stored))):
        size = {"width": 160, "height": 120} if says_stored_size else {"width": 120, "height": 160}
        content = {
            "images": [{"id": 1, "file_name": file, **size}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": boxes[says_stored_size]}],
            "categories": [{"id": 1, "name": "face"}],
        }
        write_coco(tmp_path / "in" / "annotations" / f"{part}.json", content)
    run_ingest(tmp_path / "in")
    train = Photographs(tmp_path / "out" / "train")
    photograph = next(iter(train))
    pixels = train.pixels(photograph)
    assert (photograph.width, photograph.height) == (120, 160)
    x, y, w, h = (int(value) for value in photograph.faces[0].bbox)
    assert (x, y, w, h) == (30, 20, 40, 40)
    assert pixels[y + 4 : y + h - 4, x + 4 : x + w - 4].min() > 240
    pixels[y - 4 : y + h + 4, x - 4 : x + w + 4] = 0
    assert pixels.max() < 16


def test_bad_files_are_quarantined_with_a_reason(tmp_path, write_wider, run_ingest):
    outside = tmp_path / "secret.jpg"
    cv2.imwrite(str(outside), noise(50, 50))
    bad: dict[str, tuple] = {
        "empty.jpg": (b"", [LINE]),
        "text.jpg": (b"hello", [LINE]),
        "cut.jpg": (cv2.imencode(".jpg", noise(120, 160))[1].tobytes()[:600], [LINE]),
        "missing.jpg": (None, [LINE]),
        "../../../secret.jpg": (None, [LINE]),
        str(outside): (None, [LINE]),
        "link.jpg": (None, [LINE]),
        "zero\0byte.jpg": (None, [LINE]),
        "n" * 300 + ".jpg": (None, [LINE]),
        "n" * 250 + ".png": (noise(60, 60), [LINE]),
        "large.jpg": (noise(1100, 1000), [LINE]),
    }
    root = write_wider(train={**bad, "good.jpg": good(1)}, val={"golden.jpg": good(2)})
    (root / "WIDER_train" / "images" / "link.jpg").symlink_to(outside)
    counts = run_ingest(root, max_unreadable=95, max_megapixels=1)
    reasons = rejected(tmp_path)
    assert set(reasons) == set(bad)
    assert counts["quarantined"] == len(bad)
    assert reasons["empty.jpg"] == "the file is empty"
    assert "supported format" in reasons["text.jpg"]
    assert reasons["missing.jpg"] == "there is no such file"
    for name in ("../../../secret.jpg", str(outside)):
        assert reasons[name] == "its path leaves the data set"
    assert "a link in its path leads out of the data set" in reasons["link.jpg"]
    assert "max_megapixels" in reasons["large.jpg"]
    assert list(original_names(tmp_path).values()) == ["good.jpg"]
    assert len(tree(tmp_path / "out" / "train" / "images")) == 1


def test_linked_folders_are_followed_inside_the_data_set_only(tmp_path, write_wider, run_ingest):
    names = ["plain.jpg", "inside/a.jpg", "outside/b.jpg"]
    root = write_wider(train={name: good(number) for number, name in enumerate(names)}, val={"g.jpg": good(4)})
    images = root / "WIDER_train" / "images"
    for link, target in (("inside", root / "elsewhere"), ("outside", tmp_path / "nas")):
        (images / link).rename(target)
        (images / link).symlink_to(target)
    counts = run_ingest(root, max_unreadable=50)
    assert set(original_names(tmp_path).values()) == {"plain.jpg", "inside/a.jpg"}
    assert list(rejected(tmp_path)) == ["outside/b.jpg"]
    assert "a link in its path leads out of the data set" in rejected(tmp_path)["outside/b.jpg"]
    assert counts["labels"]["unlisted_photographs"] == 0


def test_too_many_bad_files_are_an_error_and_write_no_data_set(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"a.jpg": good(1), "bad.jpg": (b"", [LINE])}, val={"g.jpg": good(2)})
    with pytest.raises(FacadeError, match=r"1 of 3 photographs \(33.3 %\).*quarantine.csv"):
        run_ingest(root, max_unreadable=20)
    assert set(tree(tmp_path / "out")) == {"quarantine.csv"}
    assert rejected(tmp_path) == {"bad.jpg": "the file is empty"}


def test_duplicate_names_are_rejected(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"a.jpg": good(1), "b.jpg": good(4)}, val={"g.jpg": good(2)})
    labels = root / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels.write_text(labels.read_text() + f"a.jpg\n1\n{LINE}\n")
    assert run_ingest(root, max_unreadable=60)["quarantined"] == 2
    assert rejected(tmp_path) == {"a.jpg": "its name occurs twice in the labels"}


def test_labels_for_another_size_are_rejected(tmp_path, run_ingest):
    for name, size in (
        ("a", (160, 120)),
        ("b", (320, 240)),
        ("\ud800", (160, 120)),
        *((str(n), (160, 120)) for n in range(9)),
    ):
        for part in ("train", "val"):
            path = tmp_path / "in" / "annotations" / f"{part}.json"
            content = json.loads(path.read_text()) if path.is_file() else json.loads(json.dumps(EMPTY))
            number = len(content["images"])
            content["images"].append(
                {"id": number, "file_name": f"{name}{part}.jpg", "width": size[0], "height": size[1]}
            )
            content["annotations"].append(
                {"id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 40, 40]}
            )
            write_coco(path, content)
            if name != "\ud800":
                (tmp_path / "in" / "images").mkdir(exist_ok=True)
                cv2.imwrite(
                    str(tmp_path / "in" / "images" / f"{name}{part}.jpg"), noise(120, 160, number * 2 + (part == "val"))
                )
    run_ingest(tmp_path / "in", max_unreadable=30)
    reasons = rejected(tmp_path)
    assert reasons["btrain.jpg"] == "its labels refer to 320x240 pixels, but it has 160x120"
    assert reasons["\\ud800train.jpg"] == "its name is not valid UTF-8"
    assert len(reasons) == 4


def test_invalid_boxes_are_dropped_and_others_clipped(tmp_path, write_wider, run_ingest):
    lines = [
        "-10 -10 50 60 0 0 0 0 0 0",   # reaches over the corner
        "150 100 400 400 0 0 0 0 0 0",  # reaches over the other corner
        "300 20 30 30 0 0 0 0 0 0",    # outside
        "20 20 0 30 0 0 0 0 0 0",      # no width
        "20 20 30 -5 0 0 0 0 0 0",     # negative height
        "1e9 20 30 30 0 0 0 0 0 0",    # beyond any picture
        "20 20 30 30 0 0 0 0 0 0",
    ]  # fmt: skip
    root = write_wider(train={"a.jpg": (noise(120, 160, 1), lines)}, val={"g.jpg": good(2)})
    counts = run_ingest(root)
    photograph = next(iter(Photographs(tmp_path / "out" / "train")))
    assert [face.bbox for face in photograph.faces] == [(0, 0, 40, 50), (150, 100, 10, 20), (20, 20, 30, 30)]
    assert (counts["boxes_dropped"], counts["boxes_clipped"]) == (4, 2)


def test_small_and_invalid_faces_are_kept_as_ignored(tmp_path, write_wider, run_ingest):
    """The height of a face counts, not its width."""
    lines = ["10 10 30 9 0 0 0 0 0 0", "30 30 40 50 0 0 0 1 0 0", "80 30 40 50 0 0 0 0 2 0", "140 30 9 30 0 0 0 0 0 0"]
    root = write_wider(train={"a.jpg": (noise(120, 160, 1), lines)}, val={"g.jpg": good(2)})
    counts = run_ingest(root, min_face=10)
    faces = next(iter(Photographs(tmp_path / "out" / "train"))).faces
    assert [face.ignore for face in faces] == [True, True, False, False]
    assert faces[2].attributes["occlusion"] == 2
    assert counts["train"]["ignored"] == 2


def test_near_duplicates_of_golden_photographs_are_dropped_from_training(tmp_path, write_wider, run_ingest):
    twin = cv2.resize(noise(240, 320, 7), (160, 120), interpolation=cv2.INTER_AREA)
    root = write_wider(
        train={"twin.jpg": (twin, [LINE]), "other.jpg": good(1)}, val={"g.jpg": (noise(240, 320, 7), [LINE])}
    )
    counts = run_ingest(root)
    assert counts["near_duplicates_dropped"] == 1
    assert list(original_names(tmp_path).values()) == ["other.jpg"]
    assert len(tree(tmp_path / "out" / "train" / "images")) == 1
    assert counts["golden"]["photographs"] == 1, "the golden set stays as it is"


def test_a_changed_golden_set_is_an_error_until_it_is_accepted(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"a.jpg": good(1)}, val={"g.jpg": good(2)})
    lock = run_ingest(root)["golden_lock"]
    assert run_ingest(root, accept=False, golden_lock=lock)["golden_lock"] == lock
    before = tree(tmp_path / "out")
    write_wider(train={"a.jpg": good(1)}, val={"g.jpg": good(3)})
    with pytest.raises(FacadeError, match=rf"fingerprint (?!{lock}).*golden_lock in params.yaml is {lock}"):
        run_ingest(root, accept=False, golden_lock=lock)
    assert tree(tmp_path / "out") == before, "what was there stays as it was"
    write_wider(train={"a.jpg": good(1)}, val={"g.jpg": (noise(120, 160, 2), ["21 30 40 50 0 0 0 0 0 0"])})
    with pytest.raises(FacadeError, match="golden_lock"):
        run_ingest(root, accept=False, golden_lock=lock)


KILLED = """
import os, sys
from pathlib import Path
from facade.dataset import ingest as module
from facade.params import Codec, Ingest

def killed(*arguments):
    os.kill(os.getpid(), 9)

module._write_quarantine = killed  # all photographs are written, no label is
outputs = map(Path, ("out/train", "out/golden", "out/quarantine.csv"))
module.ingest(Ingest(path=Path(sys.argv[1])), Codec(), *outputs, workers=1)
"""


def test_a_killed_ingest_leaves_photographs_to_nobody_else_and_the_next_start_removes_them(
    tmp_path, write_wider, run_ingest
):
    root = write_wider(train={"a.jpg": good(1)}, val={"g.jpg": good(2)})
    (tmp_path / "killed.py").write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run([sys.executable, "killed.py", str(root)], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -9
    left = [tmp_path / "out" / name for name in (".train.partial", ".golden.partial")]
    for folder in left:
        assert len(list(folder.rglob("*.jpg"))) == 1
        assert folder.stat().st_mode & 0o077 == 0
    with pytest.raises(FacadeError):  # even if it stops at once
        run_ingest(tmp_path / "nowhere")
    assert not any(folder.exists() for folder in left)
    run_ingest(root)
    (plain := tmp_path / "plain").mkdir()
    assert (tmp_path / "out/train").stat().st_mode == plain.stat().st_mode, "a finished data set is as open as others"


def test_training_photographs_do_not_affect_the_lock(write_wider, run_ingest):
    lock = run_ingest(write_wider(train={"a.jpg": good(1)}, val={"g.jpg": good(2)}))["golden_lock"]
    again = run_ingest(write_wider(train={"a.jpg": good(4), "b.jpg": good(5)}, val={"g.jpg": good(2)}))
    assert again["golden_lock"] == lock


def test_output_does_not_depend_on_the_number_of_processes(tmp_path, write_wider, run_ingest):
    root = write_wider(train={f"e/{n}.jpg": good(n) for n in range(5)}, val={"g.jpg": good(9)})
    run_ingest(root, workers=1)
    alone = tree(tmp_path / "out")
    run_ingest(root, workers=2)
    assert tree(tmp_path / "out") == alone


def test_a_data_set_without_splits_is_split_by_content(tmp_path, run_ingest):
    images, annotations = [], []
    for number in range(30):
        path = tmp_path / "in" / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), noise(60, 80, number))
        images.append({"id": number, "file_name": path.name})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 30, 30]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    write_coco(tmp_path / "in" / "annotations.json", content)
    run_ingest(tmp_path / "in", golden_share=30)
    golden = {photograph.file for photograph in Photographs(tmp_path / "out" / "golden")}
    names = original_names(tmp_path)
    train = {f"{names[photograph.file]}.jpg" for photograph in Photographs(tmp_path / "out" / "train")}
    assert golden
    assert golden.isdisjoint(train)
    assert golden | train == {f"{number}.png.jpg" for number in range(30)}
    write_coco(tmp_path / "in" / "annotations.json", {**content, "images": images[5:], "annotations": annotations[5:]})
    run_ingest(tmp_path / "in", golden_share=30)
    fewer = {photograph.file for photograph in Photographs(tmp_path / "out" / "golden")}
    assert fewer == golden - {f"{number}.png.jpg" for number in range(5)}, "removing photographs moves no other"


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda root: None, "no such folder"),
        (lambda root: root.mkdir(), "neither WIDER FACE layout"),
        (lambda root: write_coco(root / "annotations.json", EMPTY), "name no photograph"),
    ],
)  # fmt: skip
def test_a_folder_without_a_data_set_is_an_error(tmp_path, run_ingest, prepare, sentence):
    prepare(tmp_path / "in")
    with pytest.raises(FacadeError, match=sentence):
        run_ingest(tmp_path / "in")


def test_a_split_without_faces_is_an_error(write_wider, run_ingest):
    root = write_wider(train={"a.jpg": good(1)}, val={"g.jpg": (noise(120, 160, 2), [])})
    with pytest.raises(FacadeError, match="the golden split .* no face to evaluate in its 1 photographs"):
        run_ingest(root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_quarantined(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"a.jpg": good(1), "no.jpg": good(3)}, val={"g.jpg": good(2)})
    (root / "WIDER_train" / "images" / "no.jpg").chmod(0)
    run_ingest(root, max_unreadable=60)
    assert "Permission denied" in rejected(tmp_path)["no.jpg"]


def test_names_of_training_photographs_are_neutral_and_depend_on_the_content(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"e/Jane Doe.jpg": good(1), "e/twin of Jane.jpg": good(1)}, val={"g.jpg": good(3)})
    run_ingest(root)
    stored = original_names(tmp_path)
    assert sorted(stored.values()) == ["e/Jane Doe.jpg", "e/twin of Jane.jpg"], "equal files, two names"
    assert all(re.fullmatch(r"[0-9a-f]{16}\.jpg", name) for name in stored)
    kept = (tmp_path / "out" / "train" / "annotations.json").read_text()
    assert "Jane" not in kept
    run_ingest(write_wider(train={"e/Jane Doe.jpg": good(9)}, val={"g.jpg": good(3)}))
    assert set(original_names(tmp_path)).isdisjoint(stored), "the name cannot be computed without the file"
