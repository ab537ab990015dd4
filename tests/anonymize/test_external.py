"""Photographs that another program has treated are found by name, and refused where boxes would lie elsewhere."""

import cv2
import numpy as np
import pytest

from facade.anonymize.external import read_treated
from facade.dataset import Face
from facade.errors import FacadeError
from tests.conftest import noise

STORED = {"0123456789abcdef.jpg": "12--Group/a.JPG", "fedcba9876543210.jpg": "b.png"}


@pytest.fixture
def source(make_store):
    photographs = make_store({name: (noise(40, 60, 1), (Face((5.0, 5.0, 20.0, 20.0)),)) for name in STORED}, "train")
    rows = "".join(f"{stored},{own}\n" for stored, own in STORED.items())
    (photographs.root / "names.csv").write_text(f"stored,photograph\n{rows}")
    return photographs


def write(path, seed, height=40, width=60):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = noise(height, width, seed)
    assert cv2.imwrite(str(path), pixels)
    return pixels


@pytest.mark.parametrize(
    "names",
    [
        ("12--Group/a.png", "b.png"),  # the data set's own names, another suffix
        ("0123456789abcdef.png", "fedcba9876543210.bmp"),  # those of data/train
    ],
)
def test_each_photograph_gets_its_own_treated_file(tmp_path, source, names):
    written = [write(tmp_path / "out" / name, seed) for seed, name in enumerate(names, 7)]
    treatment = read_treated(tmp_path / "out", source, 10)
    for photograph, expected in zip(source, written, strict=True):
        assert np.array_equal(treatment(source.pixels(photograph), photograph).pixels, expected)


def test_a_photograph_without_a_treated_file_is_named(tmp_path, source):
    write(tmp_path / "out/12--Group/a.png", 1)
    with pytest.raises(FacadeError, match=r"lacks 1 of 2 training photographs, b\.png among them"):
        read_treated(tmp_path / "out", source, 10)


def test_two_files_for_one_photograph_are_refused(tmp_path, source):
    for name in ("b.png", "b.jpg", "12--Group/a.png"):
        write(tmp_path / "out" / name, 1)
    with pytest.raises(FacadeError, match="may both be the treated"):
        read_treated(tmp_path / "out", source, 10)


def test_a_smaller_version_is_refused(tmp_path, source):
    write(tmp_path / "out/12--Group/a.png", 1)
    write(tmp_path / "out/b.png", 1, height=20, width=30)
    treatment = read_treated(tmp_path / "out", source, 10)
    small = list(source)[1]
    with pytest.raises(FacadeError, match=r"30x20 pixels, and its photograph 60x40"):
        treatment(source.pixels(small), small)


def test_a_missing_folder_is_named(tmp_path, source):
    with pytest.raises(FacadeError, match="no folder"):
        read_treated(tmp_path / "nowhere", source, 10)
