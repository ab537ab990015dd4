"""Slices: the faces of one kind are scored, the others ignored."""

import csv
import io

import numpy as np
import pytest

from facade.measure.golden_evaluation import read_evaluation
from facade.measure.slices import MIN_FACES, compare_slices, golden_slices, slices_table
from facade.measure.weighted import match_run
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
def test_slice_equals_pycocotools_with_the_other_faces_ignored(seed):
    truth, results = labelled(seed)
    scored = frozenset(face["id"] for face in truth["annotations"] if face["occlusion"] == 1)
    faces, found = arrays(truth, results)
    run = match_run(faces, found, scored=faces.mask(scored))
    # pycocotools ignores by area alone: faces of the slice keep their area, the others get one beyond the range. Its
    # rule for detections is disabled by giving all of them an area within the range.
    marked = {**truth, "annotations": [
        {**face, "area": 1.0 if face["occlusion"] == 1 or face["iscrowd"] else 1e9} for face in truth["annotations"]
    ]}  # fmt: skip
    wanted = by_pycocotools(marked, results, (0, 1e8))
    if (wanted >= 0).all():
        np.testing.assert_allclose(run.average_precision(np.ones(12)), wanted, atol=1e-9)


def test_every_face_is_in_one_slice_of_each_group():
    truth, _ = labelled(3)
    for group in ("height", "occlusion", "event", "faces in photo", "place", "domain"):
        members = [[face["id"] in part.faces for face in truth["annotations"]]
                for part in golden_slices(truth) if part.group == group]  # fmt: skip
        assert (np.sum(members, axis=0) == 1).all(), group


def test_photographs_of_one_camera_are_a_slice():
    truth, _ = labelled(3)
    own = {image["id"] for image in truth["images"] if image["domain"] == "fisheye+grey"}
    by_name = {(part.group, part.name): part.faces for part in golden_slices(truth)}
    assert by_name["domain", "fisheye+grey"] == {face["id"] for face in truth["annotations"] if face["image_id"] in own}
    for image in truth["images"]:
        del image["domain"]
    assert not [part for part in golden_slices(truth) if part.group == "domain"]


def test_crowd_and_position_slices_have_the_right_faces():
    truth, _ = labelled(3)
    truth["images"], truth["annotations"] = truth["images"][:2], []
    boxes = {1: [(90, 90, 20, 20)], 2: [(0, 50, 20, 20), (5, 80, 20, 20), (170, 100, 30, 30)]}
    for image, own in boxes.items():
        for box in own:
            number = len(truth["annotations"])
            truth["annotations"].append({"id": number, "image_id": image, "bbox": list(box), "iscrowd": 0})
    by_name = {(part.group, part.name): part.faces for part in golden_slices(truth)}
    assert by_name["faces in photo", "1"] == {0}
    assert by_name["faces in photo", "2 to 5"] == {1, 2, 3}
    assert by_name["place", "inside"] == {0}
    assert by_name["place", "near the border"] == {2}
    assert by_name["place", "cut by the border"] == {1, 3}


def test_slice_with_too_few_faces_says_so_and_a_loss_is_localized(write_evaluation):
    *written, settings = write_evaluation()
    truth = written[0]
    for number, annotation in enumerate(truth["annotations"]):
        annotation["pose"] = int(number < MIN_FACES - 1)
        annotation["blur"] = number % 2
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    by_name = {(part.group, part.name): part for part in sliced}
    assert by_name["pose", "atypical"].compared == ()
    few = sum(not face["iscrowd"] for face in truth["annotations"][: MIN_FACES - 1])
    assert f"pose,atypical,{few},too few faces" in slices_table(sliced)
    for metric in ("AP50", "recall"):
        loss = {(one.first, one.second): one for one in by_name["blur", "clear"].compared if one.metric == metric}
        assert loss["blur", "raw"].decision.high < 0
        assert loss["pseudo", "raw"].difference.estimate == 0


