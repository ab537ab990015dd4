"""Names, categories and damages in label files as the field sends them."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from facade.dataset import Photographs
from facade.dataset.categories import is_face_like
from facade.dataset.layouts import read_labels
from facade.dataset.segmentation import box_of_segmentation, rotated_box
from facade.errors import FacadeError
from tests.field.label_writers import WRITERS, yolo
from tests.field.labels_drawing import coco_content, draw, run_ingest, write_json


def write_coco_set(root: Path, drawn, names=lambda one: f"{one.name}.jpg", **options) -> dict:
    content = coco_content(drawn, names, **options)
    write_json(root / "annotations.json", content)
    return content


@pytest.mark.parametrize("written", ["e\\{}.jpg", "e/{}.JPG", ".\\e\\{}.Jpg", "./e/{}.jpg"])
@pytest.mark.parametrize("ending", [".jpg", ".JPG"])
@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_names_are_found_in_every_spelling(tmp_path, params, written, ending, forms):
    drawn = draw(train=4, golden=4)
    for one in drawn:
        name = unicodedata.normalize(forms[0], f"Zoë {one.name}")
        one.save(tmp_path / "in" / "images" / "e" / f"{name}{ending}")
    write_coco_set(
        tmp_path / "in", drawn, lambda one: written.format(unicodedata.normalize(forms[1], f"Zoë {one.name}"))
    )
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=50)
    assert result.right_boxes() == sum(len(one.boxes) for one in drawn)


def test_an_ambiguous_spelling_is_refused(tmp_path, params):
    """Two files, and a label that names neither as it is spelled."""
    drawn = draw(train=8, golden=4)
    loud = f"{drawn[0].name}.jpg".upper()
    write_coco_set(tmp_path / "in", drawn, lambda one: loud if one is drawn[0] else f"{one.name}.jpg")
    for one in drawn:
        one.save(tmp_path / "in" / "images" / f"{one.name}.jpg")
    drawn[1].save(tmp_path / "in" / "images" / f"{drawn[0].name}.jpg".replace("train", "Train"))
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, max_unreadable=50, golden_share=40)
    assert result.quarantine == {loud: "there is no such file"}
    assert result.counts["labels"]["unlisted_photographs"] == 2


@pytest.mark.parametrize("mark", [b"", "\ufeff".encode()])
def test_json_is_read_with_a_byte_order_mark(tmp_path, params, mark):
    drawn = draw()
    write_json(tmp_path / "in" / "annotations.json", coco_content(drawn), mark)
    for one in drawn:
        one.save(tmp_path / "in" / "images" / f"{one.name}.jpg")
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    assert result.right_boxes() == sum(len(one.boxes) for one in drawn)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["wider", "yolo", "yolo_label_studio", "yolo_darknet", "voc", "retinaface"])
def test_text_is_read_with_a_byte_order_mark(tmp_path, params, name, encoding):
    """PowerShell writes UTF-16."""
    drawn = draw()
    WRITERS[name](tmp_path / "in", drawn)
    for path in (tmp_path / "in").rglob("*.*"):
        if path.suffix in (".txt", ".yaml", ".names"):
            path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    assert result.right_boxes() == sum(len(one.boxes) for one in drawn)


def test_names_that_differ_in_their_ending_alone_are_two_photographs(tmp_path, params):
    drawn = draw(train=4, golden=6)
    names = {one.name: f"{one.name}.jpg" for one in drawn}
    twins = ("twin.jpg", "twin.jpeg", "twin.JPG", "again/twin.jpg")
    names |= {one.name: name for one, name in zip(drawn[4:], twins, strict=False)}
    for word, ones in (("train", drawn[:4]), ("val", drawn[4:])):
        write_json(tmp_path / "in" / "annotations" / f"{word}.json", coco_content(ones, lambda one: names[one.name]))
    for one in drawn:
        one.save(tmp_path / "in" / "images" / names[one.name])
    result = run_ingest(tmp_path / "in", tmp_path / "out", params)
    assert result.counts["quarantined"] == 0
    assert result.right_boxes() == sum(len(one.boxes) for one in drawn)
    files = [one.file for one in Photographs(tmp_path / "out" / "golden")]
    assert len({file.lower() for file in files}) == len(files) == 6, "on a disk that knows no case, all are kept"


def test_photographs_of_one_name_in_two_golden_folders_are_both_golden(tmp_path, params):
    drawn = draw(train=4, golden=4)
    for folder, ones in (("train", drawn[:4]), ("valid", drawn[4:6]), ("test", drawn[6:])):
        content = coco_content(ones)
        for number, (image, one) in enumerate(zip(content["images"], ones, strict=True)):
            image["file_name"] = f"frame{number}.jpg"
            one.save(tmp_path / "in" / folder / image["file_name"])
        write_json(tmp_path / "in" / folder / "_annotations.coco.json", content)
    result = run_ingest(tmp_path / "in", tmp_path / "out", params)
    assert result.counts["golden"]["photographs"] == 4
    assert result.right_boxes() == sum(len(one.boxes) for one in drawn)


def test_categories_called_a_face_are_taken_and_the_others_counted(tmp_path, params):
    drawn = draw(train=12, golden=6)
    write_coco_set(tmp_path / "in", drawn, categories=["face", "person", "face_occluded", "face mask"])
    for one in drawn:
        one.save(tmp_path / "in" / "images" / f"{one.name}.jpg")
    labels = read_labels(tmp_path / "in")
    assert labels.faces == {"face", "face_occluded"}
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    result.assert_everything_is_accounted_for()
    assert (
        result.counts["labels"]["other_categories"] == labels.categories["person"] + labels.categories["face mask"] > 0
    )
    every = run_ingest(tmp_path / "in", tmp_path / "all", params, golden_share=40, categories=("Person", "face"))
    assert every.faces == labels.categories["person"] + labels.categories["face"]


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "fiftyone_images", "fiftyone_samples"])
def test_a_category_that_is_not_there_is_refused(tmp_path, name):
    WRITERS[name](tmp_path / "in", draw())
    with pytest.raises(FacadeError, match=r"ingest.categories names 'head', which .* does not have \(it has: face\)"):
        read_labels(tmp_path / "in", ("head",))


def test_categories_of_which_none_is_called_a_face_are_refused(tmp_path):
    write_coco_set(tmp_path / "in", draw(), categories=["head", "person"])
    with pytest.raises(FacadeError, match="ingest.categories"):
        read_labels(tmp_path / "in")
    assert read_labels(tmp_path / "in", ("head",)).faces == {"head"}


@pytest.mark.parametrize(
    ("name", "is_face"),
    [("face", True), ("Faces", True), ("HumanFace", True), ("face-profile", True), ("FACE", True), ("head", False),
     ("surface", False), ("no_face", False), ("not a face", False), ("facemask", False), ("face_mask", False)],
)  # fmt: skip
def test_names_of_faces(name, is_face):
    assert is_face_like(name) is is_face


@pytest.mark.parametrize("box", [None, [], "absent"])
def test_a_face_without_a_box_is_quarantined_by_its_id(tmp_path, params, box):
    drawn = draw()
    content = coco_content(drawn)
    content["annotations"][3] |= {"id": 1234, "bbox": box}
    if box == "absent":
        del content["annotations"][3]["bbox"]
    write_json(tmp_path / "in" / "annotations.json", content)
    for one in drawn:
        one.save(tmp_path / "in" / "images" / f"{one.name}.jpg")
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    assert result.counts["labels"]["without_box"] == 1
    assert "annotation 1234 has no box: it is left out" in result.quarantine.values()
    result.assert_everything_is_accounted_for()


@pytest.mark.parametrize("seed", range(20))
def test_the_box_of_a_mask_equals_pycocotools(seed):
    """Packed and unpacked run lengths of random masks, also such that run over the edge of a column."""
    random = np.random.default_rng(seed)
    mask = np.zeros((int(random.integers(1, 40)), int(random.integers(1, 40))), np.uint8)
    for _ in range(int(random.integers(1, 4))):
        y, x = (int(random.integers(0, side)) for side in mask.shape)
        mask[y : y + int(random.integers(1, 40)), x : x + int(random.integers(1, 40))] = 1
    packed = coco_mask.encode(np.asfortranarray(mask))
    rows, columns = np.nonzero(mask)
    left, top = columns.min(), rows.min()
    expected = (left, top, columns.max() + 1 - left, rows.max() + 1 - top)
    assert tuple(coco_mask.toBbox(packed)) == expected
    assert box_of_segmentation({"size": list(mask.shape), "counts": packed["counts"].decode()}) == expected
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, len(flat)]).tolist()
    runs = runs if flat[0] == 0 else [0, *runs]
    assert box_of_segmentation({"size": list(mask.shape), "counts": runs}) == expected


def test_a_rotated_box_is_enclosed():
    assert rotated_box((10, 20, 30, 10), 90) == pytest.approx((20, 10, 10, 30))
    assert rotated_box((10, 20, 30, 10), 180) == pytest.approx((10, 20, 30, 10))
    assert rotated_box((0, 0, 10, 10), 45) == pytest.approx((5 - 50**0.5, 5 - 50**0.5, 200**0.5, 200**0.5))


def test_cvat_rotates_boxes(tmp_path):
    write_json(
        tmp_path / "annotations.json",
        {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 10],
                             "attributes": {"occluded": False, "rotation": 90.0}}],
            "categories": [{"id": 1, "name": "face"}],
        },
    )  # fmt: skip
    assert read_labels(tmp_path).photographs[0].faces[0].bbox == pytest.approx((20, 10, 10, 30))


def test_labels_in_two_layouts_are_refused(tmp_path):
    drawn = draw()
    WRITERS["coco"](tmp_path, drawn)
    yolo(tmp_path, drawn)
    with pytest.raises(FacadeError, match="several layouts: COCO and YOLO"):
        read_labels(tmp_path)


def test_a_data_set_one_folder_deeper_is_named(tmp_path):
    WRITERS["voc"](tmp_path / "archive", draw())
    with pytest.raises(FacadeError, match=r"holds no labels, but .*archive does"):
        read_labels(tmp_path)


def test_unlabelled_test_files_are_left_out(tmp_path, params):
    drawn = draw()
    WRITERS["coco_as_downloaded"](tmp_path / "in", drawn)
    info = json.loads((tmp_path / "in/annotations/image_info_test2017.json").read_text())
    write_json(tmp_path / "in" / "annotations" / "instances_test2017.json", {**info, "annotations": []})
    result = run_ingest(tmp_path / "in", tmp_path / "out", params)
    assert result.counts["golden"]["photographs"] == 4
    assert result.counts["labels"]["files_left_out"] == 6
    assert result.quarantine["annotations/captions_val2017.json"].startswith("this file is left out")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("0 .5 .5 .1", "found 4 numbers"),
        ("0 .5 .5 .1 .1 .9", "found 6 numbers"),
        ("0 80 40 20 20", "shares of width"),
        ("face .5 .5 .1 .1", "expected a class"),
        ("0 .5 nan .1 .1", "expected a class"),
        ("-1 .5 .5 .1 .1", "expected a class"),
    ],
)
def test_damaged_lines_of_yolo_refuse_their_photograph(tmp_path, line, word):
    drawn = draw()
    yolo(tmp_path, drawn)
    (tmp_path / "labels" / "train" / f"{drawn[0].name}.txt").write_text(f"0 .5 .5 .1 .1\n{line}\n")
    refused = {one.name: one.refused for one in read_labels(tmp_path).photographs if one.refused}
    assert list(refused) == [f"images/train/{drawn[0].name}.jpg"]
    assert f"{drawn[0].name}.txt, line 2: expected" in refused[f"images/train/{drawn[0].name}.jpg"]
    assert word in refused[f"images/train/{drawn[0].name}.jpg"]


def test_fifteen_numbers_may_be_landmarks_or_an_outline(tmp_path):
    drawn = draw()
    yolo(tmp_path, drawn)
    (tmp_path / "labels" / "train" / f"{drawn[0].name}.txt").write_text("0 " + " ".join(["0.5"] * 14))
    with pytest.raises(FacadeError, match=r"add `kpt_shape: \[5, 2\]` to data.yaml"):
        read_labels(tmp_path)


def test_yolo_outlines_and_landmarks_are_read(tmp_path, params):
    drawn = draw()
    yolo(tmp_path / "in", drawn)
    description = tmp_path / "in" / "data.yaml"
    one, two = (tmp_path / "in" / "labels" / "train" / f"{drawn[number].name}.txt" for number in (0, 1))
    one.write_text("0 .25 .25 .5 .25 .5 .5 .25 .5\n")
    labels = {entry.name: entry for entry in read_labels(tmp_path / "in").photographs}
    assert labels[f"images/train/{drawn[0].name}.jpg"].faces[0].bbox == (0.25, 0.25, 0.25, 0.25)
    description.write_text(description.read_text() + "kpt_shape: [5, 3]\n")
    points = " ".join(f"{x} .4 2" for x in (0.3, 0.4, 0.35, 0.31, 0.39))
    one.write_text(f"0 .5 .5 .4 .4 {points}\n")
    two.write_text(f"0 .5 .5 .4 .4 {points.replace('2', '0')}\n")
    labels = {entry.name: entry for entry in read_labels(tmp_path / "in").photographs}
    assert labels[f"images/train/{drawn[0].name}.jpg"].faces[0].keypoints == (
        (0.3, 0.4), (0.4, 0.4), (0.35, 0.4), (0.31, 0.4), (0.39, 0.4),
    )  # fmt: skip
    assert labels[f"images/train/{drawn[1].name}.jpg"].faces[0].keypoints is None, "visibility 0 is no landmark"


def test_a_text_file_that_two_photographs_share_is_refused(tmp_path, params):
    drawn = draw(train=8, golden=4)
    yolo(tmp_path / "in", drawn)
    drawn[1].save(tmp_path / "in" / "images" / "train" / f"{drawn[0].name}.png")
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, max_unreadable=50)
    assert len(result.quarantine) == 2
    assert all("belongs to 2 photographs" in reason for reason in result.quarantine.values())


def test_yaml_aliases_are_refused(tmp_path):
    """A few lines of them stand for more names than fit into memory."""
    yolo(tmp_path, draw())
    laughs = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    (tmp_path / "data.yaml").write_text(f"l0: &l0 [x]\n{laughs}names: *l8\ntrain: images/train\n")
    with pytest.raises(FacadeError, match="YAML aliases"):
        read_labels(tmp_path)


@pytest.mark.parametrize("entity", ['"face"', 'SYSTEM "file:///etc/passwd"'])
def test_xml_entities_are_refused_unexpanded(tmp_path, entity):
    drawn = draw()
    WRITERS["voc"](tmp_path, drawn)
    path = tmp_path / "Annotations" / f"{drawn[0].name}.xml"
    path.write_text(f"<!DOCTYPE a [<!ENTITY x {entity}>]>{path.read_text().replace('face<', '&x;<', 1)}")
    refused = [one for one in read_labels(tmp_path).photographs if one.refused]
    assert [one.name for one in refused] == [f"{drawn[0].name}.jpg"]
    assert "is not a valid XML label file" in refused[0].refused
    assert refused[0].faces == ()


@pytest.mark.parametrize("first", [0, 1])
def test_pixels_of_voc_are_counted_from_1_unless_a_box_begins_at_0(tmp_path, first):
    objects = "".join(
        f"<object><name>face</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + 10}</xmax><ymax>{y + 10}</ymax>"
        "</bndbox></object>"
        for x, y in ((first, first), (20, 20))
    )
    (tmp_path / "a.xml").write_text(f"<annotation><filename>a.jpg</filename>{objects}</annotation>")
    boxes = [face.bbox for face in read_labels(tmp_path).photographs[0].faces]
    assert boxes == ([(0, 0, 10, 10), (20, 20, 10, 10)] if first == 0 else [(0, 0, 11, 11), (19, 19, 11, 11)])


def test_datumaro_lists_photographs_without_faces_by_name_alone(tmp_path):
    (tmp_path / "labels.txt").write_text("face\nplate\n")
    folder = tmp_path / "wider_face_split"
    folder.mkdir()
    (folder / "wider_face_train_bbx_gt.txt").write_text(
        "no_label/a.jpg\nno_label/b.jpg\n3\n1.0 2.0 30.0 40.0 \n5.0 6.0 7.0 8.0 plate\n1 2 3 4 2 - - 1 - 0 \n"
        "no_label/c.jpg\n"
    )
    (folder / "wider_face_val_bbx_gt.txt").write_text("no_label/d.jpg\n")
    labels = read_labels(tmp_path)
    assert [(one.name, len(one.faces)) for one in labels.photographs] == [
        ("no_label/a.jpg", 0), ("no_label/b.jpg", 2), ("no_label/c.jpg", 0), ("no_label/d.jpg", 0),
    ]  # fmt: skip
    assert labels.categories == {"face": 2, "plate": 1}
    assert labels.photographs[1].faces[1].attributes == {"blur": 2, "invalid": 1, "pose": 0}
    assert labels.photographs[1].faces[1].ignore


def test_retinaface_without_boxes_in_val_is_split_by_facade(tmp_path, params):
    """The release lists val's photographs without boxes: they are left out, not taken as photographs without faces."""
    drawn = draw(train=10, golden=2)
    WRITERS["retinaface"](tmp_path / "in", drawn)
    path = tmp_path / "in" / "val" / "label.txt"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if line.startswith("#")))
    result = run_ingest(tmp_path / "in", tmp_path / "out", params, golden_share=40)
    result.assert_everything_is_accounted_for()
    assert result.counts["train"]["photographs"] + result.counts["golden"]["photographs"] == 10
    assert result.counts["labels"]["files_left_out"] == 1
    assert result.counts["labels"]["unlisted_photographs"] == 2
