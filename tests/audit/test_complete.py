"""Faces that another program left as they were are blurred; its own work stays as it is."""

import cv2
import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.anonymize.external import read_treated
from facade.anonymize.treat import recoded
from facade.audit.complete import BlurUntreated
from facade.audit.coverage import classify_faces
from facade.dataset import Face
from tests.conftest import noise

FACES = (Face((20.0, 20.0, 40.0, 50.0)), Face((100.0, 20.0, 40.0, 50.0), ignore=True), Face((60.0, 100.0, 9.0, 11.0)))


@pytest.fixture
def case(make_store, tmp_path, params):
    """Builds the treatment for a program that treated some of the faces; also returns the source and its output."""

    def build(treated_by_program):
        store = make_store({"a.jpg": (noise(160, 200, 3), FACES)}, "train")
        (store.root / "names.csv").write_text("stored,photograph\na.jpg,a.jpg\n")
        (photograph,) = store
        source = store.pixels(photograph)
        output = source.copy()
        for number in treated_by_program:
            x, y, w, h = map(int, FACES[number].bbox)
            output[y : y + h, x : x + w] = cv2.blur(output[y : y + h, x : x + w], (w // 2, h // 2))
        (tmp_path / "out").mkdir()
        assert cv2.imwrite(str(tmp_path / "out/a.png"), output)
        external = read_treated(tmp_path / "out", store, 10)
        return BlurUntreated(external, BlurFaces(params.blur), params.codec), source, photograph, output

    return build


@pytest.mark.parametrize("treated_by_program", [(), (0,), (1, 2), (0, 1, 2)])
def test_the_faces_that_the_program_left_are_blurred_and_nothing_else_changes(case, params, treated_by_program):
    treatment, source, photograph, output = case(treated_by_program)
    treated = treatment(source, photograph)
    left = [face for number, face in enumerate(FACES) if number not in treated_by_program]
    assert treated.counts == {"faces": 3, "blurred_by_facade": len(left)}
    blurred = BlurFaces(params.blur)(output, type(photograph)("a.jpg", 200, 160, tuple(left))).pixels
    np.testing.assert_array_equal(treated.pixels, blurred)
    stored = recoded(treated.pixels, params.codec)
    assert classify_faces(source, stored, recoded(source, params.codec), FACES) == ["treated"] * 3
    for number in treated_by_program:
        x, y, w, h = map(int, FACES[number].bbox)
        own = slice(y, y + h), slice(x, x + w)
        np.testing.assert_array_equal(treated.pixels[own], output[own])
