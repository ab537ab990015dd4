from pathlib import Path

import cv2
import numpy as np
import pytest

from facade.anonymize.treat import recoded
from facade.audit.coverage import classify_faces
from facade.dataset.records import Photograph
from facade.dataset.store import decode, encode
from facade.errors import FacadeError
from facade.misses import harvest as module
from facade.misses.add import report_misses
from facade.misses.harvest import build_anonymizer, detect_misses, harvest
from facade.misses.ledger import Ledger, add_entries, read_ledger, review_miss
from tests.conftest import noise
from tests.misses.field import FakeDetector, golden, runs, scenes, wider_lines

NOTHING = Ledger(Path("none"), ())


@pytest.fixture
def pool(write_wider):
    def write(count=3):
        taken = scenes(count)
        return write_wider(
            train={f"a/{n}.jpg": (pixels, wider_lines(faces)) for n, (pixels, faces) in enumerate(taken)}
        ), taken

    return write


def run_harvest(monkeypatch, pool, params, models, hashes):
    monkeypatch.setattr(module, "golden_hashes", lambda params: hashes)
    monkeypatch.setattr(module, "is_marked_synthetic", lambda root: True)
    lines = []
    new, skipped, synthetic = harvest(pool, NOTHING, [models], params, 0.5, lines.append, workers=1)
    return new, skipped, synthetic, lines


def test_every_missed_face_is_recorded_and_every_stored_face_is_treated(monkeypatch, pool, params, tmp_path):
    root, _ = pool()
    new, skipped, synthetic, _ = run_harvest(monkeypatch, root, params, runs(FakeDetector(), FakeDetector()), golden())
    assert (len(new), len(skipped)) == (3, 0)
    add_entries(Ledger(tmp_path / "misses", ()), [(one.entry, one.files) for one in new], synthetic)
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
            found = classify_faces(before, stored, recoded(before, params.codec), entry.photograph.faces)
            assert "untreated" not in found
            assert "treated" in found
    files = [path.read_bytes() for path in (tmp_path / "misses").rglob("*.jpg")]
    assert not {encode(one, params.codec) for one in sources.values()} & set(files)
    assert b"a/0" not in (tmp_path / "misses/annotations.json").read_bytes()


def test_detected_faces_are_no_misses_and_the_share_of_runs_decides(params):
    pixels, faces = scenes(1)[0]
    scored = [n for n, face in enumerate(faces) if not face.ignore]
    photograph = Photograph("a.jpg", pixels.shape[1], pixels.shape[0], faces)
    hit = FakeDetector(faces[scored[0]].bbox)
    missed, _ = detect_misses(pixels, photograph, [runs(hit, FakeDetector(), FakeDetector())], 0.5, 0.5)
    assert scored[0] in missed
    assert missed[scored[0]].by == {"pseudo": [1, 2]}
    assert missed[scored[0]].best_score == pytest.approx(0.9)
    missed, _ = detect_misses(pixels, photograph, [runs(hit, hit, FakeDetector())], 0.5, 0.5)
    assert scored[0] not in missed
    low_confidence = FakeDetector(faces[scored[0]].bbox, 0.3)
    missed, _ = detect_misses(pixels, photograph, [runs(low_confidence)], 0.5, 0.5)
    assert missed[scored[0]].best_score == pytest.approx(0.3)


def test_a_near_duplicate_of_a_golden_photograph_is_refused(monkeypatch, pool, params):
    root, taken = pool()
    pixels, _ = taken[1]
    twin = cv2.convertScaleAbs(pixels, alpha=0.95, beta=4)
    new, skipped, _, lines = run_harvest(monkeypatch, root, params, runs(FakeDetector()), golden(twin))
    assert len(new) == 2
    assert [one.name for one in skipped] == ["a/1.jpg"]
    assert "golden" in lines[0]


def test_an_unlabelled_face_that_a_model_detects_is_treated(monkeypatch, pool, params, write_wider):
    pixels, faces = scenes(1)[0]
    box = (2.0, 2.0, 30.0, 34.0)
    root = write_wider(train={"a/0.jpg": (pixels, wider_lines(faces))})
    (new,), _, _, _ = run_harvest(monkeypatch, root, params, runs(FakeDetector(box)), golden())
    before = recoded(cv2.imread(str(next(root.rglob("*.jpg")))), params.codec)
    after = decode(new.files["blur"])
    changed = np.abs(before[8:28, 8:24].astype(int) - after[8:28, 8:24]).mean()
    assert changed > 2
    assert len(new.entry.photograph.faces) == len(faces), "the labels are the reviewed ones"


