"""The treated region of a face."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from facade.anonymize.region import blend, region, widen_box

SIZE = st.floats(0.3, 200)
PLACE = st.floats(-50, 150)


def test_widening_keeps_the_center():
    assert widen_box((10, 20, 100, 50), 20) == (0, 15, 120, 60)


@settings(max_examples=200, deadline=None)
@given(PLACE, PLACE, SIZE, SIZE, st.booleans(), st.floats(0, 50), st.floats(0, 20))
def test_weights_are_one_on_the_face_and_zero_at_the_rim(x, y, w, h, ellipse, widen, feather):
    shape = (100, 120)
    if x + w <= 0 or y + h <= 0 or x >= 120 or y >= 100:
        return
    area = region((x, y, w, h), shape, widen, feather, ellipse)
    rows, columns = np.mgrid[area.rows, area.columns] + 0.5
    assert area.weight.shape == rows.shape
    assert 0 <= area.weight.min() <= area.weight.max() <= 1
    across, down = np.abs(columns - x - w / 2), np.abs(rows - y - h / 2)
    ellipse = ellipse and x > 0 and y > 0 and x + w < 120 and y + h < 100
    inside = np.hypot(across / w, down / h) <= 0.5 if ellipse else (across <= w / 2) & (down <= h / 2)
    assert (area.weight[inside] == 1).all()
    soft = feather / 100 * np.hypot(w, h)
    far = (across > (1 + widen / 100) * w / 2 + soft + 1) | (down > (1 + widen / 100) * h / 2 + soft + 1)
    assert (area.weight[far] == 0).all()


def test_a_face_cut_by_the_border_is_treated_to_its_corners():
    area = region((0, 40, 60, 160), (240, 300), 15, 4, ellipse=True)
    rows, columns = np.mgrid[area.rows, area.columns]
    assert (area.weight[(columns < 60) & (rows >= 40) & (rows < 200)] == 1).all()


def test_the_smallest_face_has_at_least_one_treated_pixel():
    area = region((10.2, 10.2, 0.1, 0.1), (40, 40), 0, 0, ellipse=True)
    assert area.weight.max() == 1


def test_the_soft_edge_falls_smoothly():
    weight = region((50, 50, 40, 40), (140, 140), 0, 20, ellipse=True).weight
    middle = weight[weight.shape[0] // 2]
    assert middle.max() == 1
    assert middle.min() < 0.02
    assert np.abs(np.diff(middle)).max() < 0.25


@pytest.mark.parametrize("bbox", [(0, 0, 0, 5), (0, 0, 5, -1), (0, 0, float("nan"), 5), (float("inf"), 0, 5, 5)])
def test_an_invalid_box_is_refused(bbox):
    with pytest.raises(ValueError, match="finite and have an area"):
        region(bbox, (40, 40), 0, 0, ellipse=True)


def test_a_box_outside_the_photograph_is_refused():
    with pytest.raises(ValueError, match="outside a photograph of 50x40"):
        region((100, 100, 5, 5), (40, 50), 0, 0, ellipse=True)


def test_blending_leaves_pixels_of_weight_zero_untouched():
    image = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    before = image.copy()
    area = region((10, 10, 12, 12), image.shape, 0, 10, ellipse=True)
    blend(image, area, np.zeros((*area.weight.shape, 3)))
    changed = (image != before).any(2)
    full = np.zeros((40, 50))
    full[area.rows, area.columns] = area.weight
    assert not changed[full == 0].any()
    assert (image[full == 1] == 0).all()
