import json

import pytest

from facade.dataset import Photographs
from facade.dataset.concatenate import concatenated, is_concatenation
from facade.dataset.duplicates import perceptual_hash, write_hashes
from facade.dataset.records import Face, Photograph
from facade.dataset.store import encode
from facade.errors import FacadeError
from facade.misses.ledger import (
    Entry,
    KnownMiss,
    Ledger,
    add_entries,
    merge_faces,
    read_ledger,
    remove_photograph,
    review_miss,
    training_part,
)
from facade.misses.show import conditions, gallery, table
from facade.misses.training_part import write_training_part
from tests.conftest import noise, tree

NAMES = ("a" * 16 + ".jpg", "b" * 16 + ".jpg")


@pytest.fixture
def ledger(tmp_path, params):
    root = tmp_path / "misses"
    new = []
    for number, name in enumerate(NAMES):
        faces = (
            Face((10.0, 10.0, 20.0, 24.0), attributes={"occlusion": 1}),
            Face((50.0, 20.0, 30.0, 36.0)),
            Face((90.0, 5.0, 6.0, 7.0), ignore=True),
        )
        entry = Entry(
            Photograph(name, 160, 120, faces), {0: KnownMiss(by={"pseudo": [0]}), 1: KnownMiss(best_score=0.2)}, {}
        )
        files = {
            arm: encode(noise(120, 160, 2 * number + place), params.codec)
            for place, arm in enumerate(("blur", "pseudo"))
        }
        new.append((entry, files))
    return add_entries(Ledger(root, ()), new, synthetic=True)


def golden_set(make_store, pixels):
    """A golden set of one photograph, as ingest leaves it."""
    golden = make_store({"g.jpg": (pixels, (Face((1, 1, 20, 20)),))}, "golden")
    write_hashes(golden.root, {"g.jpg": perceptual_hash(pixels)})
    return golden


def test_a_ledger_that_is_read_and_written_keeps_its_bytes(ledger, tmp_path):
    before = tree(ledger.root)
    again = read_ledger(ledger.root)
    assert again == ledger
    add_entries(again, [], synthetic=True)
    assert tree(ledger.root) == before
    assert read_ledger(tmp_path / "none").entries == ()


def test_a_review_is_kept_when_the_same_photograph_is_harvested_again(ledger):
    review_miss(ledger, NAMES[0], 1, "accepted", (51, 21, 28, 30))
    changed = read_ledger(ledger.root)
    assert changed.entries[0].photograph.faces[1].bbox == (51, 21, 28, 30)
    moved = Face((52.0, 22.0, 28.0, 30.0))
    another = Face((100.0, 60.0, 20.0, 20.0))
    faces, known = merge_faces(changed.entries[0], [moved, another])
    assert faces == (*changed.entries[0].photograph.faces, another)
    assert known[1].state == "accepted"
    assert merge_faces(None, [another]) == ((another,), {})


def test_photographs_with_an_accepted_miss_are_trained_on_and_rejected_faces_are_ignored(ledger):
    assert training_part(ledger) == []
    changed = review_miss(review_miss(ledger, NAMES[0], 0, "accepted"), NAMES[0], 1, "rejected")
    (entry,) = training_part(changed)
    assert [face.ignore for face in entry.photograph.faces] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "number", "state", "box"),
    [("c.jpg", 0, "accepted", None), (NAMES[0], 2, "accepted", None), (NAMES[0], 0, "perhaps", None),
     (NAMES[0], 0, "accepted", (150, 10, 20, 20)), (NAMES[0], 0, "accepted", (10, 10, 0, 20))],
)  # fmt: skip
def test_an_invalid_review_is_refused_and_changes_nothing(ledger, name, number, state, box):
    before = tree(ledger.root)
    with pytest.raises(FacadeError):
        review_miss(ledger, name, number, state, box)
    assert tree(ledger.root) == before


