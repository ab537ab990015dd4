"""Background patches on golden photographs."""

import json

import numpy as np
import pytest

from facade.anonymize.golden_patches import KINDS, write_patches
from facade.dataset import Face, Photographs
from facade.errors import FacadeError
from tests.conftest import noise, tree


@pytest.fixture
def golden(make_store):
    return make_store(
        {f"e/{number}.jpg": (noise(160, 200, number), (Face((20, 30, 40, 50)),)) for number in range(8)}, "golden"
    )


def test_patches_avoid_faces_and_leave_the_rest_unchanged(golden, tmp_path, params):
    write_patches(golden, tmp_path / "patches", params.patches, params.codec, workers=1)
    patched = Photographs(tmp_path / "patches")
    content = json.loads(patched.annotations.read_text())
    assert {one["kind"] for one in content["annotations"]} == set(KINDS)
    for number, photograph in golden.items():
        before, after = golden.pixels(photograph).astype(int), patched.pixels(photograph).astype(int)
        changed = np.abs(before - after).max(2)
        own = {one["kind"]: one["bbox"] for one in content["annotations"] if one["image_id"] == number}
        # Re-encoding changes the rest by a few gray levels.
        assert np.median(changed) <= 4
        for kind, (x, y, w, h) in own.items():
            assert x + w <= 20 or x >= 60 or y + h <= 30 or y >= 80, "off the face"
            middle = changed[int(y + h / 3) : int(y + 2 * h / 3), int(x + w / 3) : int(x + 2 * w / 3)].mean()
            assert (middle > 15) == (kind != "untouched"), kind


def test_a_golden_set_without_a_face_to_score_is_refused(make_store, tmp_path, params):
    ignored_only = make_store({"a.jpg": (noise(60, 60), (Face((5, 5, 9, 9), None, True),))}, "golden")
    with pytest.raises(FacadeError, match="no face to score"):
        write_patches(ignored_only, tmp_path / "patches", params.patches, params.codec, workers=1)


def test_results_do_not_depend_on_the_number_of_processes(golden, tmp_path, params):
    for name, workers in (("one", 1), ("two", 2)):
        write_patches(golden, tmp_path / name, params.patches, params.codec, workers)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
