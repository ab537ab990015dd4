"""Every layout of labels that the field sends: all boxes are right, and everything in the labels is accounted for."""

import re

import pytest

from facade.dataset.check import check_data_set, report_lines
from facade.dataset.layouts import LAYOUTS, read_labels
from tests.conftest import SHARED
from tests.field.label_writers import WRITERS
from tests.field.labels_drawing import Drawn, draw, run_ingest

# Layouts that do not say which photographs are golden.
UNSPLIT = {
    "coco_ids_as_strings", "coco_outlines", "label_studio", "fiftyone_coco", "fiftyone_images", "yolo_label_studio",
    "yolo_darknet", "voc_fiftyone", "label_studio_json",
}  # fmt: skip
EMPTY = Drawn("train_empty", "train", draw(1, 0)[0].pixels // 4, ())


@pytest.mark.parametrize("name", WRITERS)
def test_every_box_is_right_and_every_annotation_accounted_for(tmp_path, params, name):
    drawn = [*draw(), EMPTY]
    WRITERS[name](tmp_path / "in", drawn)
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    faces = sum(len(one.boxes) for one in drawn)
    assert result.faces == faces
    assert result.right_boxes() == faces
    result.assert_everything_is_accounted_for()
    assert result.counts["train"]["photographs"] + result.counts["golden"]["photographs"] == len(drawn)
    assert result.counts["labels"]["unlisted_photographs"] == 0
    if name not in UNSPLIT:
        golden = sum(one.split == "golden" for one in drawn)
        assert result.counts["golden"]["photographs"] == golden
    if name == "retinaface":
        assert result.counts["train"]["with_landmarks"] == result.counts["train"]["faces"] > 0


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_not_taken_is_counted_in_every_layout(tmp_path, params, name):
    """A missing file, a picture that no label names, and boxes that cannot be used."""
    drawn = draw(train=20, golden=6)
    outside = Drawn(
        "train_outside", "train", drawn[0].pixels // 2 + 9, ((170, 10, 20, 20), *drawn[0].boxes[:1], (5, 5, 0, 9))
    )
    WRITERS[name](tmp_path / "in", [*drawn, outside])
    missing = next(
        path for path in sorted((tmp_path / "in").rglob(f"*{drawn[3].name}.*")) if path.suffix.lower() == ".jpg"
    )
    extra = missing.with_name("nobody_labelled_this.jpg")
    drawn[5].save(extra)
    missing.unlink()
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, max_unreadable=20, golden_share=40)
    result.assert_everything_is_accounted_for()
    counts = result.counts
    assert counts["quarantined"] == 1
    assert counts["labels"]["in_quarantined"] == len(drawn[3].boxes)
    assert any(drawn[3].name in photograph for photograph in result.quarantine)
    assert counts["boxes_dropped"] + counts["labels"]["without_box"] == 2
    assert counts["labels"]["unlisted_photographs"] == 1


@pytest.mark.parametrize("name", WRITERS)
def test_check_says_what_ingest_then_does(tmp_path, params, name):
    drawn = [*draw(), EMPTY]
    WRITERS[name](tmp_path / "in", drawn)
    settings = params.ingest.model_copy(update={"path": tmp_path / "in", "golden_share": 40})
    checked = check_data_set(settings)
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    assert sum(len(one.faces) for one in checked.taken) == result.faces
    assert len(checked.refused) == result.counts["quarantined"]
    assert checked.problems == []
    text = "\n".join(report_lines(checked))
    assert checked.labels.layout in text
    assert re.search(r"faces: face \(\d+\)", text)


def test_every_layout_is_written_by_a_writer(tmp_path):
    read = set()
    for name, write in WRITERS.items():
        write(tmp_path / name, draw())
        read.add(read_labels(tmp_path / name).layout)
    assert read == {layout.name for layout in LAYOUTS}


# Rows of ../shared/cases/README.md: call, and how many train and golden photographs and faces are right.
CASES = {
    "val-parts": (12, 32, 8, 22), "two-face-categories": (12, 32, 8, 22), "bom-wider": (12, 32, 8, 22),
    "cvat-wider": (12, 32, 8, 22), "train-test": (12, 32, 8, 22), "roboflow": (12, 32, 8, 22), "yolo": (12, 32, 8, 22),
    "bbox-null": (12, 31, 8, 22),
}  # fmt: skip


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the inputs from the field are not at hand")
@pytest.mark.parametrize("name", CASES)
def test_inputs_from_the_field(tmp_path, params, name):
    result = run_ingest(SHARED / "cases" / name / "in", tmp_path, params)
    counts = result.counts
    found = [counts[split][key] for split in ("train", "golden") for key in ("photographs", "faces")]
    assert tuple(found) == CASES[name]
    result.assert_everything_is_accounted_for()
    assert counts["labels"]["without_box"] == (name == "bbox-null")


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the inputs from the field are not at hand")
@pytest.mark.parametrize("name", ["exif-180-among-90", "labelstudio-exif"])
def test_rotated_inputs_from_the_field(tmp_path, params, name):
    """The same photographs without EXIF rotation are in another input: boxes must be equal in the upright pictures."""
    result = run_ingest(SHARED / "cases" / name / "in", tmp_path / "out", params)
    upright = run_ingest(SHARED / "cases" / "val-parts" / "in", tmp_path / "upright", params)
    result.assert_everything_is_accounted_for()

    def boxes(one) -> list:
        return sorted(
            [photograph.width, photograph.height, *sorted(face.bbox for face in photograph.faces)]
            for _, photograph in one.photographs
        )

    assert boxes(result) == boxes(upright)
    assert result.faces == 54
