"""Records for auditors: of a file, of a run, as a table; masks; records without pixels."""

import hashlib
import json

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask

from facade import Anonymizer
from facade.errors import FacadeError
from facade.footage.clip import read_clip
from facade.footage.masks import changed_mask, run_lengths
from facade.footage.record import FaceTable
from facade.footage.run_record import RUN_RECORD, write_face_table
from facade.footage.video import read_frames
from facade.storage import to_path
from tests.audit.portraits import portrait
from tests.footage.films import film_of_people


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """A photograph and a video of 12 frames, in which one frame's labels are missing; and a COCO file."""
    root = tmp_path_factory.mktemp("records")
    (root / "in").mkdir()
    pixels, face = portrait()
    cv2.imwrite(str(root / "in/a.png"), pixels)
    boxes = film_of_people(root / "in/c.mp4", 12)
    images = [{"id": 1, "file_name": "a.png"}]
    images += [{"id": 10 + n, "file_name": "c.mp4", "frame": n} for n in range(len(boxes))]
    marked = [(1, list(face.bbox))]
    marked += [(10 + n, row.tolist()) for n, rows in enumerate(boxes) if n != 5 for row in rows]
    content = {
        "images": images,
        "annotations": [{"id": n, "image_id": i, "bbox": b} for n, (i, b) in enumerate(marked)],
    }
    (root / "faces.json").write_text(json.dumps(content))
    content["annotations"] = content["annotations"][1:2]
    (root / "exempt.json").write_text(json.dumps(content))
    return root, pixels, face, boxes


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_record_lists_every_box_with_its_origin_and_the_sums_of_both_files(footage, tmp_path):
    root, _, face, boxes = footage
    outcomes = Anonymizer(boxes=root / "faces.json").folder(root / "in", tmp_path / "out", workers=1)
    assert [one.status for one in outcomes] == ["done", "done"]
    photograph, video = (json.loads((tmp_path / "out" / f"{name}.json").read_text()) for name in ("a.png", "c.mp4"))
    for name, record in (("a.png", photograph), ("c.mp4", video)):
        assert record["source"]["sha256"] == sha256(root / "in" / name)
        assert record["source"]["bytes"] == (root / "in" / name).stat().st_size
        assert record["result"]["sha256"] == sha256(tmp_path / "out" / name)
        assert record["detector"]["sha256"] == sha256(root / "faces.json")
        assert record["treatment"]["method"] == "gaussian"
    (one,) = photograph["faces"]
    assert one == {"frame": 0, "bbox": [round(v, 2) for v in face.bbox], "score": None, "origin": "labeled"}
    assert video["counts"] == {"pictures": 12, "faces": 24, "interpolated": 2, "tracks": 2, "exempt": 0}
    for row in video["faces"]:
        assert row["origin"] == ("interpolated" if row["frame"] == 5 else "labeled")
        if row["frame"] != 5:
            assert np.abs(boxes[row["frame"]] - row["bbox"]).max(1).min() < 0.01
    assert [row["frame"] for row in video["faces"]] == sorted(row["frame"] for row in video["faces"])


