"""The own formats of CVAT, Datumaro and Label Studio, as these tools export them; boxes were worked out by hand."""

import json

import cv2
import numpy as np
import pytest

from facade.dataset.layouts import read_labels
from facade.dataset.orientation import Stored, upright_faces
from facade.errors import FacadeError

# A photograph of 200 x 100 pixels.
PIXELS = np.zeros((100, 200, 3), np.uint8)


def read(root):
    """Labels, and by photograph the boxes in pixels."""
    labels = read_labels(root)
    stored = Stored((200, 100), 1)
    return labels, {one.name: [face.bbox for face in upright_faces(one, stored)] for one in labels.photographs}


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), PIXELS)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>faces</name><size>3</size><mode>annotation</mode><overlap>0</overlap><subset>default</subset>
      <labels>
        <label><name>face</name><color>#fa3253</color><type>any</type><attributes></attributes></label>
        <label><name>person</name><color>#33ddff</color><type>any</type><attributes></attributes></label>
      </labels>
    </task>
    <dumped>2025-05-05 10:00:00.000000+00:00</dumped>
  </meta>
  <image id="0" name="a.png" width="200" height="100">
    <box label="face" source="manual" occluded="0" xtl="10.00" ytl="20.00" xbr="50.00" ybr="40.00" z_order="0">
      <attribute name="glasses">true</attribute>
    </box>
    <box label="face" source="manual" occluded="0" xtl="10.00" ytl="20.00" xbr="50.00" ybr="40.00" rotation="90.00"
      z_order="0"></box>
    <polygon label="face" source="manual" occluded="0" points="60.00,10.00;70.00,10.00;65.00,30.00" z_order="0"/>
    <ellipse label="face" source="manual" occluded="0" cx="100.00" cy="50.00" rx="20.00" ry="10.00" rotation="90.00"
      z_order="0"/>
    <mask label="face" source="semi-auto" occluded="0" rle="3, 5" left="120" top="60" width="4" height="2" z_order="0"/>
    <box label="person" source="manual" occluded="1" xtl="0.00" ytl="0.00" xbr="100.00" ybr="100.00" z_order="0"/>
    <points label="face" source="manual" occluded="0" points="12.00,22.00" z_order="0"/>
    <box label="face" source="manual" occluded="0" outside="1" xtl="1.00" ytl="1.00" xbr="9.00" ybr="9.00" z_order="0"/>
    <tag label="person" source="manual"/>
  </image>
  <image id="1" name="b.png" width="200" height="100">
  </image>
