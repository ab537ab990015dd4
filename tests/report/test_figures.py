"""Figures: content, repeatability, and no real people."""

import cv2
import numpy as np
import pytest

from facade.dataset import Face
from facade.measure.arms import ArmMetrics
from facade.report.faces import draw_faces
from facade.report.precision_recall_plot import draw_curves, write_curve
from facade.report.style import save
from tests.conftest import noise


@pytest.fixture
def arms():
    recalls = np.linspace(0, 1, 101)
    return {
        name: ArmMetrics({"AP50": [share, share]}, np.stack([1 - recalls * (1 - share)] * 2))
        for name, share in (("raw", 0.9), ("blur", 0.3), ("pseudo", 0.8))
    }


def test_curve_is_a_table_of_recall_and_precision(tmp_path, arms):
    write_curve(arms["blur"], tmp_path / "blur.csv")
    rows = (tmp_path / "blur.csv").read_text().splitlines()
    assert rows[0] == "recall,precision"
    assert rows[1] == "0.00,1.0000"
    assert rows[-1] == "1.00,0.3000"


def test_arm_that_is_switched_off_has_a_table_without_rows(tmp_path):
    write_curve(None, tmp_path / "raw.csv")
    assert (tmp_path / "raw.csv").read_text() == "recall,precision\n"


def test_curves_are_byte_identical_every_time(tmp_path, arms):
    for name in ("one.png", "two.png"):
        save(draw_curves(arms, 0.5, synthetic=True), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    picture = cv2.imread(str(tmp_path / "one.png"))
    assert picture.shape[1] == 600
    for color in ((178, 114, 0), (0, 159, 230), (115, 158, 0)):  # the three arms, in BGR
        assert (np.abs(picture.astype(int) - color).max(2) < 12).sum() > 200


def test_faces_of_real_people_are_withheld(tmp_path, make_store):
    stores = {
        name: make_store({"a.jpg": (np.full((80, 80, 3), (10, 20, 250), np.uint8), (Face((20, 20, 40, 40)),))}, name)
        for name in ("raw", "blur", "pseudo")
    }
    save(draw_faces(stores, show=True), tmp_path / "shown.png")
    save(draw_faces(stores, show=False), tmp_path / "withheld.png")

    def red(path):
        return (np.abs(cv2.imread(str(path)).astype(int) - (10, 20, 250)).max(2) < 20).sum()

    assert red(tmp_path / "shown.png") > 1000
    assert red(tmp_path / "withheld.png") == 0


def test_figure_has_one_column_per_photograph_and_one_row_per_arm(tmp_path, make_store):
    pictures = {
        f"{number}.jpg": (noise(90, 90, number), (Face((20, 20, 10 + 5 * number, 12 + 5 * number)),))
        for number in range(4)
    }
    stores = {name: make_store(pictures, name) for name in ("raw", "blur")}
    save(draw_faces(stores, show=True), tmp_path / "faces.png")
    assert cv2.imread(str(tmp_path / "faces.png")).shape == (310, 460, 3)