def test_records_are_the_same_to_the_byte_and_only_the_run_holds_times(footage, tmp_path):
    root, *_ = footage
    for name in ("one", "two"):
        Anonymizer(boxes=root / "faces.json").folder(root / "in", tmp_path / name, workers=1)
    for name in ("a.png.json", "c.mp4.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    run = json.loads((tmp_path / "one" / RUN_RECORD).read_text())
    assert run["seconds"] > 0
    assert run["counts"] == {
        "files": 2, "failed": 0, "left_out": 0, "pictures": 13, "faces": 25, "interpolated": 2, "exempt": 0,
    }  # fmt: skip


def test_left_out_files_and_failures_are_in_the_record_of_the_run(footage, tmp_path):
    root, *_ = footage
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes((root / "in/a.png").read_bytes())
    (tmp_path / "in/c.mp4").write_bytes(b"no video")
    (tmp_path / "in/notes.txt").write_text("Jane")
    Anonymizer(boxes=root / "faces.json").folder(tmp_path / "in", tmp_path / "out", workers=1)
    run = json.loads((tmp_path / "out" / RUN_RECORD).read_text())
    assert [(one["file"], one["status"]) for one in run["files"]] == [("a.png", "done"), ("c.mp4", "failed")]
    assert "c.mp4" in run["files"][1]["error"]
    assert [one["what"].endswith("notes.txt") for one in run["left_out"]] == [True]


def test_a_table_holds_the_faces_of_all_files_exempt_ones_marked(footage, tmp_path):
    root, _, _, boxes = footage
    anonymizer = Anonymizer(boxes=root / "faces.json", exempt=root / "exempt.json")
    outcomes = anonymizer.folder(root / "in", tmp_path / "out", workers=1)
    assert write_face_table(tmp_path / "faces.parquet", outcomes) == 25
    table = pq.read_table(tmp_path / "faces.parquet").to_pandas()
    assert table.groupby("file").size().to_dict() == {"a.png": 1, "c.mp4": 24}
    exempt = table[table.exempt]
    assert set(exempt.frame) == {0, 1, 2, 3, 4}, "one person, until the frame without a detection"
    assert np.abs(exempt.iloc[0][["x", "y", "width", "height"]].to_numpy(float) - boxes[0][0]).max() < 0.01
    with pytest.raises(FacadeError, match=r"must end in \.parquet"):
        write_face_table(tmp_path / "faces.csv", outcomes)


def test_masks_mark_exactly_the_pixels_that_changed(footage, tmp_path):
    root, pixels, _, _ = footage
    Anonymizer(boxes=root / "faces.json", method="solid", masks=True).folder(root / "in", tmp_path / "out", workers=1)
    mask = cv2.imread(str(tmp_path / "out/a.png.mask.png"), cv2.IMREAD_UNCHANGED)
    after = cv2.imread(str(tmp_path / "out/a.png"))
    np.testing.assert_array_equal(mask, 255 * (after != pixels).any(2).astype(np.uint8))
    masks = json.loads((tmp_path / "out/c.mp4.masks.json").read_text())
    clip = read_clip(root / "in/c.mp4", 100)
    assert len(masks) == 12
    after_clip = read_clip(tmp_path / "out/c.mp4", 100)
    for one, before, after in zip(masks, read_frames(clip, 0, 12), read_frames(after_clip, 0, 12), strict=True):
        changed = coco_mask.decode(coco_mask.frPyObjects(one, *one["size"])).astype(bool)
        difference = np.abs(before.pixels.astype(int) - after.pixels.astype(int)).max(2)
        assert changed.any()
        # Outside the mask there is the codec alone; inside, the faces are gone.
        assert difference[~cv2.dilate(changed.astype(np.uint8), np.ones((9, 9))).astype(bool)].mean() < 4
        assert difference[changed].mean() > 12


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_are_those_of_pycocotools(seed):
    random = np.random.default_rng(seed)
    mask = random.random((7, 11)) < random.random()
    mask[0, 0] = seed % 2
    encoded = run_lengths(mask)
    assert sum(encoded["counts"]) == mask.size
    np.testing.assert_array_equal(coco_mask.decode(coco_mask.frPyObjects(encoded, 7, 11)), mask)


def test_a_change_in_one_channel_counts():
    before = np.zeros((2, 2, 3), np.uint8)
    after = before.copy()
    after[1, 0, 2] = 1
    np.testing.assert_array_equal(changed_mask(before, after), [[False, False], [True, False]])


def test_records_only_writes_no_pixels_and_is_resumed(footage, tmp_path):
    root, *_ = footage
    anonymizer = Anonymizer(boxes=root / "faces.json", records_only=True)
    anonymizer.folder(root / "in", tmp_path / "out", workers=1)
    written = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written == {"a.png.json", "c.mp4.json", RUN_RECORD}
    record = json.loads((tmp_path / "out/c.mp4.json").read_text())
    assert record["result"] is None
    assert len(record["faces"]) == 24
    again = anonymizer.folder(root / "in", tmp_path / "out", workers=1)
    assert [one.status for one in again] == ["already done", "already done"]


def test_tables_of_photographs_are_joined_by_name():
    tables = [FaceTable([name], np.full((1, 4), 3.0), np.array([0.5])) for name in ("x.jpg", "y.jpg")]
    rows = list(FaceTable.joined(tables).rows())
    assert [row["picture"] for row in rows] == ["x.jpg", "y.jpg"]
    assert rows[0] == {"picture": "x.jpg", "bbox": [3.0, 3.0, 3.0, 3.0], "score": 0.5, "origin": "detected"}
    assert not list(FaceTable.joined([]).rows())


def test_masks_of_shards_are_refused_before_the_work(footage, tmp_path):
    root, *_ = footage
    (tmp_path / "000.tar").write_bytes(b"")
    with pytest.raises(FacadeError, match="not for shards"):
        Anonymizer(boxes=root / "faces.json", masks=True).run([tmp_path / "000.tar"], to_path(str(tmp_path / "out")))
