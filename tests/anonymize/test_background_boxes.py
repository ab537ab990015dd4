"""Random boxes in the background."""

import numpy as np
import pytest

from facade.anonymize.background_boxes import sample_background_boxes
from facade.anonymize.region import region
from facade.dataset import Face, Photograph
from facade.seeds import generator

CROWDED = Photograph("a.jpg", 200, 150, (Face((20, 20, 40, 50)), Face((120, 60, 30, 30), None, True)))


def touch(one, other):
    return (
        one[0] < other[0] + other[2] and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3] and other[1] < one[1] + one[3]
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_boxes_touch_no_face_no_border_and_no_other_box(seed):
    places = sample_background_boxes(CROWDED, [(20, 25)] * 4, generator("places", seed))
    found = [place for place in places if place is not None]
    assert len(found) >= 3
    for number, place in enumerate(found):
        assert place[0] >= 0
        assert place[1] >= 0
        assert place[0] + place[2] <= 200
        assert place[1] + place[3] <= 150
        assert not any(touch(place, other) for other in [*found[:number], *(face.bbox for face in CROWDED.faces)])


@pytest.mark.parametrize("seed", range(20))
def test_the_soft_edge_of_a_treatment_touches_no_face(seed):
    """A large decoy next to a small face has a wide soft edge."""
    small = Photograph("a.jpg", 300, 240, tuple(Face((20.0 + 50 * n, 100, 10, 10)) for n in range(6)))
    (place,) = sample_background_boxes(small, [(60, 60)], generator("spill", seed), widen=50, feather=15)
    assert place is not None
    area = region(place, (240, 300), 50, 15, ellipse=True)
    weight = np.zeros((240, 300))
    weight[area.rows, area.columns] = area.weight
    for face in small.faces:
        x, y, w, h = (int(value) for value in face.bbox)
        assert weight[y : y + h, x : x + w].max() == 0
    assert weight[0].max() == weight[-1].max() == weight[:, 0].max() == weight[:, -1].max() == 0


@pytest.mark.parametrize("seed", range(10))
def test_hair_and_neck_of_a_face_stay_free(seed):
    """Three fifths of a box are added to each face, half on either side: that is 12 and 15 pixels here."""
    boxes = sample_background_boxes(CROWDED, [(20, 25)] * 6, generator("hair", seed))
    (x, y, w, h) = CROWDED.faces[0].bbox
    head = (x - 0.3 * w, y - 0.3 * h, 1.6 * w, 1.6 * h)
    assert not any(touch(box, head) for box in boxes if box is not None)


def test_without_room_there_is_no_box():
    full = Photograph("a.jpg", 100, 100, (Face((5, 5, 90, 90)),))
    assert sample_background_boxes(full, [(30, 30), (300, 20)], generator("full")) == [None, None]
