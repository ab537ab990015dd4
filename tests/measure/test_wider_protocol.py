"""WIDER FACE's protocol against a naive reference, and its published ground truth."""

import numpy as np
import pytest
from scipy.io import savemat

from facade.errors import FacadeError
from facade.measure.wider_protocol import difficulty_levels, wider_average_precision
from tests.conftest import SHARED
from tests.measure.test_weighted import arrays, random_case


def reference(truth, results, counted):
    """A naive implementation, threshold by threshold and photograph by photograph, that shares no code."""
    low, high = min(one["score"] for one in results), max(one["score"] for one in results)
    pictures = []
    for image in truth["images"]:
        faces = [face for face in truth["annotations"] if face["image_id"] == image["id"]]
        own = sorted((one for one in results if one["image_id"] == image["id"]), key=lambda one: -one["score"])
        if not faces or not own:
            continue
        state = {face["id"]: 0 if face["id"] in counted else -1 for face in faces}
        rows = []
        for one in own:
            shares = [iou(one["bbox"], face["bbox"]) for face in faces]
            face = faces[int(np.argmax(shares))]["id"]
            proposal = 1
            if max(shares) >= 0.5:
                if state[face] == -1:
                    proposal = 0
                elif state[face] == 0:
                    state[face] = 1
            score = (one["score"] - low) / (high - low)
            rows.append((score, proposal, sum(value == 1 for value in state.values())))
        pictures.append(rows)
    curve = []
    for number in range(1000):
        threshold = 1 - (number + 1) / 1000
        proposals = found = 0
        for rows in pictures:
            passed = [row for row in rows if row[0] >= threshold]
            if passed:
                proposals += sum(row[1] for row in passed)
                found += passed[-1][2]
        curve.append((found / len(counted), found / proposals if proposals else 0.0))
    recall, precision = [0.0, *(r for r, _ in curve), 1.0], [0.0, *(p for _, p in curve), 0.0]
    area = 0.0
    for index in range(1, len(recall)):
        area += (recall[index] - recall[index - 1]) * max(precision[index:])
    return area


def iou(one, other):
    ax, ay, aw, ah = one
    bx, by, bw, bh = other
    wide = min(ax + aw, bx + bw) - max(ax, bx) + 1
    high = min(ay + ah, by + bh) - max(ay, by) + 1
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / ((aw + 1) * (ah + 1) + (bw + 1) * (bh + 1) - wide * high)


def protocol(truth, results, counted):
    faces, found = arrays(truth, results)
    return wider_average_precision(faces, found, faces.mask(frozenset(counted)))


@pytest.mark.parametrize("seed", range(25))
def test_it_equals_the_naive_reference_with_ignored_faces_and_ties(seed):
    truth, results = random_case(seed)
    random = np.random.default_rng(seed)
    counted = frozenset(face["id"] for face in truth["annotations"] if random.random() < 0.6)
    assert protocol(truth, results, counted) == pytest.approx(reference(truth, results, counted), abs=1e-9)


def test_levels_by_height_have_distinct_names_and_are_nested():
    truth, _ = random_case(2)
    found = difficulty_levels(truth, None)
    assert list(found) == ["AP_from_34px", "AP_from_16px", "AP_from_9px"]
    high, middle, low = found.values()
    assert high < middle < low
    assert not any(face["id"] in low for face in truth["annotations"] if face["iscrowd"])


def test_identical_scores_no_detections_and_no_faces():
    truth, results = random_case(1)
    counted = frozenset(face["id"] for face in truth["annotations"])
    same = [{**one, "score": 0.5} for one in results]
    assert 0 < protocol(truth, same, counted) < 1
    assert protocol(truth, [], counted) == 0
    assert protocol(truth, results, frozenset()) is None


def cells(rows):
    column = np.empty((len(rows), 1), object)
    for index, row in enumerate(rows):
        column[index, 0] = row
    return column


