"""Comparisons of arms: the same photographs, the same seeds, one verdict each."""

import json

import numpy as np
import pytest

from facade.errors import FacadeError
from facade.measure.average_precision import average_precision
from facade.measure.compare import NOT_MEASURED, ablations, compare, verdicts
from facade.measure.false_negatives import false_negatives
from facade.measure.golden_evaluation import read_evaluation
from facade.report.differences import draw_differences
from facade.report.style import save


def test_differences_equal_those_of_coco_average_precision(write_evaluation):
    """Independent oracle: COCO's average precision of each run."""
    truth, calibration, folders, settings = write_evaluation()
    means = {}
    for arm, folder in folders.items():
        scores = [average_precision(truth, json.loads(path.read_text())) for path in (folder / "golden").iterdir()]
        means[arm] = {name: sum(score[name] for score in scores) / 3 for name in ("AP", "AP50")}
    for one in compare(read_evaluation(truth, calibration, folders, settings), settings):
        if one.metric in ("AP", "AP50"):
            wanted = means[one.first][one.metric] - means[one.second][one.metric]
            assert one.difference.estimate == pytest.approx(wanted, abs=1e-9)


def test_differences_in_recall_equal_those_at_the_operating_points(evaluation):
    content, settings = evaluation
    recall = {arm: np.mean([point.metrics["recall"] for point in own]) for arm, own in content.points.items()}
    by_pair = {(one.first, one.second): one for one in compare(content, settings) if one.metric == "recall"}
    assert len(by_pair) == 3
    for (first, second), one in by_pair.items():
        assert one.difference.estimate == pytest.approx(recall[first] - recall[second], abs=1e-12)
        assert one.decision.low <= one.difference.estimate <= one.decision.high


def test_equal_arms_are_non_inferior_and_a_large_loss_is_inferior(evaluation):
    content, settings = evaluation
    entries = verdicts(compare(content, settings), settings)
    assert entries["pseudo_vs_raw"]["verdict"] == "non-inferior"
    assert entries["pseudo_vs_raw"]["AP50"] == 0
    assert entries["blur_vs_raw"]["verdict"] == entries["blur_vs_pseudo"]["verdict"] == "inferior"
    for low, high in ((entry["AP50_low"], entry["AP50_high"]) for entry in entries.values() if isinstance(entry, dict)):
        assert low <= high


def test_without_raw_the_two_anonymized_arms_are_compared(write_evaluation):
    *written, settings = write_evaluation(arms=("pseudo", "blur"))
    compared = compare(read_evaluation(*written, settings), settings)
    assert [(one.first, one.second, one.metric) for one in compared] == [
        ("blur", "pseudo", metric) for metric in ("AP50", "AP", "recall", "recall_fppi_1")
    ]


def test_controls_get_no_verdict_and_do_not_change_the_others(write_evaluation):
    *written, settings = write_evaluation(arms=("raw", "pseudo", "blur", "recode"))
    with_control = compare(read_evaluation(*written, settings), settings, {"recode": "recode"})
    *written, settings = write_evaluation()
    without = compare(read_evaluation(*written, settings), settings)
    assert verdicts(with_control, settings) == verdicts(without, settings)
    assert ablations(without, settings) == {}
    entries = ablations(with_control, settings)
    assert list(entries) == ["recode_vs_raw"]
    assert "verdict" not in entries["recode_vs_raw"]
    assert entries["recode_vs_raw"]["AP50"] == 0


def test_resampling_events_changes_intervals_but_not_differences(write_evaluation):
    *written, settings = write_evaluation()
    by_photograph = compare(read_evaluation(*written, settings), settings)
    *written, settings = write_evaluation(resample="events")
    by_event = compare(read_evaluation(*written, settings), settings)
    for one, other in zip(by_event, by_photograph, strict=True):
        assert one.difference.estimate == other.difference.estimate
        assert one.difference.units == 6, "events that contain a face"
        assert one.difference.standard_error != other.difference.standard_error or one.difference.standard_error == 0


def test_too_few_events_are_rejected(write_evaluation):
    with pytest.raises(FacadeError, match=r"resample is events, but the golden set has only 4"):
        read_evaluation(*write_evaluation(events=4, resample="events"))


def test_planned_sample_size_is_in_resampling_units(write_evaluation):
    *written, settings = write_evaluation(resample="events")
    content = read_evaluation(*written, settings)
    # With a margin equal to the estimated loss, the limits always cover it.
    loss = verdicts(compare(content, settings), settings)["blur_vs_raw"]["AP50"]
    settings = settings.model_copy(update={"margin": -loss})
    entries = verdicts(compare(content, settings), settings)
    inconclusive = [
        entry for entry in entries.values() if isinstance(entry, dict) and entry["verdict"] == "inconclusive"
    ]
    assert inconclusive
    for entry in inconclusive:
        assert "events_to_decide" in entry
        assert "photographs_to_decide" not in entry


def test_comparison_is_repeatable(write_evaluation):
    *written, settings = write_evaluation()
    assert compare(read_evaluation(*written, settings), settings) == compare(
        read_evaluation(*written, settings), settings
    )


def test_one_seed_gives_no_verdict(write_evaluation):
    *written, settings = write_evaluation(seeds=(3,))
    entries = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert entries["blur_vs_raw"]["verdict"] == "not measurable with one seed"


