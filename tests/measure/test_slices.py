"""Slices: the faces of one kind scored, the others neither right nor wrong."""

import numpy as np
import pytest

from facade.measure.slices import FEWEST, compare_slices, slices_of, table
from facade.measure.weighted import matched_run
from facade.report.differences import draw_slices
from tests.measure.test_compare import study  # noqa: F401 - a fixture
from tests.measure.test_weighted import by_pycocotools, random_case


def labelled(seed):
    truth, results = random_case(seed)
    for number, annotation in enumerate(truth["annotations"]):
        annotation["occlusion"] = number % 3
    for image in truth["images"]:
        image["file_name"] = f"{image['id'] % 2}--Event/{image['id']}.jpg"
    return truth, results


@pytest.mark.parametrize("seed", range(15))
def test_a_slice_is_scored_as_pycocotools_scores_it_with_the_others_ignored(seed):
    truth, results = labelled(seed)
    run = matched_run(truth, results, counts=lambda face: face["occlusion"] == 1)
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
    for group in ("height", "occlusion", "event"):
        held = [[part.holds(face) for face in truth["annotations"]] for part in slices_of(truth) if part.group == group]
        assert (np.sum(held, axis=0) == 1).all()


def test_too_few_faces_say_so_and_a_loss_shows_where_it_is(study):  # noqa: F811
    truth, folders, settings = study
    for number, annotation in enumerate(truth["annotations"]):
        annotation["pose"] = int(number < FEWEST - 1)
        annotation["blur"] = number % 2
    sliced = compare_slices(truth, folders, settings)
    by_name = {(part.group, part.name): part for part in sliced}
    assert by_name["pose", "atypical"].compared == ()
    few = sum(not face["iscrowd"] for face in truth["annotations"][: FEWEST - 1])
    assert f"pose,atypical,{few},too few faces" in table(sliced)
    loss = {(one.first, one.second): one for one in by_name["blur", "clear"].compared}
    assert loss["blur", "raw"].verdict.high < 0
    assert loss["pseudo", "raw"].difference.seen == 0


def test_the_figure_is_drawn(study, tmp_path):  # noqa: F811
    truth, folders, settings = study
    draw_slices(compare_slices(truth, folders, settings), True, tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 5000
