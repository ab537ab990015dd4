"""Slices: the faces of one kind scored, the others neither right nor wrong."""

import csv
import io

import numpy as np
import pytest

from facade.measure.golden_evaluation import read_evaluation
from facade.measure.slices import FEWEST, compare_slices, slices_of, table
from facade.measure.weighted import matched_run
from facade.report.differences import draw_slices
from facade.report.style import save
from tests.measure.test_weighted import arrays, by_pycocotools, random_case


def labelled(seed):
    truth, results = random_case(seed)
    for number, annotation in enumerate(truth["annotations"]):
        annotation["occlusion"] = number % 3
    for image in truth["images"]:
        image["file_name"] = f"{image['id'] % 2}--Event/{image['id']}.jpg"
        image["domain"] = ("plain", "fisheye+grey")[image["id"] % 2]
    return truth, results


@pytest.mark.parametrize("seed", range(15))
def test_a_slice_is_scored_as_pycocotools_scores_it_with_the_others_ignored(seed):
    truth, results = labelled(seed)
    counted = frozenset(face["id"] for face in truth["annotations"] if face["occlusion"] == 1)
    faces, found = arrays(truth, results)
    run = matched_run(faces, found, counted=faces.among(counted))
    # pycocotools ignores by area alone: faces of the slice keep their area, the others get one beyond the range. Its
    # rule for detections is switched off by giving all of them an area within the range.
    marked = {**truth, "annotations": [
        {**face, "area": 1.0 if face["occlusion"] == 1 or face["iscrowd"] else 1e9} for face in truth["annotations"]
    ]}  # fmt: skip
    wanted = by_pycocotools(marked, results, (0, 1e8))
    if (wanted >= 0).all():
        np.testing.assert_allclose(run.average_precision(np.ones(12)), wanted, atol=1e-9)


def test_slices_hold_every_labelled_face_once_a_group():
    truth, _ = labelled(3)
    for group in ("height", "occlusion", "event", "faces in photo", "place", "domain"):
        held = [[face["id"] in part.faces for face in truth["annotations"]]
                for part in slices_of(truth) if part.group == group]  # fmt: skip
        assert (np.sum(held, axis=0) == 1).all(), group


def test_photographs_of_one_camera_are_a_slice():
    truth, _ = labelled(3)
    own = {image["id"] for image in truth["images"] if image["domain"] == "fisheye+grey"}
    by_name = {(part.group, part.name): part.faces for part in slices_of(truth)}
    assert by_name["domain", "fisheye+grey"] == {face["id"] for face in truth["annotations"] if face["image_id"] in own}
    for image in truth["images"]:
        del image["domain"]
    assert not [part for part in slices_of(truth) if part.group == "domain"]


def test_crowds_and_places_are_what_they_say():
    truth, _ = labelled(3)
    truth["images"], truth["annotations"] = truth["images"][:2], []
    boxes = {1: [(90, 90, 20, 20)], 2: [(0, 50, 20, 20), (5, 80, 20, 20), (170, 100, 30, 30)]}
    for image, own in boxes.items():
        for box in own:
            number = len(truth["annotations"])
            truth["annotations"].append({"id": number, "image_id": image, "bbox": list(box), "iscrowd": 0})
    by_name = {(part.group, part.name): part.faces for part in slices_of(truth)}
    assert by_name["faces in photo", "1"] == {0}
    assert by_name["faces in photo", "2 to 5"] == {1, 2, 3}
    assert by_name["place", "inside"] == {0}
    assert by_name["place", "near the border"] == {2}
    assert by_name["place", "cut by the border"] == {1, 3}


def test_too_few_faces_say_so_and_a_loss_shows_where_it_is(write_study):
    *written, settings = write_study()
    truth = written[0]
    for number, annotation in enumerate(truth["annotations"]):
        annotation["pose"] = int(number < FEWEST - 1)
        annotation["blur"] = number % 2
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    by_name = {(part.group, part.name): part for part in sliced}
    assert by_name["pose", "atypical"].compared == ()
    few = sum(not face["iscrowd"] for face in truth["annotations"][: FEWEST - 1])
    assert f"pose,atypical,{few},too few faces" in table(sliced)
    for metric in ("AP50", "recall"):
        loss = {(one.first, one.second): one for one in by_name["blur", "clear"].compared if one.metric == metric}
        assert loss["blur", "raw"].verdict.high < 0
        assert loss["pseudo", "raw"].difference.seen == 0


