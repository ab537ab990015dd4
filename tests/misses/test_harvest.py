from pathlib import Path

import cv2
import numpy as np
import pytest

from facade.anonymize.treat import recoded
from facade.audit.coverage import findings
from facade.dataset.records import Photograph
from facade.dataset.store import decode, encode
from facade.errors import FacadeError
from facade.misses import harvest as module
from facade.misses.add import reported
from facade.misses.harvest import anonymizer, harvest, missed_faces
from facade.misses.ledger import Ledger, judged, read_ledger, with_entries
from tests.conftest import noise
from tests.misses.field import Finds, golden, runs, scenes, wider_lines

NOTHING = Ledger(Path("none"), ())


@pytest.fixture
def pool(write_wider):
    def write(count=3):
        taken = scenes(count)
        return write_wider(
            train={f"a/{n}.jpg": (pixels, wider_lines(faces)) for n, (pixels, faces) in enumerate(taken)}
        ), taken

    return write


def take(monkeypatch, pool, params, models, looks):
    monkeypatch.setattr(module, "runs_of", lambda arm, params: models)
    monkeypatch.setattr(module, "golden_looks", lambda params: looks)
    monkeypatch.setattr(module, "is_marked_synthetic", lambda root: True)
    told = []
    kept, left, synthetic = harvest(pool, NOTHING, ["pseudo"], params, 0.5, told.append, workers=1)
    return kept, left, synthetic, told


def test_every_missed_face_is_recorded_and_nobody_is_left_in_what_is_stored(monkeypatch, pool, params, tmp_path):
    root, _ = pool()
    kept, left, synthetic, _ = take(monkeypatch, root, params, runs(Finds(), Finds()), golden())
    assert (len(kept), len(left)) == (3, 0)
    with_entries(Ledger(tmp_path / "misses", ()), [(one.entry, one.files) for one in kept], synthetic)
    ledger = read_ledger(tmp_path / "misses")
    sources = {name.stem: cv2.imread(str(name)) for name in root.rglob("*.jpg")}
    for entry in ledger.entries:
        assert entry.misses
        assert all(miss.by == {"pseudo": [0, 1]} and miss.of == {"pseudo": 2} for miss in entry.misses.values())
        for arm in ("blur", "pseudo"):
            stored = decode(ledger.read_image(arm, entry))
            source = min(
                (one for one in sources.values() if one.shape == stored.shape),
                key=lambda one: np.abs(one.astype(int) - stored).mean(),
            )
            before = recoded(source, params.codec)
            found = findings(before, stored, recoded(before, params.codec), entry.photograph.faces)
            assert "untreated" not in found
            assert "treated" in found
    files = [path.read_bytes() for path in (tmp_path / "misses").rglob("*.jpg")]
    assert not {encode(one, params.codec) for one in sources.values()} & set(files)
    assert b"a/0" not in (tmp_path / "misses/annotations.json").read_bytes()


def test_found_faces_are_no_misses_and_a_share_of_the_runs_decides(params):
    pixels, faces = scenes(1)[0]
    judged = [n for n, face in enumerate(faces) if not face.ignore]
    photograph = Photograph("a.jpg", pixels.shape[1], pixels.shape[0], faces)
    finds = Finds(faces[judged[0]].bbox)
    missed, _ = missed_faces(pixels, photograph, [runs(finds, Finds(), Finds())], 0.5, 0.5)
    assert judged[0] in missed
    assert missed[judged[0]].by == {"pseudo": [1, 2]}
    assert missed[judged[0]].best_score == pytest.approx(0.9)
    missed, _ = missed_faces(pixels, photograph, [runs(finds, finds, Finds())], 0.5, 0.5)
    assert judged[0] not in missed
    unsure = Finds(faces[judged[0]].bbox, 0.3)
    missed, _ = missed_faces(pixels, photograph, [runs(unsure)], 0.5, 0.5)
    assert missed[judged[0]].best_score == pytest.approx(0.3)


def test_what_looks_like_a_golden_photograph_is_refused(monkeypatch, pool, params):
    root, taken = pool()
    pixels, _ = taken[1]
    twin = cv2.convertScaleAbs(pixels, alpha=0.95, beta=4)
    kept, left, _, told = take(monkeypatch, root, params, runs(Finds()), golden(twin))
    assert len(kept) == 2
    assert [one.name for one in left] == ["a/1.jpg"]
    assert "golden" in told[0]


