"""Control arms: faces as they were, and one thing changed."""

import numpy as np
import pytest

from facade.anonymize import keep, treat
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


def test_recode_is_one_generation_of_jpeg_more_and_nothing_else(raw, tmp_path, params):
    treat(raw, keep, tmp_path / "once", params.codec, "once", workers=1)
    treat(Photographs(tmp_path / "once"), keep, tmp_path / "twice", params.codec, "twice", workers=1)
    treat(raw, Recode(params.codec), tmp_path / "recode", params.codec, "recode", workers=1)
    for photograph in raw:
        twice, recode = ((tmp_path / name / "images" / photograph.file).read_bytes() for name in ("twice", "recode"))
        assert twice == recode


def test_decoys_are_as_many_and_as_large_as_the_faces_which_stay_as_they_were(raw, params):
    photograph = list(raw)[1]
    image = raw.pixels(photograph)
    treated = BlurDecoys(params.blur)(image, photograph)
    assert treated.counts == {"decoys": 1, "no_place": 0}
    np.testing.assert_array_equal(treated.pixels[10:40, 10:40], image[10:40, 10:40])
    changed = (treated.pixels != image).any(2)
    assert 0.7 * np.pi / 4 * 30**2 < changed.sum() < 2 * 30**2
    assert BlurDecoys(params.blur)(image, photograph).pixels.tobytes() == treated.pixels.tobytes()


def test_dropped_photographs_are_replaced_by_others_and_the_calibration_part_stays(raw, tmp_path, params):
    arms = params.arms.model_copy(update={"drop_share": 50})
    counts = drop_photographs(raw, tmp_path / "drop", arms, 20)
    dropped = Photographs(tmp_path / "drop")
    before = {photograph.file: (raw.images / photograph.file).read_bytes() for photograph in raw}
    after = {photograph.file: (dropped.images / photograph.file).read_bytes() for photograph in dropped}
    assert list(before) == list(after)
    changed = {file for file in before if before[file] != after[file]}
    assert len(changed) == counts["left_out"]
    assert counts["left_out"] == pytest.approx(counts["kept"], abs=1)
    apart = calibration_files(before, 20)
    assert not changed & apart
    held_out = {before[file] for file in apart}
    assert not any(after[file] in held_out for file in after if file not in apart), "nothing held out is trained on"
    gone = {before[file] for file in changed}
    assert not gone & set(after.values())
    assert [len(photograph.faces) for photograph in dropped] == [len(photograph.faces) for photograph in raw]


def test_dropping_all_faces_is_refused(make_store, tmp_path, params):
    one = make_store({"a.jpg": (noise(60, 60), (FACE,)), "b.jpg": (noise(60, 60), ())}, "raw")
    with pytest.raises(FacadeError, match="leaves no photograph with a face"):
        drop_photographs(one, tmp_path / "drop", params.arms.model_copy(update={"drop_share": 99}), 0)
