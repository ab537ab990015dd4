"""Arms compared: the same photographs, the same seeds, one verdict each."""

import json

import pytest

from facade.errors import FacadeError
from facade.measure.average_precision import average_precision
from facade.measure.compare import compare, verdicts
from facade.report.differences import draw_differences
from tests.measure.test_weighted import random_case


@pytest.fixture
def study(tmp_path, params):
    """Raw finds all that the detector found, pseudo the same, blur one in twelve."""
    truth, results = random_case(7, photographs=120)
    for image in truth["images"]:
        image["file_name"] = f"{image['id'] % 5}--Event/{image['id']}.jpg"
    folders = {}
    for arm, kept in (("raw", results), ("pseudo", results), ("blur", results[::12])):
        folders[arm] = tmp_path / arm
        folders[arm].mkdir()
        for seed in (0, 1, 10):
            # Runs differ a little: another detection is left out in each.
            (folders[arm] / f"seed-{seed}.json").write_text(
                json.dumps([r for n, r in enumerate(kept) if n % 13 != seed % 3])
            )
    return truth, folders, params.evaluate.model_copy(update={"draws": 150})


def test_differences_are_those_of_the_protocol(study):
    """Independent oracle: COCO's average precision of each run."""
    truth, folders, settings = study
    means = {}
    for arm, folder in folders.items():
        scores = [average_precision(truth, json.loads(path.read_text())) for path in folder.iterdir()]
        means[arm] = {name: sum(score[name] for score in scores) / 3 for name in ("AP", "AP50")}
    for one in compare(truth, folders, settings):
        wanted = means[one.first][one.metric] - means[one.second][one.metric]
        assert one.difference.seen == pytest.approx(wanted, abs=1e-9)


def test_equal_arms_are_non_inferior_and_a_lost_half_is_inferior(study):
    truth, folders, settings = study
    told = verdicts(compare(truth, folders, settings), settings)
    assert told["pseudo_against_raw"]["answer"] == "non-inferior"
    assert told["pseudo_against_raw"]["AP50"] == 0
    assert told["blur_against_raw"]["answer"] == told["blur_against_pseudo"]["answer"] == "inferior"
    for low, high in ((entry["AP50_low"], entry["AP50_high"]) for entry in told.values() if isinstance(entry, dict)):
        assert low <= high


def test_without_raw_the_two_anonymized_arms_are_compared(study):
    truth, folders, settings = study
    del folders["raw"]
    assert [(one.first, one.second) for one in compare(truth, folders, settings)] == [("blur", "pseudo")] * 2


def test_whole_events_make_wider_intervals_and_the_same_difference(study):
    truth, folders, settings = study
    by_event = compare(truth, folders, settings.model_copy(update={"resample": "events"}))
    by_photograph = compare(truth, folders, settings)
    for one, other in zip(by_event, by_photograph, strict=True):
        assert one.difference.seen == other.difference.seen
        assert one.difference.error != other.difference.error or one.difference.error == 0


def test_it_is_the_same_every_time(study):
    assert compare(*study) == compare(*study)


def test_a_missing_run_is_refused_with_a_sentence(study):
    truth, folders, settings = study
    (folders["blur"] / "seed-10.json").unlink()
    with pytest.raises(FacadeError, match=r"seed-0, seed-1, another arm seed-0, seed-1, seed-10"):
        compare(truth, folders, settings)


def test_the_figure_is_drawn_the_same_every_time(study, tmp_path):
    compared = compare(*study)
    for name in ("a.png", "b.png"):
        draw_differences(compared, study[2], True, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 5000