@pytest.fixture
def golden(tmp_path):
    """A golden set, and ground truth in its published format: nested cells, faces numbered from 1."""
    truth, results = random_case(6)
    for image in truth["images"]:
        image["file_name"] = f"{image['id'] % 2}--Event/{image['id']}.jpg"
    counts = {}
    for face in truth["annotations"]:
        face["index"] = counts.get(face["image_id"], 0)
        counts[face["image_id"]] = face["index"] + 1
    for level, step in (("easy", 3), ("medium", 2), ("hard", 1)):
        events = {}
        for image in truth["images"]:
            events.setdefault(f"{image['id'] % 2}--Event", []).append(image["id"])
        kept = {number: np.arange(1, counts.get(number, 0) + 1, step)[:, None] for number in range(1, 13)}
        savemat(
            tmp_path / f"wider_{level}_val.mat",
            {
                "event_list": cells(list(events)),
                "file_list": cells([cells([str(number) for number in own]) for own in events.values()]),
                "gt_list": cells([cells([kept[number] for number in own]) for own in events.values()]),
            },
        )
    return truth, results, tmp_path


def test_official_levels_are_read_by_the_index_of_each_face(golden):
    truth, results, folder = golden
    found = difficulty_levels(truth, folder)
    assert list(found) == ["WIDER_easy", "WIDER_medium", "WIDER_hard"]
    for name, step in (("WIDER_easy", 3), ("WIDER_medium", 2), ("WIDER_hard", 1)):
        assert found[name] == {face["id"] for face in truth["annotations"] if face["index"] % step == 0}
        assert protocol(truth, results, found[name]) == pytest.approx(reference(truth, results, found[name]), abs=1e-9)


def test_ground_truth_of_another_set_is_rejected(golden):
    truth, _, folder = golden
    truth["images"][0]["file_name"] = "9--Other/x.jpg"
    with pytest.raises(FacadeError, match=r"lacks 1 of the golden photographs, for example 9--Other/x"):
        difficulty_levels(truth, folder)


def test_labels_without_indices_are_rejected(golden):
    truth, _, folder = golden
    for face in truth["annotations"]:
        del face["index"]
    with pytest.raises(FacadeError, match="are not in the golden labels"):
        difficulty_levels(truth, folder)


@pytest.mark.parametrize("content", [None, b"", b"MATLAB 5.0 MAT-file", b"\0" * 500])
def test_invalid_ground_truth_is_rejected(golden, content):
    truth, _, folder = golden
    if content is None:
        (folder / "wider_easy_val.mat").unlink()
    else:
        (folder / "wider_easy_val.mat").write_bytes(content)
    with pytest.raises(FacadeError, match=r"wider_easy_val\.mat"):
        difficulty_levels(truth, folder)


@pytest.mark.skipif(not SHARED.is_dir(), reason="WIDER FACE is not available")
def test_published_ground_truth_can_be_read():
    """Easy is a subset of medium, medium of hard; and indices are within the labels."""
    root = SHARED / "data" / "widerface-640"
    lines = (root / "wider_face_split" / "wider_face_val_bbx_gt.txt").read_text().splitlines()
    truth = {"images": [], "annotations": []}
    at = 0
    while at < len(lines):
        name, count = lines[at].strip(), int(lines[at + 1])
        truth["images"].append({"id": len(truth["images"]) + 1, "file_name": name})
        for index in range(count):
            box = [float(value) for value in lines[at + 2 + index].split()[:4]]
            truth["annotations"].append(
                {"id": len(truth["annotations"]), "image_id": len(truth["images"]), "bbox": box, "index": index,
                 "iscrowd": 0}
            )  # fmt: skip
        at += 2 + max(count, 1)
    found = difficulty_levels(truth, root / "ground_truth")
    assert found["WIDER_easy"] < found["WIDER_medium"] < found["WIDER_hard"]
    heights = {face["id"]: face["bbox"][3] for face in truth["annotations"]}
    easy, hard = (np.median([heights[number] for number in found[f"WIDER_{level}"]]) for level in ("easy", "hard"))
    assert easy > 1.5 * hard, "easy faces are large: the indices refer to the right faces"