</annotations>
"""


def test_cvat_for_images(tmp_path):
    (tmp_path / "annotations.xml").write_text(CVAT)
    for name in ("a.png", "b.png"):
        picture(tmp_path / "images" / name)
    labels, boxes = read(tmp_path)
    assert labels.layout == "CVAT"
    np.testing.assert_allclose(
        boxes["a.png"],
        [(10, 20, 40, 20), (20, 10, 20, 40), (60, 10, 10, 20), (90, 30, 20, 40), (120, 60, 4, 2)],
    )
    assert boxes["b.png"] == []
    assert labels.categories == {"face": 6, "person": 2, "(outside)": 1}
    assert labels.photographs[0].without_box == ("shape 7",)


def test_cvat_of_a_video_is_refused_with_what_to_export(tmp_path):
    (tmp_path / "annotations.xml").write_text(
        '<annotations><version>1.1</version><track id="0" label="face"><box frame="0" outside="0" xtl="1" ytl="1" '
        'xbr="9" ybr="9"/></track></annotations>'
    )
    with pytest.raises(FacadeError, match="Export the task as 'CVAT for images 1.1'"):
        read_labels(tmp_path)


DATUMARO = {
    "dm_format_version": "1.0",
    "media_type": 2,
    "infos": {},
    "categories": {
        "label": {
            "labels": [
                {"name": "person", "parent": "", "attributes": []},
                {"name": "face", "parent": "", "attributes": ["occluded"]},
            ],
            "label_groups": [],
            "attributes": [],
        },
        "points": {"items": []},
    },
    "items": [
        {
            "id": "sub/a",
            "annotations": [
                {"id": 0, "type": "bbox", "attributes": {"occluded": False}, "group": 0, "label_id": 1, "z_order": 0,
                 "bbox": [10.0, 20.0, 40.0, 20.0]},
                {"id": 1, "type": "bbox", "attributes": {"rotation": 90.0}, "group": 0, "label_id": 1, "z_order": 0,
                 "bbox": [10.0, 20.0, 40.0, 20.0]},
                {"id": 2, "type": "polygon", "attributes": {}, "group": 0, "label_id": 1, "z_order": 0,
                 "points": [60.0, 10.0, 70.0, 10.0, 65.0, 30.0]},
                {"id": 3, "type": "ellipse", "attributes": {}, "group": 0, "label_id": 1, "z_order": 0,
                 "points": [80.0, 40.0, 120.0, 60.0]},
                # Columns of 100 pixels: rows 60 and 61 of columns 120 to 123.
                {"id": 4, "type": "mask", "attributes": {}, "group": 0, "label_id": 1, "z_order": 0,
                 "rle": {"counts": [12060, 2, 98, 2, 98, 2, 98, 2, 7638], "size": [100, 200]}},
                {"id": 5, "type": "points", "attributes": {}, "group": 0, "label_id": 1, "z_order": 0,
                 "points": [12.0, 22.0], "visibility": [2]},
                {"id": 6, "type": "label", "attributes": {}, "group": 0, "label_id": 0},
                {"id": 7, "type": "caption", "attributes": {}, "group": 0, "caption": "a person"},
            ],
            "attr": {"frame": 0},
            "image": {"path": "sub/a.png", "size": [100, 200]},
        },
        {"id": "b", "annotations": [], "attr": {}, "media": {"path": ""}},
    ],
}  # fmt: skip


def test_datumaro(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/default.json").write_text(json.dumps(DATUMARO))
    picture(tmp_path / "images/default/sub/a.png")
    picture(tmp_path / "images/default/b.png")
    labels, boxes = read(tmp_path)
    assert labels.layout == "Datumaro"
    np.testing.assert_allclose(
        boxes["sub/a.png"],
        [(10, 20, 40, 20), (20, 10, 20, 40), (60, 10, 10, 20), (80, 40, 40, 20), (120, 60, 4, 2)],
    )
    assert boxes["b.png"] == []
    assert labels.categories == {"face": 6, "person": 1, "(no label)": 1}
    assert labels.photographs[0].without_box == ("annotation 6",)


@pytest.mark.parametrize("number", [-1, 2, "1", 0.5])
def test_datumaro_with_a_label_that_is_none_is_refused(tmp_path, number):
    content = json.loads(json.dumps(DATUMARO))
    content["items"][0]["annotations"][0]["label_id"] = number
    (tmp_path / "default.json").write_text(json.dumps(content))
    with pytest.raises(FacadeError, match="not a valid export of Datumaro"):
        read_labels(tmp_path)


def region(kind, value, **more):
    named = {} if kind in ("rectangle", "relation") else {kind: ["Face"]}
    return {
        "original_width": 200, "original_height": 100, "image_rotation": 0, "value": {**value, **named}, "id": "x1",
        "from_name": "label", "to_name": "image", "type": kind, "origin": "manual", **more,
    }  # fmt: skip


def task(number, address, *results, **more):
    annotation = {
        "id": number, "completed_by": 1, "result": list(results), "was_cancelled": False, "ground_truth": False,
        "created_at": "2025-05-05T10:00:00.000000Z", "lead_time": 9.5, "prediction": {}, "result_count": len(results),
    }  # fmt: skip
    return {
        "id": number, "annotations": [annotation], "drafts": [], "predictions": [], "data": {"image": address},
        "meta": {}, "project": 1, "total_annotations": 1, "cancelled_annotations": 0, "file_upload": "a.png",
    } | more  # fmt: skip


def export(root, *tasks):
    root.mkdir(parents=True, exist_ok=True)
    (root / "project-1-at-2025-05-05-10-00-1a2b3c4d.json").write_text(json.dumps(tasks))


def test_label_studio(tmp_path):
    shapes = [
        region("rectanglelabels", {"x": 5, "y": 20, "width": 20, "height": 20, "rotation": 0}, id="r1"),
        # Turned by 90 degrees about its upper left corner (50, 20): it reaches 20 to the left and 40 down.
        region("rectanglelabels", {"x": 25, "y": 20, "width": 20, "height": 20, "rotation": 90}, id="r2"),
        region("polygonlabels", {"points": [[30, 10], [35, 10], [32.5, 30]], "closed": True}, id="r3"),
        region("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 10, "rotation": 90}, id="r4"),
        # <Rectangle> and <Labels> give two results with one id.
        region("rectangle", {"x": 60, "y": 60, "width": 2, "height": 2, "rotation": 0}, id="r5"),
        region("labels", {"x": 60, "y": 60, "width": 2, "height": 2, "rotation": 0}, id="r5"),
        region("keypointlabels", {"x": 6, "y": 22, "width": 0.5}, id="r6"),
        region("brushlabels", {"format": "rle", "rle": [0, 1, 2]}, id="r7"),
        {"id": "c1", "type": "choices", "value": {"choices": ["indoors"]}, "from_name": "c", "to_name": "image"},
        {"from_id": "r1", "to_id": "r2", "type": "relation", "direction": "right"},
    ]
    shapes[0]["value"]["rectanglelabels"] = ["Face", "Occluded"]
    nobody = task(4, "/data/upload/1/00000000-unlabelled.png") | {
        "annotations": [],
        "predictions": [{"result": shapes}],
    }
    skipped = task(5, "/data/upload/1/00000000-skipped.png", shapes[0])
    skipped["annotations"][0]["was_cancelled"] = True
    export(
        tmp_path,
        task(1, "/data/upload/1/1a2b3c4d-a.png", *shapes),
        task(2, "/data/local-files/?d=mine%5Csub/b%20c.png"),
        task(3, "s3://bucket/images/d.png"),
        nobody,
        skipped,
    )
    for name in ("images/a.png", "sub/b c.png", "images/d.png", "images/unlabelled.png", "images/skipped.png"):
        picture(tmp_path / name)
    labels, boxes = read(tmp_path)
    assert labels.layout == "Label Studio"
    assert list(boxes) == ["a.png", "sub/b c.png", "images/d.png"]
    np.testing.assert_allclose(
        boxes["a.png"],
        [(10, 20, 40, 20), (30, 20, 20, 40), (60, 10, 10, 20), (90, 30, 20, 40), (120, 60, 4, 2)],
    )
    assert boxes["sub/b c.png"] == boxes["images/d.png"] == []
    assert labels.categories == {"Face": 7, "Occluded": 1}
    assert len(labels.photographs[0].without_box) == 2


def test_label_studio_tasks_that_do_not_tell_their_boxes_are_refused(tmp_path):
    face = region("rectanglelabels", {"x": 5, "y": 20, "width": 20, "height": 20, "rotation": 0})
    two, one_true = task(1, "a.png", face), task(2, "b.png", face)
    for both in (two, one_true):
        both["annotations"].append({**both["annotations"][0], "id": 9})
    one_true["annotations"][1]["ground_truth"] = True
    turned = task(3, "c.png", face | {"image_rotation": 90})
    pages = task(4, "d.png", face) | {"data": {"front": "d.png", "back": "e.png"}}
    export(tmp_path, two, one_true, turned, pages)
    reasons = {one.name: one.refused for one in read_labels(tmp_path).photographs}
    assert "2 people annotated it" in reasons["a.png"]
    assert reasons["b.png"] == ""
    assert "turned in Label Studio" in reasons["c.png"]
    assert "names 2 pictures" in reasons["d.png"]


def test_label_studios_short_json_is_refused_with_what_to_export(tmp_path):
    box = {"x": 5, "y": 20, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["Face"]}
    minimal = {"image": "/data/upload/1/a.png", "id": 1, "annotator": 1, "annotation_id": 1, "label": [box]}
    export(tmp_path, minimal)
    with pytest.raises(FacadeError, match="JSON-MIN.*Export the project as JSON"):
        read_labels(tmp_path)
