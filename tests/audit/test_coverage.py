"""Coverage: planted untreated faces are found, and treated ones are not reported."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import recoded
from facade.audit.audit_arm import audit_arm
from facade.audit.coverage import _unchanged_share, box_slices, classify_faces
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
    return classify_faces(image, recoded(treated, params.codec), recoded(image, params.codec), faces)


@pytest.mark.parametrize(
    "changes",
    [{"sigma": 2}, {"sigma": 8}, {"sigma": 32}, {"method": "pixelate"}, {"method": "solid"}],
    ids=["sigma 2", "sigma 8", "sigma 32", "pixelate", "solid"],
)
def test_faces_of_every_treatment_are_treated(params, changes):
    image = noise(300, 400)
    faces = (LARGE, Face((200, 40, 30, 40)), Face((300, 200, 12, 14), ignore=True), Face((320, 20, 5, 6), ignore=True))
    assert found(params, image, blurred(params, image, *faces, **changes), *faces) == ["treated"] * 4


def test_pseudonymized_demo_faces_are_treated(params):
    replaces = ReplaceFaces(params.synthesize, ProceduralHeads(), "key")
    findings = []
    for number in range(12):
        scene = draw_scene(generator("coverage", number), 192, with_people=True)
        height, width = scene.pixels.shape[:2]
        treated = replaces(scene.pixels, Photograph(f"{number}.jpg", width, height, scene.faces)).pixels
        findings += found(params, scene.pixels, treated, *scene.faces)
    assert len(findings) > 20
    assert set(findings) == {"treated"}


@pytest.mark.parametrize("quality", [30, 95])
def test_recoding_alone_is_not_a_treatment(params, quality):
    image, codec = noise(300, 400), params.codec.model_copy(update={"quality": quality})
    faces = (LARGE, Face((200, 40, 30, 40)), Face((300, 200, 12, 14)), Face((320, 20, 5, 6)))
    assert classify_faces(image, recoded(image, codec), recoded(image, codec), faces) == ["untreated"] * 4


def test_a_very_weak_blur_is_not_a_treatment(params):
    portrayed, face = portrait(480, 130)
    assert found(params, portrayed, blurred(params, portrayed, face, sigma=0.2), face) == ["untreated"]
    assert found(params, portrayed, blurred(params, portrayed, face, sigma=8), face) == ["treated"]
    image = noise(300, 400)
    weak = cv2.GaussianBlur(image, (0, 0), 0.2 / 100 * 50)
    assert found(params, image, weak, Face((200, 40, 30, 40))) == ["untreated"]


@pytest.mark.parametrize("height", [45, 90, 150])
def test_the_blur_of_a_neighbor_and_a_corner_patch_are_not_a_treatment(params, height):
    image, face = portrait(480, height)
    x, y, w, h = face.bbox
    neighbor = Face((x + 0.85 * w, y, w, h))
    assert found(params, image, blurred(params, image, neighbor), face) == ["untreated"]
    patched = image.copy()
    patched[int(y) : int(y + 0.2 * h), int(x) : int(x + 0.2 * w)] ^= 255
    assert found(params, image, patched, face) == ["untreated"]


def test_a_dark_untreated_face_is_untreated(params):
    image, face = portrait(480, 90)
    dark = (0.1 * image).astype(np.uint8)
    assert found(params, dark, dark, face) == ["untreated"]


def test_a_brightness_change_alone_is_not_a_treatment(params):
    image = noise(300, 400)
    darker = np.clip(0.97 * image.astype(float) + 3, 0, 255).astype(np.uint8)
    assert found(params, image, darker, LARGE) == ["untreated"]


def test_a_uniform_face_has_nothing_to_see(params):
    flat = np.full((300, 400, 3), 90, np.uint8)
    assert found(params, flat, flat, LARGE) == ["nothing to see"]
    assert found(params, flat, blurred(params, flat, LARGE, method="solid"), LARGE) == ["treated"]


def test_one_untreated_face_in_a_thousand_is_reported(make_store, tmp_path, params):
    """Fifty photographs with twenty faces each; all faces but one are blurred."""
    corners = [(20 + 60 * column, 20 + 60 * row) for row in range(4) for column in range(5)]
    faces = tuple(Face((x, y, 30, 40), ignore=number % 3 == 0) for number, (x, y) in enumerate(corners))
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
    result = audit_arm(
        source, arm, {}, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, workers=1
    )
    assert [str(one) for one in result.untreated] == [
        f"face 13 of {31:016x}.jpg, at x 200 y 140, 30 x 40 pixels"
    ]  # fmt: skip
    assert result.findings == {"treated": 999, "untreated": 1}


def test_unlabelled_faces_to_treat_are_checked_too(make_store, params):
    image = noise(200, 200)
    source = make_store({"a.jpg": (image, (Face((20, 20, 40, 50)),))}, "train")
    arm = make_store({"a.jpg": (blurred(params, image, Face((20, 20, 40, 50))), (Face((20, 20, 40, 50)),))}, "blur")
    extra_boxes = {"a.jpg": (Face((110, 110, 40, 50)),)}
    result = audit_arm(
        source, arm, extra_boxes, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, workers=1
    )
    assert [(one.number, one.bbox) for one in result.untreated] == [(1, (110, 110, 40, 50))]


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ((10.0, 20.0, 0.0, 0.0), (slice(20, 21), slice(10, 11))),
        ((-5.0, -5.0, 3.0, 3.0), (slice(0, 1), slice(0, 1))),
        ((100.0, 80.0, 4.0, 4.0), (slice(79, 80), slice(99, 100))),
        ((9.5, 19.5, 5.0, 5.0), (slice(19, 25), slice(9, 15))),
    ],
)
def test_a_box_covers_at_least_one_pixel_of_the_photograph(bbox, expected):
    assert box_slices(bbox, (80, 100, 3)) == expected


@pytest.mark.parametrize("size", [8, 15, 16, 32])
def test_a_change_in_the_core_alone_decides(params, size):
    """Details in the core are replaced, those around it kept, and the other way round; either side of the ellipse."""
    random = np.random.default_rng(size)
    image = np.full((size + 20, size + 20, 3), 128, np.uint8)
    area = slice(10, 10 + size), slice(10, 10 + size)
    image[area] = random.integers(0, 256, (size, size, 1), dtype=np.uint8)
    other = image.copy()
    other[area] = random.integers(0, 256, (size, size, 1), dtype=np.uint8)
    centers = (2 * np.arange(size) + 1) / size - 1
    core = np.hypot(centers[:, None], centers[None]) <= 0.8
    # Windows of 5 pixels look two pixels beyond.
    near = cv2.dilate(core.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    face = Face((10, 10, size, size))
    treated, left = image.copy(), image.copy()
    treated[area][near] = other[area][near]
    left[area][~near] = other[area][~near]
    assert classify_faces(image, treated, image, [face]) == ["treated"]
    assert classify_faces(image, left, image, [face]) == ["untreated"]


@pytest.mark.parametrize("shape", [(4, 5), (8, 7), (16, 12)])
def test_mirroring_changes_nothing(shape):
    """The core is centered to the half pixel."""
    random = np.random.default_rng(shape)
    for _ in range(20):
        before, change = (random.normal(0, 20, shape).astype(np.float32) for _ in range(2))
        after = before + change * (random.random(shape) < 0.3)
        shares = {
            round(_unchanged_share(np.flip(before, axes), np.flip(after, axes), 2.0), 4)
            for axes in ((), (0,), (1,), (0, 1))
        }
        assert len(shares) == 1
