"""Reading WIDER FACE layout from hand-written files."""

from pathlib import Path

import pytest

from facade.dataset.wider import is_wider, read_wider
from facade.errors import FacadeError

LABELS = """0--Parade/a.jpg
2
10 20 30 40 2 1 0 0 1 0
50 60 8 9 0 0 0 1 0 0
0--Parade/empty.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Hall/b.jpg
1
1 2 3 4 0 0 0 0 0 1
"""


def write(root: Path, train: str, val: str = "") -> Path:
    folder = root / "wider_face_split"
    folder.mkdir(parents=True)
    (folder / "wider_face_train_bbx_gt.txt").write_text(train)
    (folder / "wider_face_val_bbx_gt.txt").write_text(val)
    return root


def test_boxes_attributes_and_splits_are_read(tmp_path):
    root = write(tmp_path, LABELS, "0--Parade/v.jpg\n1\n5 6 7 8 0 0 0 0 0 0\n")
    assert is_wider(root)
    first, empty, third, golden = read_wider(root).photographs
    assert first.name == "0--Parade/a.jpg"
    assert first.folder == root / "WIDER_train" / "images"
    assert first.faces[0].bbox == (10, 20, 30, 40)
    assert first.faces[0].attributes == {
        "blur": 2, "expression": 1, "illumination": 0, "invalid": 0, "occlusion": 1, "pose": 0,
    }  # fmt: skip
    assert [face.ignore for face in first.faces] == [False, True], "an invalid face is ignored, not dropped"
    assert empty.faces == ()
    assert third.faces[0].attributes["pose"] == 1
    assert (first.split, golden.split) == ("train", "golden")


def test_landmarks_are_attached_to_the_face_with_the_same_box(tmp_path):
    root = write(tmp_path, LABELS)
    (root / "WIDER_train").mkdir()
    points = " ".join(f"{x} {y} 0.0" for x, y in [(15, 30), (30, 31), (22, 40), (17, 50), (29, 51)])
    missing = " ".join(["-1 -1 -1"] * 5)
    (root / "WIDER_train" / "label.txt").write_text(
        f"# 0--Parade/a.jpg\n50 60 8 9 {missing} 0.5\n10 20 30 40 {points} 0.9\n"
    )
    faces = read_wider(root).photographs[0].faces
    assert faces[0].keypoints == ((15, 30), (30, 31), (22, 40), (17, 50), (29, 51))
    assert faces[1].keypoints is None, "-1 marks landmarks that were not annotated"


@pytest.mark.parametrize(
    ("labels", "line", "word"),
    [
        ("a.jpg\nmany\n", 2, "number of faces"),
        ("a.jpg\n", 2, "number of faces"),
        ("a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", 4, "expected numbers"),
        ("a.jpg\n1\n1 2 3\n", 3, "found 3 numbers"),
        ("a.jpg\n1\n1 2 three 4 0 0 0 0 0 0\n", 3, "expected numbers"),
        ("a.jpg\n1\n1 2 nan 4 0 0 0 0 0 0\n", 3, "expected numbers"),
        ("a.jpg\n-1\n", 2, "number of faces"),
        ("a.jpg\n²\n", 2, "number of faces"),
        ("a.jpg\n" + "9" * 5000 + "\n", 2, "number of faces"),
    ],
)
def test_a_malformed_label_file_is_an_error_with_its_line(tmp_path, labels, line, word):
    root = write(tmp_path, labels)
    with pytest.raises(FacadeError, match=rf"train_bbx_gt.txt, line {line}: .*{word}"):
        read_wider(root)


def test_a_label_file_that_is_not_text_is_an_error(tmp_path):
    root = write(tmp_path, "")
    (root / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FacadeError, match="not UTF-8 text"):
        read_wider(root)


def test_a_missing_label_file_is_an_error(tmp_path):
    (tmp_path / "wider_face_split").mkdir()
    with pytest.raises(FacadeError, match=r"train_bbx_gt.txt is missing"):
        read_wider(tmp_path)
