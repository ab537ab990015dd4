"""COCO files that Facade writes: ids, order of fields, and what is left out."""

from facade.dataset.coco_content import CATEGORY, coco_annotation, coco_content, with_annotations
from facade.dataset.records import Photograph

PHOTOGRAPHS = [Photograph("a.jpg", 60, 40, ()), Photograph("b.jpg", 30, 20, (), "fisheye")]


def content():
    faces = [
        [coco_annotation((1, 2, 3, 4)), coco_annotation((5, 6, 7, 8), kind="pasted")],
        [coco_annotation((1, 1, 2, 2))],
    ]
    return coco_content({"synthetic": True}, zip((7, 9), PHOTOGRAPHS, faces, strict=True))


def test_annotations_are_numbered_over_all_photographs_and_point_at_their_own():
    written = content()
    assert [(one["id"], one["image_id"]) for one in written["annotations"]] == [(1, 7), (2, 7), (3, 9)]
    assert list(written) == ["info", "images", "annotations", "categories"]
    assert written["categories"] == [CATEGORY]


def test_only_a_simulated_camera_is_named():
    first, second = content()["images"]
    assert first == {"id": 7, "file_name": "a.jpg", "width": 60, "height": 40}
    assert second["domain"] == "fisheye"


def test_an_annotation_has_cocos_fields_in_their_order():
    face = coco_annotation(
        [0.0, 1.0, 3.333, 2.5], ignore=True, keypoints=[(1, 2), (3.5, 4)], area_digits=1, score=0.25, index=3
    )
    assert list(face.items()) == [
        ("category_id", 1),
        ("bbox", [0.0, 1.0, 3.333, 2.5]),
        ("area", 8.3),
        ("iscrowd", 1),
        ("keypoints", [1, 2, 2, 3.5, 4, 2]),
        ("num_keypoints", 2),
        ("score", 0.25),
        ("index", 3),
    ]


def test_photographs_without_a_kept_annotation_are_left_out():
    all_of_them = content()
    kept = [{**all_of_them["annotations"][2], "best_iou": 0.4}]
    reduced = with_annotations(all_of_them, kept, description="some")
    assert [image["id"] for image in reduced["images"]] == [9]
    assert reduced["annotations"] == kept
    assert reduced["info"] == {"synthetic": True, "description": "some"}
    assert len(all_of_them["images"]) == 2
