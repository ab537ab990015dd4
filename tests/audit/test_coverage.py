"""Was every face treated? Planted failures are found, and nothing else is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import recoded
from facade.audit.audit_arm import look
from facade.audit.coverage import findings
from facade.dataset import Face, Photograph
from facade.demo.photograph import draw_scene
from facade.seeds import generator
from facade.sources.procedural import ProceduralHeads
from tests.audit.portraits import portrait
from tests.conftest import noise

LARGE = Face((40, 30, 120, 150))


def blurred(params, image, *faces, **changes):
    photograph = Photograph("a.jpg", image.shape[1], image.shape[0], faces)
    return BlurFaces(params.blur.model_copy(update=changes))(image, photograph).pixels


def found(params, image, treated, *faces):
    return findings(image, recoded(treated, params.codec), recoded(image, params.codec), faces)


@pytest.mark.parametrize(
    "changes",
    [{"sigma": 2}, {"sigma": 8}, {"sigma": 32}, {"method": "pixelate"}, {"method": "solid"}],
    ids=["sigma 2", "sigma 8", "sigma 32", "pixelate", "solid"],
)
def test_every_treatment_counts_as_one(params, changes):
    image = noise(300, 400)
    faces = (LARGE, Face((200, 40, 30, 40)), Face((300, 200, 12, 14), ignore=True), Face((320, 20, 5, 6), ignore=True))
    assert found(params, image, blurred(params, image, *faces, **changes), *faces) == ["treated"] * 4


def test_pseudonyms_count_as_treatment_on_every_face_of_the_demo(params):
    replaces = ReplaceFaces(params.synthesize, ProceduralHeads(), "key")
    told = []
    for number in range(12):
        scene = draw_scene(generator("coverage", number), 192, with_people=True)
        height, width = scene.pixels.shape[:2]
        treated = replaces(scene.pixels, Photograph(f"{number}.jpg", width, height, scene.faces)).pixels
        told += found(params, scene.pixels, treated, *scene.faces)
    assert len(told) > 20
    assert set(told) == {"treated"}


@pytest.mark.parametrize("quality", [30, 95])
def test_the_codec_alone_is_no_treatment(params, quality):
    image, codec = noise(300, 400), params.codec.model_copy(update={"quality": quality})
    faces = (LARGE, Face((200, 40, 30, 40)), Face((300, 200, 12, 14)), Face((320, 20, 5, 6)))
    assert findings(image, recoded(image, codec), recoded(image, codec), faces) == ["untreated"] * 4


def test_a_blur_that_is_too_weak_is_none(params):
    portrayed, face = portrait(480, 130)
    assert found(params, portrayed, blurred(params, portrayed, face, sigma=0.2), face) == ["untreated"]
    assert found(params, portrayed, blurred(params, portrayed, face, sigma=8), face) == ["treated"]
    image = noise(300, 400)
    weak = cv2.GaussianBlur(image, (0, 0), 0.2 / 100 * 50)
    assert found(params, image, weak, Face((200, 40, 30, 40))) == ["untreated"]


@pytest.mark.parametrize("height", [45, 90, 150])
def test_a_neighbours_treatment_and_a_patch_in_the_corner_are_none(params, height):
    image, face = portrait(480, height)
    x, y, w, h = face.bbox
    neighbour = Face((x + 0.85 * w, y, w, h))
    assert found(params, image, blurred(params, image, neighbour), face) == ["untreated"]
    patched = image.copy()
    patched[int(y) : int(y + 0.2 * h), int(x) : int(x + 0.2 * w)] ^= 255
    assert found(params, image, patched, face) == ["untreated"]


def test_a_dark_face_that_was_left_is_no_face_of_one_colour(params):
    image, face = portrait(480, 90)
    dark = (0.1 * image).astype(np.uint8)
    assert found(params, dark, dark, face) == ["untreated"]


def test_light_and_colour_alone_are_no_treatment(params):
    image = noise(300, 400)
    darker = np.clip(0.97 * image.astype(float) + 3, 0, 255).astype(np.uint8)
    assert found(params, image, darker, LARGE) == ["untreated"]


def test_a_face_of_one_colour_shows_nobody(params):
    flat = np.full((300, 400, 3), 90, np.uint8)
    assert found(params, flat, flat, LARGE) == ["nothing to see"]
    assert found(params, flat, blurred(params, flat, LARGE, method="solid"), LARGE) == ["treated"]


def test_one_face_left_out_in_a_thousand_is_named(make_store, tmp_path, params):
    """Fifty photographs with twenty faces each; all are blurred but one."""
    places = [(20 + 60 * column, 20 + 60 * row) for row in range(4) for column in range(5)]
    faces = tuple(Face((x, y, 30, 40), ignore=number % 3 == 0) for number, (x, y) in enumerate(places))
    pictures = {f"{number:016x}.jpg": (noise(260, 320, number), faces) for number in range(50)}
    source = make_store(pictures, "train")
    treated = {}
    for photograph in source:
        kept = (
            photograph.faces if photograph.file != f"{31:016x}.jpg" else photograph.faces[:13] + photograph.faces[14:]
        )
        treated[photograph.file] = (
            BlurFaces(params.blur)(source.pixels(photograph), replace(photograph, faces=kept)).pixels, faces,
        )  # fmt: skip
    arm = make_store(treated, "blur")
    seen = look(source, arm, {}, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, workers=1)
    assert [str(one) for one in seen.untreated] == [
        f"face 13 of {31:016x}.jpg, at x 200 y 140, 30 x 40 pixels"
    ]  # fmt: skip
    assert seen.findings == {"treated": 999, "untreated": 1}


def test_faces_that_nobody_labelled_are_held_to_the_same(make_store, params):
    image = noise(200, 200)
    source = make_store({"a.jpg": (image, (Face((20, 20, 40, 50)),))}, "train")
    arm = make_store({"a.jpg": (blurred(params, image, Face((20, 20, 40, 50))), (Face((20, 20, 40, 50)),))}, "blur")
    also = {"a.jpg": (Face((110, 110, 40, 50)),)}
    seen = look(source, arm, also, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, workers=1)
    assert [(one.number, one.bbox) for one in seen.untreated] == [(1, (110, 110, 40, 50))]
