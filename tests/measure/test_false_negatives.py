"""Missed faces: who missed them, how nearly they were found, and in which order they come."""

import csv
import io

from facade.measure.false_negatives import as_coco, as_table, misses
from facade.measure.golden_evaluation import read_evaluation


def test_every_missed_face_is_there_once_with_the_runs_that_missed_it(study):
    content, _ = study
    missed = {one.face["id"]: one for one in misses(content)}
    for place, face in enumerate(content.scored):
        expected = {
            arm: [seed for seed, one in zip(content.seeds, own, strict=True) if not one.found[place]]
            for arm, own in content.outcomes.items()
        }
        expected = {arm: seeds for arm, seeds in expected.items() if seeds}
        assert (face["id"] in missed) == bool(expected)
        if expected:
            assert missed[face["id"]].missed_by == expected
            assert missed[face["id"]].share == sum(map(len, expected.values())) / 9


def test_the_most_surely_missed_come_first(study):
    found = misses(study[0])
    keys = [(-one.share, one.best_score) for one in found]
    assert keys == sorted(keys)
    assert found[0].share == 1


def test_a_run_without_a_threshold_misses_nothing_that_is_known(write_study):
    truth, calibration, folders, settings = write_study()
    calibration["blur"] = {**calibration["blur"], "annotations": []}
    study = read_evaluation(truth, calibration, folders, settings)
    assert all("blur" not in one.missed_by for one in misses(study))


def test_the_coco_file_and_the_table_tell_the_same(study):
    content, _ = study
    for number, face in enumerate(content.truth["annotations"]):
        face["occlusion"] = number % 3
    found = misses(content)
    coco = as_coco(content.truth, found)
    rows = list(csv.DictReader(io.StringIO(as_table(found))))
    assert len(coco["annotations"]) == len(rows) == len(found)
    assert {one["image_id"] for one in coco["annotations"]} == {image["id"] for image in coco["images"]}
    first, row = coco["annotations"][0], rows[0]
    assert set(first) - {"missed_share", "missed_by", "best_overlap", "best_score"} == set(found[0].face)
    assert [float(row[name]) for name in ("x", "y", "width", "height")] == first["bbox"]
    assert int(row["occlusion"]) == first["occlusion"]
    assert row["by"].count("seed") == len(first["missed_by"])