def test_slice_from_few_photographs_is_not_compared(write_evaluation):
    """Whatever its number of faces: two photographs give no variance estimate."""
    *written, settings = write_evaluation()
    for annotation in written[0]["annotations"]:
        annotation["blur"] = int(annotation["image_id"] in (1, 2))
    crowd = [face for face in written[0]["annotations"] if face["image_id"] == 1]
    number = max(face["id"] for face in written[0]["annotations"])
    for step in range(2 * MIN_FACES):
        written[0]["annotations"].append({**crowd[0], "id": number + 1 + step, "image_id": 1, "blur": 1, "iscrowd": 0})
    part = next(
        part for part in compare_slices(read_evaluation(*written, settings), settings)
        if (part.group, part.name) == ("blur", "normal")
    )  # fmt: skip
    assert part.faces > MIN_FACES
    assert part.compared == ()


def test_event_slice_resamples_photographs_even_where_events_are_resampled(write_evaluation):
    *written, settings = write_evaluation(resample="events")
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    events = [one for part in sliced if part.group == "event" for one in part.compared]
    assert events
    assert all(one.difference.photograph_variance > 0 or one.difference.estimate == 0 for one in events)
    assert all(one.difference.units > 6 for one in events)


@pytest.mark.parametrize("name", ["Paris, 2020", '5 "o clock', "$a{$"])
def test_event_names_may_contain_any_characters(write_evaluation, tmp_path, name):
    *written, settings = write_evaluation()
    for image in written[0]["images"]:
        image["file_name"] = f"{name} {image['id'] % 3}/{image['id']}.jpg"
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    rows = list(csv.DictReader(io.StringIO(slices_table(sliced))))
    assert {row["slice"] for row in rows if row["group"] == "event"} == {f"{name} {number}" for number in range(3)}
    assert all(None not in row and None not in row.values() for row in rows)
    save(draw_slices(sliced, "AP50", False), tmp_path / "s.png")


def test_slices_without_a_threshold_say_so(write_evaluation):
    *written, settings = write_evaluation()
    for path in (written[2]["blur"] / "calibration").iterdir():
        path.unlink()
    empty = {**written[1]["blur"], "annotations": []}
    for seed in (0, 1, 10):
        (written[2]["blur"] / "calibration" / f"seed-{seed}.json").write_text("[]")
    written[1]["blur"] = empty
    text = slices_table(compare_slices(read_evaluation(*written, settings), settings))
    assert "not measured" in text
    assert "nan" not in text


def test_recall_on_a_slice_equals_direct_counting(write_evaluation):
    *written, settings = write_evaluation()
    for number, annotation in enumerate(written[0]["annotations"]):
        annotation["blur"] = number % 2
    evaluation = read_evaluation(*written, settings)
    sharp = np.array([face["blur"] == 0 for face in evaluation.scored_faces])
    wanted = {arm: np.mean([one.detected[sharp].mean() for one in own]) for arm, own in evaluation.points.items()}
    part = next(part for part in compare_slices(evaluation, settings) if (part.group, part.name) == ("blur", "clear"))
    for one in part.compared:
        if one.metric == "recall":
            assert one.difference.estimate == pytest.approx(wanted[one.first] - wanted[one.second], abs=1e-12)


def test_figure_is_drawn(evaluation, tmp_path):
    content, settings = evaluation
    for metric in ("AP50", "recall"):
        save(draw_slices(compare_slices(content, settings), metric, True), tmp_path / f"{metric}.png")
        assert (tmp_path / f"{metric}.png").stat().st_size > 5000


def test_figure_of_slices_with_too_few_faces_is_drawn_without_warnings(write_evaluation, recwarn):
    *written, settings = write_evaluation(photographs=8)
    sliced = compare_slices(read_evaluation(*written, settings), settings)
    assert sliced
    assert not any(part.compared for part in sliced)
    draw_slices(sliced, "AP50", True)
    assert not [one for one in recwarn if "legend" in str(one.message)]