def test_somebody_whom_nobody_labelled_is_treated_when_a_model_sees_them(monkeypatch, pool, params, write_wider):
    pixels, faces = scenes(1)[0]
    box = (2.0, 2.0, 30.0, 34.0)
    root = write_wider(train={"a/0.jpg": (pixels, wider_lines(faces))})
    (kept,), _, _, _ = take(monkeypatch, root, params, runs(Finds(box)), golden())
    before = recoded(cv2.imread(str(next(root.rglob("*.jpg")))), params.codec)
    after = decode(kept.files["blur"])
    changed = np.abs(before[8:28, 8:24].astype(int) - after[8:28, 8:24]).mean()
    assert changed > 2
    assert len(kept.entry.photograph.faces) == len(faces), "the labels are the reviewed ones"


def test_a_treatment_that_hides_nobody_is_not_stored(monkeypatch, pool, params):
    weak = params.model_copy(update={"blur": params.blur.model_copy(update={"sigma": 0.01, "widen": 0})})
    monkeypatch.setattr("facade.anonymize.blur_faces.LEAST_SIGMA", 0.05)
    root, _ = pool()
    kept, left, _, told = take(monkeypatch, root, weak, runs(Finds()), golden())
    assert not kept
    assert len(left) == len(told) == 3
    assert "leaves face" in told[0]


def test_real_people_need_a_key_of_their_own(monkeypatch, pool, params):
    root, _ = pool()
    monkeypatch.setattr(module, "runs_of", lambda arm, params: runs(Finds()))
    monkeypatch.setattr(module, "golden_looks", lambda params: golden())
    with pytest.raises(FacadeError, match="synthesize.key"):
        harvest(root, NOTHING, ["pseudo"], params, 0.5, print, workers=1)


def test_a_person_reports_a_miss(params, tmp_path):
    pixels, faces = scenes(1)[0]
    cv2.imwrite(str(tmp_path / "Jane.png"), pixels)
    face = max(faces, key=lambda one: one.bbox[3])
    others = Finds((2.0, 2.0, 30.0, 34.0))
    made = anonymizer(params, synthetic=True)
    kept = reported(tmp_path / "Jane.png", [face.bbox], NOTHING, runs(others), golden(), made, params)
    assert list(kept.entry.misses) == [0]
    assert [one.ignore for one in kept.entry.photograph.faces] == [False, True]
    assert "Jane" not in kept.entry.photograph.file
    with pytest.raises(FacadeError, match="golden"):
        reported(tmp_path / "Jane.png", [face.bbox], NOTHING, runs(others), golden(pixels), made, params)
    with pytest.raises(FacadeError, match="no area"):
        reported(tmp_path / "Jane.png", [(900, 900, 10, 10)], NOTHING, runs(others), golden(), made, params)
    with pytest.raises(FacadeError, match="no such file"):
        reported(tmp_path / "none.png", [face.bbox], NOTHING, runs(others), golden(), made, params)


def test_a_second_report_on_a_photograph_treats_those_of_the_first_again(params, tmp_path):
    pixels = noise(160, 200, 5)
    cv2.imwrite(str(tmp_path / "p.png"), pixels)
    made = anonymizer(params, synthetic=True)
    ledger = Ledger(tmp_path / "misses", ())
    first, second = (20.0, 20.0, 40.0, 48.0), (120.0, 60.0, 44.0, 50.0)
    for box in (first, second):
        kept = reported(tmp_path / "p.png", [box], ledger, runs(Finds()), golden(), made, params)
        ledger = with_entries(ledger, [(kept.entry, kept.files)], synthetic=True)
        judged(ledger, kept.entry.photograph.file, 0, "accepted")
        ledger = read_ledger(tmp_path / "misses")
    (entry,) = ledger.entries
    assert [face.bbox for face in entry.photograph.faces] == [first, second]
    assert [entry.misses[number].state for number in (0, 1)] == ["accepted", "new"]
    for arm in ("blur", "pseudo"):
        stored = decode(ledger.read_image(arm, entry))
        before = recoded(pixels, params.codec)
        assert findings(before, stored, recoded(before, params.codec), entry.photograph.faces) == ["treated"] * 2


def test_a_photograph_with_a_label_of_nothing_is_refused(monkeypatch, write_wider, params):
    pixels, faces = scenes(1)[0]
    root = write_wider(train={"a/0.jpg": (pixels, [*wider_lines(faces), "10 10 0 12 0 0 0 0 0 0"])})
    kept, left, _, told = take(monkeypatch, root, params, runs(Finds()), golden())
    assert not kept
    assert "no area" in left[0].reason
    assert told
