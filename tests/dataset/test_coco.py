"""Reading COCO layout from hand-written files."""

import cv2
import pytest

from facade.dataset.coco import annotation_files, read_coco
from facade.errors import FacadeError
from tests.conftest import noise, write_coco

CONTENT = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 160, "height": 120}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0, "occlusion": 2,
         "keypoints": [12, 30, 2, 30, 30, 1, 20, 40, 2, 14, 50, 2, 28, 50, 2]},
        {"id": 2, "image_id": 7, "category_id": 3, "bbox": [50, 60, 8, 9], "iscrowd": 1},
        {"id": 3, "image_id": 7, "category_id": 9, "bbox": [0, 0, 100, 100]},
        {"id": 4, "image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4],
         "keypoints": [12, 30, 2, 30, 30, 0, 20, 40, 2, 14, 50, 2, 28, 50, 2]},
    ],
    "categories": [{"id": 9, "name": "person"}, {"id": 3, "name": "Face"}],
}  # fmt: skip


def test_faces_keypoints_and_crowds_are_read(tmp_path):
    write_coco(tmp_path / "annotations" / "faces.json", CONTENT)
    first, second = read_coco(tmp_path).photographs
    assert (first.name, first.size, first.split) == ("a.jpg", (160, 120), None)
    assert [face.bbox for face in first.faces] == [(10, 20, 30, 40), (50, 60, 8, 9)], "persons are not faces"
    assert first.faces[0].keypoints == ((12, 30), (30, 30), (20, 40), (14, 50), (28, 50))
    assert first.faces[0].attributes == {"occlusion": 2}
    assert first.faces[1].ignore
    assert second.size is None
    assert second.faces[0].keypoints is None, "landmarks are used only if all five are labelled"


@pytest.mark.parametrize("folder", ["images", ".", "train2017", "annotations"])
def test_images_are_found_in_the_usual_folders(tmp_path, folder):
    write_coco(tmp_path / "annotations" / "instances_train2017.json", CONTENT)
    write_coco(tmp_path / "annotations" / "instances_val2017.json", {**CONTENT, "images": [], "annotations": []})
    (tmp_path / folder).mkdir(exist_ok=True)
    cv2.imwrite(str(tmp_path / folder / "a.jpg"), noise(120, 160))
    entry = read_coco(tmp_path).photographs[0]
    assert (entry.folder / entry.name).is_file()
    assert entry.split == "train"


def test_splits_are_identified_by_file_names(tmp_path):
    for name in ("my_train", "my_golden"):
        write_coco(tmp_path / "annotations" / f"{name}.json", CONTENT)
    files, _ = annotation_files(tmp_path)
    assert {file.split: file.path.stem for file in files} == {"train": "my_train", "golden": "my_golden"}


def test_files_of_unknown_split_are_refused(tmp_path):
    for name in ("one", "two"):
        write_coco(tmp_path / "annotations" / f"{name}.json", CONTENT)
    with pytest.raises(FacadeError, match="one.json, two.json"):
        read_coco(tmp_path)


def test_all_face_categories_are_read(tmp_path):
    content = {**CONTENT, "categories": [{"id": 9, "name": "face"}, {"id": 3, "name": "Face"}]}
    write_coco(tmp_path / "annotations.json", content)
    assert len(read_coco(tmp_path).photographs[0].faces) == 3


def test_trainval_is_training_and_test_is_golden(tmp_path):
    for name in ("instances_trainval", "instances_test"):
        write_coco(tmp_path / "annotations" / f"{name}.json", CONTENT)
    files, _ = annotation_files(tmp_path)
    assert {file.split: file.path.stem for file in files} == {
        "train": "instances_trainval",
        "golden": "instances_test",
    }


@pytest.mark.parametrize("name", ["n" * 300 + ".jpg", "a\0b.jpg"])
def test_impossible_file_names_are_read(tmp_path, name):
    write_coco(
        tmp_path / "annotations.json",
        {**CONTENT, "images": [{"id": 7, "file_name": name}, {"id": 8, "file_name": "b.jpg"}]},
    )
    assert read_coco(tmp_path).photographs[0].name == name


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"images": None}, "not a valid COCO"),
        ({"annotations": [{"id": 1, "image_id": 99, "category_id": 3, "bbox": [1, 2, 3, 4]}]}, "KeyError: 99"),
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]}, "not a valid COCO"),
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": "abcd"}]}, "not a valid COCO"),
        ({"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]}, "no category 'face'.*cat, dog"),
        ({"images": [CONTENT["images"][0]] * 2}, "same id"),
    ],
)
def test_a_malformed_file_is_an_error(tmp_path, change, word):
    write_coco(tmp_path / "annotations.json", {**CONTENT, **change})
    with pytest.raises(FacadeError, match=rf"(?s)annotations.json.*{word}"):
        read_coco(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00", "[" * 100_000, "9" * 5000])
def test_a_file_that_is_not_coco_json_is_an_error(tmp_path, text):
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(FacadeError, match=r"annotations\.json"):
        read_coco(tmp_path)
