"""Arms compared: the same photographs, the same seeds, one verdict each."""

import json

import numpy as np
import pytest

from facade.errors import FacadeError
from facade.measure.average_precision import average_precision
from facade.measure.compare import NOT_MEASURED, causes, compare, verdicts
from facade.measure.false_negatives import misses
from facade.measure.golden_evaluation import read_evaluation
from facade.report.differences import draw_differences
from facade.report.style import save


def test_differences_are_those_of_the_protocol(write_study):
    """Independent oracle: COCO's average precision of each run."""
    truth, calibration, folders, settings = write_study()
    means = {}
    for arm, folder in folders.items():
        scores = [average_precision(truth, json.loads(path.read_text())) for path in (folder / "golden").iterdir()]
        means[arm] = {name: sum(score[name] for score in scores) / 3 for name in ("AP", "AP50")}
    for one in compare(read_evaluation(truth, calibration, folders, settings), settings):
        if one.metric in ("AP", "AP50"):
            wanted = means[one.first][one.metric] - means[one.second][one.metric]
            assert one.difference.seen == pytest.approx(wanted, abs=1e-9)


def test_differences_in_recall_are_those_of_the_outcomes(study):
    content, settings = study
    recall = {arm: np.mean([outcome.metrics["recall"] for outcome in own]) for arm, own in content.outcomes.items()}
    seen = {(one.first, one.second): one for one in compare(content, settings) if one.metric == "recall"}
    assert len(seen) == 3
    for (first, second), one in seen.items():
        assert one.difference.seen == pytest.approx(recall[first] - recall[second], abs=1e-12)
        assert one.verdict.low <= one.difference.seen <= one.verdict.high


def test_equal_arms_are_non_inferior_and_a_lost_half_is_inferior(study):
    content, settings = study
    told = verdicts(compare(content, settings), settings)
    assert told["pseudo_against_raw"]["answer"] == "non-inferior"
    assert told["pseudo_against_raw"]["AP50"] == 0
    assert told["blur_against_raw"]["answer"] == told["blur_against_pseudo"]["answer"] == "inferior"
    for low, high in ((entry["AP50_low"], entry["AP50_high"]) for entry in told.values() if isinstance(entry, dict)):
        assert low <= high


def test_without_raw_the_two_anonymized_arms_are_compared(write_study):
    *written, settings = write_study(arms=("pseudo", "blur"))
    compared = compare(read_evaluation(*written, settings), settings)
    assert [(one.first, one.second, one.metric) for one in compared] == [
        ("blur", "pseudo", metric) for metric in ("AP50", "AP", "recall", "recall_fppi_1")
    ]


def test_controls_give_no_verdict_and_do_not_weaken_the_others(write_study):
    *written, settings = write_study(arms=("raw", "pseudo", "blur", "recode"))
    with_control = compare(read_evaluation(*written, settings), settings)
    *written, settings = write_study()
    without = compare(read_evaluation(*written, settings), settings)
    assert verdicts(with_control, settings) == verdicts(without, settings)
    assert causes(without, settings) == {}
    told = causes(with_control, settings)
    assert list(told) == ["recode_against_raw"]
    assert "answer" not in told["recode_against_raw"]
    assert told["recode_against_raw"]["AP50"] == 0


def test_whole_events_make_other_intervals_and_the_same_difference(write_study):
    *written, settings = write_study()
    by_photograph = compare(read_evaluation(*written, settings), settings)
    *written, settings = write_study(resample="events")
    by_event = compare(read_evaluation(*written, settings), settings)
    for one, other in zip(by_event, by_photograph, strict=True):
        assert one.difference.seen == other.difference.seen
        assert one.difference.units == 6, "events that hold a face"
        assert one.difference.error != other.difference.error or one.difference.error == 0


def test_too_few_events_are_refused(write_study):
    with pytest.raises(FacadeError, match=r"resample is events, and the golden set has 4"):
        read_evaluation(*write_study(events=4, resample="events"))


def test_what_would_decide_is_named_by_what_was_drawn(write_study):
    *written, settings = write_study(resample="events")
    content = read_evaluation(*written, settings)
    # A margin as large as the loss seen: whatever the limits, they hold it.
    loss = verdicts(compare(content, settings), settings)["blur_against_raw"]["AP50"]
    settings = settings.model_copy(update={"margin": -loss})
    told = verdicts(compare(content, settings), settings)
    inconclusive = [entry for entry in told.values() if isinstance(entry, dict) and entry["answer"] == "inconclusive"]
    assert inconclusive
    for entry in inconclusive:
        assert "events_to_decide" in entry
        assert "photographs_to_decide" not in entry


def test_it_is_the_same_every_time(write_study):
    *written, settings = write_study()
    assert compare(read_evaluation(*written, settings), settings) == compare(
        read_evaluation(*written, settings), settings
    )


def test_one_seed_gives_no_verdict(write_study):
    *written, settings = write_study(seeds=(3,))
    told = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert told["blur_against_raw"]["answer"] == "not measurable with one seed"