def placed(*boxes):
    """Golden photographs of 200 x 100 pixels with one face each."""
    images = [{"id": number, "width": 200, "height": 100, "file_name": f"{number}.jpg"} for number in range(len(boxes))]
    faces = [{"id": number, "image_id": number, "bbox": list(box), "iscrowd": 0} for number, box in enumerate(boxes)]
    return {"images": images, "annotations": faces}


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((0, 40, 20, 20), "cut by the border"),
        ((1, 40, 20, 20), "near the border"),
        ((90, 0, 20, 20), "cut by the border"),
        ((90, 1, 20, 10), "near the border"),
        ((180, 40, 20, 20), "cut by the border"),
        ((179, 40, 20, 20), "near the border"),
        ((90, 80, 20, 20), "cut by the border"),
        ((90, 79, 20, 20), "near the border"),
        ((20, 40, 20, 20), "inside"),  # its center at 15 % of the width
        ((19, 40, 20, 20), "near the border"),
        ((160, 40, 20, 20), "inside"),
        ((161, 40, 20, 20), "near the border"),
        ((90, 5, 20, 20), "inside"),  # its center at 15 % of the height
        ((90, 4, 20, 20), "near the border"),
        ((90, 75, 20, 20), "inside"),
        ((90, 76, 20, 20), "near the border"),
    ],
)
def test_the_place_of_a_face_changes_at_the_documented_edges(box, place):
    assert [part.name for part in golden_slices(placed(box)) if part.group == "place" and part.faces] == [place]


@pytest.mark.parametrize(
    ("height", "name"),
    [(15.9, "0 to 16 px"), (16, "16 to 32 px"), (32, "32 to 64 px"), (63.9, "32 to 64 px"), (64, "64 to 128 px"),
     (127.9, "64 to 128 px"), (128, "from 128 px"), (4000, "from 128 px")],
)  # fmt: skip
def test_a_height_at_an_edge_is_in_the_upper_slice(height, name):
    truth = placed((90, 40, 20, height))
    assert [part.name for part in golden_slices(truth) if part.group == "height" and part.faces] == [name]


@pytest.mark.parametrize(
    ("count", "name"), [(1, "1"), (2, "2 to 5"), (5, "2 to 5"), (6, "6 to 20"), (20, "6 to 20"), (21, "from 21")]
)
def test_photographs_are_grouped_by_their_number_of_faces(count, name):
    truth = placed((90, 40, 20, 20))
    truth["annotations"] = [{**truth["annotations"][0], "id": number} for number in range(count)]
    assert [part.name for part in golden_slices(truth) if part.group == "faces in photo" and part.faces] == [name]


def test_events_are_slices_only_where_one_has_several_photographs():
    truth = placed(*[(90, 40, 20, 20)] * 3)
    assert not [part for part in golden_slices(truth) if part.group == "event" and part.name == ""][1:]
    for image, event in zip(truth["images"], ("a", "b", "a"), strict=True):
        image["file_name"] = f"{event}/{image['id']}.jpg"
    events = {part.name: part.faces for part in golden_slices(truth) if part.group == "event"}
    assert events == {"a": {0, 2}, "b": {1}}
    truth["images"][2]["file_name"] = "c/2.jpg"
    assert not [part for part in golden_slices(truth) if part.group == "event"]


def test_attributes_are_named_by_their_numbers():
    truth = placed((90, 40, 20, 20), (90, 40, 20, 20))
    truth["annotations"][0] |= {"blur": 2, "occlusion": 0, "pose": 1}
    named = {(part.group, part.name) for part in golden_slices(truth) if 0 in part.faces}
    assert {("blur", "heavy"), ("occlusion", "none"), ("pose", "atypical")} <= named
    assert not any(group == "illumination" for group, _ in named)