@pytest.mark.parametrize("photographs", [1, 4])
def test_few_photographs_give_no_verdict_and_no_limits(write_evaluation, photographs):
    *written, settings = write_evaluation(photographs=photographs)
    written[0]["annotations"].append({"id": 99, "image_id": 1, "category_id": 1, "bbox": [5, 5, 9, 9], "area": 81,
                                      "iscrowd": 0})  # fmt: skip
    entries = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert entries["blur_vs_raw"]["verdict"] == "not measurable with so few photographs"
    assert entries["blur_vs_raw"]["AP50_low"] == NOT_MEASURED


def test_photographs_without_a_face_are_not_resampling_units(write_evaluation):
    """All faces are in four photographs: the variance between photographs cannot be estimated."""
    *written, settings = write_evaluation()
    written[0]["annotations"] = [face for face in written[0]["annotations"] if face["image_id"] < 5]
    entries = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert entries["pseudo_vs_raw"]["verdict"] == "not measurable with so few photographs"


def test_arm_without_detections_is_inferior_and_misses_every_face(write_evaluation):
    *written, settings = write_evaluation()
    for path in (written[2]["blur"]).rglob("*.json"):
        path.write_text("[]")
    content = read_evaluation(*written, settings)
    entry = verdicts(compare(content, settings), settings)["blur_vs_raw"]
    assert entry["verdict"] == "inferior"
    assert entry["recall"] < 0
    assert content.calibrated
    assert len(false_negatives(content)) == len(content.scored_faces)


def test_no_arm_is_non_inferior_to_a_raw_arm_without_detections(write_evaluation):
    *written, settings = write_evaluation()
    for folder in written[2].values():
        for path in folder.rglob("*.json"):
            path.write_text("[]")
    entries = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert entries["pseudo_vs_raw"]["verdict"].startswith(
        "not measurable: the reference arm may score below the margin"
    )


def test_no_arm_is_non_inferior_to_a_raw_arm_with_one_working_run(write_evaluation):
    """One run of three detects faces: raw's mean is far above the margin, but its lower limit is not."""
    *written, settings = write_evaluation(arms=("raw", "pseudo"))
    for folder in written[2].values():
        for path in folder.rglob("*.json"):
            if path.stem != "seed-0":
                path.write_text("[]")
    compared = compare(read_evaluation(*written, settings), settings)
    entry = verdicts(compared, settings)["pseudo_vs_raw"]
    assert (entry["AP50"], entry["AP50_low"]) == (0, 0)
    assert entry["verdict"].startswith("not measurable: the reference arm may score below the margin")


def test_without_calibration_faces_operating_points_are_not_measured(write_evaluation):
    truth, calibration, folders, settings = write_evaluation()
    calibration = {arm: {**content, "annotations": [], "images": content["images"][:1]}
                   for arm, content in calibration.items()}  # fmt: skip
    for folder in folders.values():
        for path in (folder / "calibration").iterdir():
            path.write_text("[]")
    content = read_evaluation(truth, calibration, folders, settings)
    assert not content.calibrated
    entry = verdicts(compare(content, settings), settings)["blur_vs_raw"]
    assert entry["recall"] == entry["recall_low"] == NOT_MEASURED
    assert entry["verdict"] == "inferior"


def test_missing_run_is_rejected(write_evaluation):
    *written, settings = write_evaluation()
    (written[2]["blur"] / "golden" / "seed-10.json").unlink()
    with pytest.raises(FacadeError, match=r"runs of the seeds \[0, 1\], another arm of \[0, 1, 10\]"):
        read_evaluation(*written, settings)


def test_arm_without_runs_is_rejected(write_evaluation):
    *written, settings = write_evaluation()
    for path in (written[2]["blur"] / "golden").iterdir():
        path.unlink()
    with pytest.raises(FacadeError, match="dvc repro detect@blur"):
        read_evaluation(*written, settings)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "score": NaN}]', "not finite"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5], "score": 0.5}]', "not finite"),
        ('[{"image_id": 1, "category_id": 1, "score": 0.5}]', "is not a COCO result"),
        ("[5]", "is not a COCO result"),
        ('[{"image_id": 9999, "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.5}]', "not in the data set"),
        ("[", "is not valid JSON"),
    ],
)
def test_invalid_detections_are_rejected_with_their_file(write_evaluation, content, sentence):
    *written, settings = write_evaluation()
    (written[2]["blur"] / "golden" / "seed-10.json").write_text(content)
    with pytest.raises(FacadeError, match=rf"blur/golden/seed-10\.json.*{sentence}"):
        read_evaluation(*written, settings)


def test_photographs_with_the_same_id_are_rejected(write_evaluation):
    *written, settings = write_evaluation()
    written[0]["images"].append(dict(written[0]["images"][3]))
    with pytest.raises(FacadeError, match="has several photographs with id 4"):
        read_evaluation(*written, settings)


def test_golden_set_without_faces_is_rejected(write_evaluation):
    *written, settings = write_evaluation()
    written[0]["annotations"] = []
    with pytest.raises(FacadeError, match="no face to score"):
        read_evaluation(*written, settings)


def test_figure_is_byte_identical_every_time(evaluation, tmp_path):
    content, settings = evaluation
    compared = compare(content, settings)
    for name in ("a.png", "b.png"):
        save(draw_differences(compared, settings, True), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 5000
