"""Labels for stored and for upright pictures: told apart for the whole file, or refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from facade.dataset.orientation import Stored, infer_frames
from facade.dataset.records import Face, Labelled
from tests.field.labels_drawing import Drawn, coco_content, draw, run_ingest, write_json


def write(root: Path, drawn: Sequence[Drawn], orientations: Sequence[int], sizes: str, boxes: str) -> int:
    """A COCO file whose sizes and boxes are each for the stored or the upright pictures; the number of faces."""
    content = coco_content(drawn)
    for image, one, orientation in zip(content["images"], drawn, orientations, strict=True):
        stored = one.stored(orientation)
        if sizes == "stored":
            image.update(width=stored.width, height=stored.height)
        if sizes == "none":
            del image["width"], image["height"]
        one.save(root / "images" / f"{one.name}.jpg", orientation)
        own = [face for face in content["annotations"] if face["image_id"] == image["id"]]
        if boxes == "stored":
            for face, box in zip(own, one.stored_boxes(orientation), strict=True):
                face["bbox"] = list(box)
    write_json(root / "annotations.json", content)
    return len(content["annotations"])


@pytest.mark.parametrize("sizes", ["stored", "upright", "none"])
@pytest.mark.parametrize("boxes", ["stored", "upright"])
@pytest.mark.parametrize("turns", [(6,), (8, 1), (5, 7), (6, 3), (6, 3, 8, 1, 2, 4, 5, 7)])
def test_boxes_are_right_whatever_the_size_says(tmp_path, params, sizes, boxes, turns):
    """Faces far to the right cannot lie in a picture that is turned: they overrule the size (Label Studio's)."""
    drawn = draw(train=12, golden=4)
    orientations = [turns[number % len(turns)] for number in range(len(drawn))]
    faces = write(tmp_path / "in", drawn, orientations, sizes, boxes)
    result = run_ingest(tmp_path / "in", tmp_path / "out", params)
    assert result.counts["quarantined"] == 0
    assert result.right_boxes() == result.faces == faces


@pytest.mark.parametrize("turns", [(3,), (2,), (4, 3)])
def test_half_turns_alone_are_refused_until_the_convention_is_given(tmp_path, params, turns):
    drawn = draw(train=8, golden=4)
    orientations = [turns[number % len(turns)] if number % 4 == 0 else 1 for number in range(len(drawn))]
    faces = write(tmp_path / "in", drawn, orientations, "stored", "stored")
    result = run_ingest(tmp_path / "in", tmp_path / "refused", params, max_unreadable=50)
    assert result.counts["quarantined"] == 3
    assert all("set ingest.label_orientation" in reason for reason in result.quarantine.values())
    assert result.right_boxes() == result.faces < faces
    result.assert_everything_is_accounted_for()
    result = run_ingest(tmp_path / "in", tmp_path / "stored", params, label_orientation="stored")
    assert result.right_boxes() == result.faces == faces


def test_a_photograph_without_faces_is_not_refused(tmp_path, params):
    drawn = [*draw(train=4, golden=4), Drawn("train_empty", "train", draw(1, 0)[0].pixels // 3, ())]
    write(tmp_path / "in", drawn, [1] * 8 + [3], "upright", "upright")
    assert run_ingest(tmp_path / "in", tmp_path / "out", params).counts["quarantined"] == 0


def test_shares_of_the_size_decide_nothing(tmp_path, params):
    """Boxes of YOLO lie inside any picture."""
    from tests.field.label_writers import yolo

    drawn = draw(train=8, golden=4)
    yolo(tmp_path / "in", drawn)
    drawn[0].save(tmp_path / "in" / "images" / "train" / f"{drawn[0].name}.jpg", 6)
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, max_unreadable=50)
    assert list(result.quarantine) == [f"images/train/{drawn[0].name}.jpg"]
    result = run_ingest(tmp_path / "in", tmp_path / "upright", params, label_orientation="upright")
    assert result.right_boxes() == sum(len(one.boxes) for one in drawn)


def labelled(box: tuple[float, float, float, float], size: tuple[int, int] | None) -> Labelled:
    return Labelled("a.jpg", Path(), None, (Face(box),), size)


def test_one_wrong_box_among_many_does_not_overrule_the_size():
    turned = Stored((160, 96), 6)
    right, wrong = labelled((10, 10, 20, 20), (160, 96)), labelled((40, 120, 20, 20), (160, 96))
    assert infer_frames([(right, turned)] * 99 + [(wrong, turned)]) == ["stored"] * 100
    assert infer_frames([(wrong, turned)]) == ["upright"]


def test_boxes_that_contradict_each_other_are_refused():
    turned, half = Stored((160, 96), 6), Stored((160, 96), 3)
    as_upright, as_stored = labelled((40, 120, 20, 20), None), labelled((120, 40, 20, 20), None)
    assert infer_frames([(as_upright, turned), (as_stored, turned), (as_stored, half)]) == [None] * 3


def test_two_tools_in_one_file_are_told_apart_by_their_sizes():
    """What one photograph decides does not hold for others if the file has two conventions."""
    turned, half = Stored((160, 96), 6), Stored((160, 96), 3)
    box = (10.0, 10.0, 20.0, 20.0)
    members = [(labelled(box, (160, 96)), turned), (labelled(box, (96, 160)), turned), (labelled(box, (160, 96)), half)]
    assert infer_frames(members) == ["stored", "upright", None]
