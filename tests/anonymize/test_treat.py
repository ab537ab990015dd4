"""The shared path of all arms."""

from pathlib import Path

import numpy as np
import pytest

from facade.anonymize import BlurFaces, leave_faces, treat
from facade.anonymize.treat import Treated
from facade.dataset import Face, Photograph, Photographs, encode
from facade.dataset.records import without_landmarks
from facade.errors import FacadeError
from tests.conftest import noise, tree


@pytest.fixture
def source(make_store):
    face = Face((10, 10, 30, 30))
    return make_store({f"e/{number}.jpg": (noise(60, 80, number), (face,)) for number in range(6)})


def fail(image: np.ndarray, photograph: Photograph) -> Treated:
    if photograph.file == "e/3.jpg":
        raise FacadeError("no")
    return Treated(image)


def test_arms_have_the_same_files_labels_and_codec(tmp_path, source, params):
    treat(source, leave_faces, tmp_path / "raw", params.codec, "raw", workers=1)
    treat(source, BlurFaces(params.blur), tmp_path / "blur", params.codec, "blur", workers=1)
    raw, blur = tree(tmp_path / "raw"), tree(tmp_path / "blur")
    assert list(raw) == list(blur)
    assert raw["annotations.json"] == blur["annotations.json"] == source.annotations.read_bytes()
    for name in raw:
        if name.endswith(".jpg"):
            # Quality is in the quantization tables, subsampling in the frame header: all before the first scan.
            heads = [content[: content.index(b"\xff\xc4")] for content in (raw[name], blur[name])]
            assert heads[0] == heads[1]


def test_arms_have_no_landmarks(tmp_path, make_store, params):
    points = ((15, 20), (30, 20), (22, 28), (17, 35), (28, 35))
    source = make_store({"a.jpg": (noise(60, 80), (Face((10, 10, 30, 30), points, attributes={"blur": 1}),))})
    for treatment, name in ((leave_faces, "raw"), (BlurFaces(params.blur), "blur")):
        treat(source, treatment, tmp_path / name, params.codec, name, workers=1)
        arm = Photographs(tmp_path / name)
        assert "keypoints" not in arm.content()["annotations"][0]
        assert list(arm) == [without_landmarks(one) for one in source] != list(source)


def test_raw_is_re_encoded(tmp_path, source, params):
    treat(source, leave_faces, tmp_path / "raw", params.codec, "raw", workers=1)
    photograph = next(iter(source))
    once, twice = source.pixels(photograph), Photographs(tmp_path / "raw").pixels(photograph)
    assert (once != twice).any()
    assert np.abs(once.astype(int) - twice).mean() < 2


def test_results_do_not_depend_on_the_number_of_processes(tmp_path, source, params):
    treat(source, BlurFaces(params.blur), tmp_path / "one", params.codec, "blur", workers=1)
    treat(source, BlurFaces(params.blur), tmp_path / "two", params.codec, "blur", workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_failure_leaves_no_partial_output_and_keeps_the_previous(tmp_path, source, params):
    with pytest.raises(FacadeError, match="no"):
        treat(source, fail, tmp_path / "arm", params.codec, "arm", workers=1)
    assert not (tmp_path / "arm").exists()
    treat(source, leave_faces, tmp_path / "arm", params.codec, "arm", workers=1)
    before = tree(tmp_path / "arm")
    with pytest.raises(FacadeError, match="no"):
        treat(source, fail, tmp_path / "arm", params.codec, "arm", workers=1)
    assert tree(tmp_path / "arm") == before
    assert {path.name for path in Path(tmp_path).iterdir()} == {"store", "arm"}, "no temporary files are left"


def test_a_picture_whose_size_differs_from_its_label_is_refused(tmp_path, source, params):
    (source.images / "e/1.jpg").write_bytes(encode(noise(60, 79), params.codec))
    with pytest.raises(FacadeError, match=r"e/1.jpg is 79x60 pixels, its labels say 80x60"):
        treat(source, leave_faces, tmp_path / "raw", params.codec, "raw", workers=1)


def test_counts_are_summed_over_all_photographs(tmp_path, source, params):
    assert treat(source, BlurFaces(params.blur), tmp_path / "blur", params.codec, "blur", workers=2) == {"faces": 6}
    assert treat(source, leave_faces, tmp_path / "raw", params.codec, "raw", workers=1) == {}