def test_a_removed_photograph_has_no_files_and_no_entry(ledger):
    remove_photograph(ledger, NAMES[0])
    assert [path.name for path in sorted(ledger.root.rglob("*.jpg"))] == [NAMES[1]] * 2
    assert len(read_ledger(ledger.root).entries) == 1


@pytest.mark.parametrize("damage", ["image", "state", "name", "json"])
def test_a_damaged_ledger_is_refused_with_a_message(ledger, damage):
    path = ledger.root / "annotations.json"
    text = path.read_text()
    if damage == "image":
        ledger.image("blur", ledger.entries[0]).write_bytes(b"other")
        with pytest.raises(FacadeError, match="not the recorded photograph"):
            ledger.read_image("blur", ledger.entries[0])
        return
    changed = {"state": text.replace('"new"', '"maybe"'), "name": text.replace(NAMES[0], "../x.jpg"), "json": text[:90]}
    path.write_text(changed[damage])
    with pytest.raises(FacadeError, match="annotations.json"):
        read_ledger(ledger.root)


def test_a_ledger_of_an_earlier_version_is_refused_with_the_new_name_of_its_key(ledger):
    path = ledger.root / "annotations.json"
    path.write_text(path.read_text().replace("best_iou", "best_overlap"))
    with pytest.raises(FacadeError, match="best_overlap is called best_iou now: rename it in the file"):
        read_ledger(ledger.root)


def test_the_training_part_is_repeated_as_often_as_asked(ledger, make_store, params, tmp_path):
    changed = review_miss(ledger, NAMES[1], 0, "accepted")
    golden = golden_set(make_store, noise(60, 80, 77))
    own = make_store({"t.jpg": (noise(60, 80, 78), (Face((1, 1, 20, 20)),))}, "train")
    wanted = params.ingest.model_copy(update={"misses": True, "misses_repeat": 3})
    counts = write_training_part(changed, golden, wanted, tmp_path / "part")
    assert counts == {"photographs": 1, "faces": 2, "near_golden_left_out": 0}
    part = Photographs(tmp_path / "part/pseudo")
    assert len(part) == 3
    together = tmp_path / "together"
    (together / "images").mkdir(parents=True)
    (together / "images/t.jpg").write_bytes((own.images / "t.jpg").read_bytes())
    for one in part:
        (together / "images" / one.file).write_bytes(part.read(one))
    (together / "annotations.json").write_text(json.dumps(concatenated(own, part)))
    both = Photographs(together)
    assert [one.file for one in both] == ["t.jpg", *(one.file for one in part)]
    assert len({number for number, _ in both.items()}) == 4
    assert is_concatenation(own, part, both)
    (together / "images" / NAMES[1]).write_bytes(b"other")
    assert not is_concatenation(own, part, both)
    off = write_training_part(changed, golden, wanted.model_copy(update={"misses": False}), tmp_path / "off")
    assert off["photographs"] == len(Photographs(tmp_path / "off/blur")) == 0


def test_a_near_duplicate_of_a_golden_photograph_is_left_out(ledger, make_store, params, tmp_path):
    changed = review_miss(review_miss(ledger, NAMES[1], 0, "accepted"), NAMES[0], 0, "accepted")
    golden = golden_set(make_store, noise(120, 160, 1))
    counts = write_training_part(changed, golden, params.ingest, tmp_path / "part")
    assert counts == {"photographs": 1, "faces": 2, "near_golden_left_out": 1}
    assert [one.file for one in Photographs(tmp_path / "part/blur")] == [NAMES[1]]


def test_conditions_table_and_gallery_show_the_misses(ledger):
    changed = review_miss(ledger, NAMES[0], 0, "accepted")
    found = {name: (count, states) for name, count, states in conditions(changed)}
    assert found["occlusion 1"] == (2, {"accepted": 1, "new": 1})
    assert found["height from 16 px"][0] == found["height from 32 px"][0] == 2
    assert found["not detected"][0] == 2
    assert len(table(changed).splitlines()) == 5
    assert gallery(changed).shape == (96, 768, 3)
    assert gallery(Ledger(ledger.root, ())).shape == (96, 768, 3)