@pytest.mark.parametrize("photographs", [1, 4])
def test_few_photographs_give_no_verdict_and_no_limits(write_study, photographs):
    *written, settings = write_study(photographs=photographs)
    written[0]["annotations"].append({"id": 99, "image_id": 1, "category_id": 1, "bbox": [5, 5, 9, 9], "area": 81,
                                      "iscrowd": 0})  # fmt: skip
    told = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert told["blur_against_raw"]["answer"] == "not measurable with so few photographs"
    assert told["blur_against_raw"]["AP50_low"] == NOT_MEASURED


def test_photographs_without_a_face_do_not_count(write_study):
    """A hundred photographs, all faces in four of them: how photographs differ is not known."""
    *written, settings = write_study()
    written[0]["annotations"] = [face for face in written[0]["annotations"] if face["image_id"] < 5]
    told = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert told["pseudo_against_raw"]["answer"] == "not measurable with so few photographs"


def test_an_arm_that_finds_nothing_is_inferior_and_misses_everything(write_study):
    *written, settings = write_study()
    for path in (written[2]["blur"]).rglob("*.json"):
        path.write_text("[]")
    content = read_evaluation(*written, settings)
    told = verdicts(compare(content, settings), settings)["blur_against_raw"]
    assert told["answer"] == "inferior"
    assert told["recall"] < 0
    assert content.calibrated
    assert len(misses(content)) == len(content.scored)


def test_where_raw_finds_nothing_nothing_is_non_inferior_to_it(write_study):
    *written, settings = write_study()
    for folder in written[2].values():
        for path in folder.rglob("*.json"):
            path.write_text("[]")
    told = verdicts(compare(read_evaluation(*written, settings), settings), settings)
    assert told["pseudo_against_raw"]["answer"].startswith("not measurable: the other arm may have no more to lose")


def test_where_raw_finds_something_by_chance_alone_nothing_is_non_inferior_to_it(write_study):
    """One run of three finds faces: raw's mean is far above the margin, and other seeds might find none."""
    *written, settings = write_study(arms=("raw", "pseudo"))
    for folder in written[2].values():
        for path in folder.rglob("*.json"):
            if path.stem != "seed-0":
                path.write_text("[]")
    compared = compare(read_evaluation(*written, settings), settings)
    told = verdicts(compared, settings)["pseudo_against_raw"]
    assert (told["AP50"], told["AP50_low"]) == (0, 0)
    assert told["answer"].startswith("not measurable: the other arm may have no more to lose")


def test_without_calibration_photographs_operating_points_are_not_measured(write_study):
    truth, calibration, folders, settings = write_study()
    calibration = {arm: {**content, "annotations": [], "images": content["images"][:1]}
                   for arm, content in calibration.items()}  # fmt: skip
    for folder in folders.values():
        for path in (folder / "calibration").iterdir():
            path.write_text("[]")
    content = read_evaluation(truth, calibration, folders, settings)
    assert not content.calibrated
    told = verdicts(compare(content, settings), settings)["blur_against_raw"]
    assert told["recall"] == told["recall_low"] == NOT_MEASURED
    assert told["answer"] == "inferior"


def test_a_missing_run_is_refused_with_a_sentence(write_study):
    *written, settings = write_study()
    (written[2]["blur"] / "golden" / "seed-10.json").unlink()
    with pytest.raises(FacadeError, match=r"runs of the seeds \[0, 1\], another arm of \[0, 1, 10\]"):
        read_evaluation(*written, settings)


def test_an_arm_without_runs_is_refused(write_study):
    *written, settings = write_study()
    for path in (written[2]["blur"] / "golden").iterdir():
        path.unlink()
    with pytest.raises(FacadeError, match="dvc repro detect@blur"):
        read_evaluation(*written, settings)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "score": NaN}]', "not finite"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5], "score": 0.5}]', "not finite"),
        ('[{"image_id": 1, "category_id": 1, "score": 0.5}]', "is no COCO result"),
        ("[5]", "is no COCO result"),
        ('[{"image_id": 9999, "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.5}]', "not among those looked at"),
        ("[", "not readable as JSON"),
    ],
)
def test_detections_that_cannot_be_scored_are_refused_by_file(write_study, content, sentence):
    *written, settings = write_study()
    (written[2]["blur"] / "golden" / "seed-10.json").write_text(content)
    with pytest.raises(FacadeError, match=rf"blur/golden/seed-10\.json.*{sentence}"):
        read_evaluation(*written, settings)


def test_photographs_with_one_number_are_refused(write_study):
    *written, settings = write_study()
    written[0]["images"].append(dict(written[0]["images"][3]))
    with pytest.raises(FacadeError, match="numbers several photographs 4"):
        read_evaluation(*written, settings)


def test_a_golden_set_without_faces_is_refused(write_study):
    *written, settings = write_study()
    written[0]["annotations"] = []
    with pytest.raises(FacadeError, match="no face to judge"):
        read_evaluation(*written, settings)


def test_the_figure_is_drawn_the_same_every_time(study, tmp_path):
    content, settings = study
    compared = compare(content, settings)
    for name in ("a.png", "b.png"):
        save(draw_differences(compared, settings, True), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 5000
