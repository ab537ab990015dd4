"""Control arms: untouched faces, and one side effect of anonymization."""

import numpy as np
import pytest

from facade.anonymize import leave_faces, treat
from facade.anonymize.controls import BlurDecoys, Recode, drop_photographs
from facade.dataset import Face, Photographs
from facade.dataset.calibration import calibration_files
from facade.errors import FacadeError
from tests.conftest import noise

FACE = Face((10, 10, 30, 30))


@pytest.fixture
def raw(make_store):
    pictures = {f"e/{number}.jpg": (noise(120, 160, number), (FACE,) if number % 4 else ()) for number in range(24)}
    return make_store(pictures, "raw")


def test_recode_adds_one_jpeg_generation_and_nothing_else(raw, tmp_path, params):
    treat(raw, leave_faces, tmp_path / "once", params.codec, "once", workers=1)
    treat(Photographs(tmp_path / "once"), leave_faces, tmp_path / "twice", params.codec, "twice", workers=1)
    treat(raw, Recode(params.codec), tmp_path / "recode", params.codec, "recode", workers=1)
    for photograph in raw:
        twice, recode = ((tmp_path / name / "images" / photograph.file).read_bytes() for name in ("twice", "recode"))
        assert twice == recode


def test_decoys_match_the_faces_in_number_and_size_and_leave_them_untouched(raw, params):
    photograph = list(raw)[1]
    image = raw.pixels(photograph)
    treated = BlurDecoys(params.blur)(image, photograph)
    assert treated.counts == {"decoys": 1, "no_room": 0}
    np.testing.assert_array_equal(treated.pixels[10:40, 10:40], image[10:40, 10:40])
    changed = (treated.pixels != image).any(2)
    assert 0.7 * np.pi / 4 * 30**2 < changed.sum() < 2 * 30**2
    assert BlurDecoys(params.blur)(image, photograph).pixels.tobytes() == treated.pixels.tobytes()


def test_dropped_photographs_are_replaced_and_calibration_photographs_kept(raw, tmp_path, params):
    counts = drop_photographs(raw, tmp_path / "drop", 50, 20)
    dropped = Photographs(tmp_path / "drop")
    before = {photograph.file: (raw.images / photograph.file).read_bytes() for photograph in raw}
    after = {photograph.file: (dropped.images / photograph.file).read_bytes() for photograph in dropped}
    assert list(before) == list(after)
    changed = {file for file in before if before[file] != after[file]}
    assert len(changed) == counts["left_out"]
    assert counts["left_out"] == pytest.approx(counts["kept"], abs=1)
    held_out_files = calibration_files(before, 20)
    assert not changed & held_out_files
    held_out = {before[file] for file in held_out_files}
    assert not any(after[file] in held_out for file in after if file not in held_out_files), (
        "no held-out photograph is trained on"
    )
    gone = {before[file] for file in changed}
    assert not gone & set(after.values())
    assert [len(photograph.faces) for photograph in dropped] == [len(photograph.faces) for photograph in raw]


def test_dropping_all_faces_is_refused(make_store, tmp_path, params):
    one = make_store({"a.jpg": (noise(60, 60), (FACE,)), "b.jpg": (noise(60, 60), ())}, "raw")
    with pytest.raises(FacadeError, match="leaves no photograph with a face"):
        drop_photographs(one, tmp_path / "drop", 99, 0)