def test_a_photograph_whose_treatment_has_no_effect_is_not_stored(monkeypatch, pool, params):
    weak = params.model_copy(update={"blur": params.blur.model_copy(update={"sigma": 0.01, "widen": 0})})
    monkeypatch.setattr("facade.anonymize.blur_faces.MIN_SIGMA", 0.05)
    root, _ = pool()
    new, skipped, _, lines = run_harvest(monkeypatch, root, weak, runs(FakeDetector()), golden())
    assert not new
    assert len(skipped) == len(lines) == 3
    assert "leaves face" in lines[0]


def test_real_people_need_a_secret_key(monkeypatch, pool, params):
    root, _ = pool()
    monkeypatch.setattr(module, "golden_hashes", lambda params: golden())
    with pytest.raises(FacadeError, match="synthesize.key"):
        harvest(root, NOTHING, [runs(FakeDetector())], params, 0.5, print, workers=1)


def test_a_reported_miss_is_recorded(params, tmp_path):
    pixels, faces = scenes(1)[0]
    cv2.imwrite(str(tmp_path / "Jane.png"), pixels)
    face = max(faces, key=lambda one: one.bbox[3])
    others = FakeDetector((2.0, 2.0, 30.0, 34.0))
    made = build_anonymizer(params, synthetic=True)
    new = report_misses(tmp_path / "Jane.png", [face.bbox], NOTHING, runs(others), golden(), made, params)
    assert list(new.entry.misses) == [0]
    assert [one.ignore for one in new.entry.photograph.faces] == [False, True]
    assert "Jane" not in new.entry.photograph.file
    with pytest.raises(FacadeError, match="golden"):
        report_misses(tmp_path / "Jane.png", [face.bbox], NOTHING, runs(others), golden(pixels), made, params)
    with pytest.raises(FacadeError, match="no area"):
        report_misses(tmp_path / "Jane.png", [(900, 900, 10, 10)], NOTHING, runs(others), golden(), made, params)
    with pytest.raises(FacadeError, match="no such file"):
        report_misses(tmp_path / "none.png", [face.bbox], NOTHING, runs(others), golden(), made, params)


def test_a_second_report_on_a_photograph_treats_the_faces_of_the_first_again(params, tmp_path):
    pixels = noise(160, 200, 5)
    cv2.imwrite(str(tmp_path / "p.png"), pixels)
    made = build_anonymizer(params, synthetic=True)
    ledger = Ledger(tmp_path / "misses", ())
    first, second = (20.0, 20.0, 40.0, 48.0), (120.0, 60.0, 44.0, 50.0)
    for box in (first, second):
        new = report_misses(tmp_path / "p.png", [box], ledger, runs(FakeDetector()), golden(), made, params)
        ledger = add_entries(ledger, [(new.entry, new.files)], synthetic=True)
        review_miss(ledger, new.entry.photograph.file, 0, "accepted")
        ledger = read_ledger(tmp_path / "misses")
    (entry,) = ledger.entries
    assert [face.bbox for face in entry.photograph.faces] == [first, second]
    assert [entry.misses[number].state for number in (0, 1)] == ["accepted", "new"]
    for arm in ("blur", "pseudo"):
        stored = decode(ledger.read_image(arm, entry))
        before = recoded(pixels, params.codec)
        assert classify_faces(before, stored, recoded(before, params.codec), entry.photograph.faces) == ["treated"] * 2


def test_a_photograph_with_a_label_without_area_is_refused(monkeypatch, write_wider, params):
    pixels, faces = scenes(1)[0]
    root = write_wider(train={"a/0.jpg": (pixels, [*wider_lines(faces), "10 10 0 12 0 0 0 0 0 0"])})
    new, skipped, _, lines = run_harvest(monkeypatch, root, params, runs(FakeDetector()), golden())
    assert not new
    assert "no area" in skipped[0].reason
    assert lines
