"""Missed faces: the runs that miss them, the closest detections, and their order."""

import csv
import io

from facade.measure.false_negatives import as_coco, as_table, false_negatives
from facade.measure.golden_evaluation import read_evaluation


def test_every_missed_face_is_listed_once_with_the_runs_that_miss_it(evaluation):
    content, _ = evaluation
    missed = {one.face["id"]: one for one in false_negatives(content)}
    for index, face in enumerate(content.scored_faces):
        expected = {
            arm: [seed for seed, one in zip(content.seeds, own, strict=True) if not one.detected[index]]
            for arm, own in content.points.items()
        }
        expected = {arm: seeds for arm, seeds in expected.items() if seeds}
        assert (face["id"] in missed) == bool(expected)
        if expected:
            assert missed[face["id"]].missed_by == expected
            assert missed[face["id"]].share == sum(map(len, expected.values())) / 9


def test_hardest_faces_come_first(evaluation):
    missed = false_negatives(evaluation[0])
    keys = [(-one.share, one.best_score) for one in missed]
    assert keys == sorted(keys)
    assert missed[0].share == 1


def test_run_without_a_threshold_is_not_counted(write_evaluation):
    truth, calibration, folders, settings = write_evaluation()
    calibration["blur"] = {**calibration["blur"], "annotations": []}
    evaluation = read_evaluation(truth, calibration, folders, settings)
    assert all("blur" not in one.missed_by for one in false_negatives(evaluation))


def test_coco_file_and_table_agree(evaluation):
    content, _ = evaluation
    for number, face in enumerate(content.truth["annotations"]):
        face["occlusion"] = number % 3
    missed = false_negatives(content)
    coco = as_coco(content.truth, missed)
    rows = list(csv.DictReader(io.StringIO(as_table(missed))))
    assert len(coco["annotations"]) == len(rows) == len(missed)
    assert {one["image_id"] for one in coco["annotations"]} == {image["id"] for image in coco["images"]}
    first, row = coco["annotations"][0], rows[0]
    assert set(first) - {"missed_share", "missed_by", "best_iou", "best_score"} == set(missed[0].face)
    assert [float(row[name]) for name in ("x", "y", "width", "height")] == first["bbox"]
    assert int(row["occlusion"]) == first["occlusion"]
    assert row["by"].count("seed") == len(first["missed_by"])