def test_a_slice_that_few_photographs_carry_shows_nothing(write_study):
    """However many its faces: how photographs differ cannot be known from two of them."""
    *written, settings = write_study()
    for annotation in written[0]["annotations"]:
        annotation["blur"] = int(annotation["image_id"] in (1, 2))
    crowd = [face for face in written[0]["annotations"] if face["image_id"] == 1]
    number = max(face["id"] for face in written[0]["annotations"])
    for step in range(2 * FEWEST):
        written[0]["annotations"].append({**crowd[0], "id": number + 1 + step, "image_id": 1, "blur": 1, "iscrowd": 0})
    part = next(
        part for part in compare_slices(read_evaluation(*written, settings), settings)
        if (part.group, part.name) == ("blur", "normal")
    )  # fmt: skip
    assert part.faces > FEWEST
    assert part.compared == ()


def test_an_event_is_judged_by_its_photographs_even_where_events_are_drawn(write_study):
    *written, settings = write_study(resample="events")
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    events = [one for part in sliced if part.group == "event" for one in part.compared]
    assert events
    assert all(one.difference.photograph_variance > 0 or one.difference.seen == 0 for one in events)
    assert all(one.difference.units > 6 for one in events)


@pytest.mark.parametrize("name", ["Paris, 2020", '5 "o clock', "$a{$"])
def test_names_of_events_may_hold_anything(write_study, tmp_path, name):
    *written, settings = write_study()
    for image in written[0]["images"]:
        image["file_name"] = f"{name} {image['id'] % 3}/{image['id']}.jpg"
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    rows = list(csv.DictReader(io.StringIO(table(sliced))))
    assert {row["slice"] for row in rows if row["group"] == "event"} == {f"{name} {number}" for number in range(3)}
    assert all(None not in row and None not in row.values() for row in rows)
    save(draw_slices(sliced, "AP50", False), tmp_path / "s.png")


def test_slices_without_a_threshold_say_so(write_study):
    *written, settings = write_study()
    for path in (written[2]["blur"] / "calibration").iterdir():
        path.unlink()
    empty = {**written[1]["blur"], "annotations": []}
    for seed in (0, 1, 10):
        (written[2]["blur"] / "calibration" / f"seed-{seed}.json").write_text("[]")
    written[1]["blur"] = empty
    told = table(compare_slices(read_evaluation(*written, settings), settings))
    assert "not measured" in told
    assert "nan" not in told


def test_recall_on_a_slice_counts_its_own_faces(write_study):
    *written, settings = write_study()
    for number, annotation in enumerate(written[0]["annotations"]):
        annotation["blur"] = number % 2
    study = read_evaluation(*written, settings)
    sharp = np.array([face["blur"] == 0 for face in study.scored])
    wanted = {arm: np.mean([one.found[sharp].mean() for one in own]) for arm, own in study.outcomes.items()}
    part = next(part for part in compare_slices(study, settings) if (part.group, part.name) == ("blur", "clear"))
    for one in part.compared:
        if one.metric == "recall":
            assert one.difference.seen == pytest.approx(wanted[one.first] - wanted[one.second], abs=1e-12)


def test_the_figure_is_drawn(study, tmp_path):
    content, settings = study
    for metric in ("AP50", "recall"):
        save(draw_slices(compare_slices(content, settings), metric, True), tmp_path / f"{metric}.png")
        assert (tmp_path / f"{metric}.png").stat().st_size > 5000


def test_a_figure_of_slices_that_are_all_too_small_is_drawn_without_a_warning(write_study, recwarn):
    *written, settings = write_study(photographs=8)
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    assert sliced
    assert not any(part.compared for part in sliced)
    draw_slices(sliced, "AP50", True)
    assert not [one for one in recwarn if "legend" in str(one.message)]
