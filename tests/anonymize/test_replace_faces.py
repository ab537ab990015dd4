"""Replacing faces: which pseudonym, no trace of the person, and unusual faces."""

import tracemalloc
from typing import get_args

import cv2
import numpy as np
import pytest

from facade.anonymize.erase import erased_mask
from facade.anonymize.head_pose import plausible_keypoints, view_from_keypoints
from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Face, Photograph
from facade.params import Attribute
from facade.seeds import generator
from facade.sources.procedural import ProceduralHeads
from facade.sources.source import Layer
from tests.conftest import noise

KEEP = get_args(Attribute)
FACE = Face((40, 30, 40, 50), ((50, 50), (70, 50), (60, 60), (52, 68), (68, 68)))


class Recorder:
    """A source that records its requests."""

    def __init__(self) -> None:
        self.requests = []

    def render(self, requests):
        for request in requests:
            state = int(request.random.bit_generator.state["state"]["state"])
            self.requests.append((state, request))
            yield from ProceduralHeads().render([request])


def replaced(params, image, *faces, source=None, file="a.jpg", key="key", **changes):
    settings = params.synthesize.model_copy(update=changes)
    photograph = Photograph(file, image.shape[1], image.shape[0], faces)
    return ReplaceFaces(settings, source or ProceduralHeads(), key)(image, photograph)


def gap(image, face):
    """Pixels that must be erased, (H, W) bool."""
    view, _ = view_from_keypoints(plausible_keypoints(face), face.bbox)
    return erased_mask(view, face.bbox, image.shape[:2])


def test_a_pseudonym_depends_on_key_photograph_and_number_and_never_on_pixels(params):
    def who(image, file="a.jpg", key="key", faces=(FACE, FACE)):
        recorder = Recorder()
        replaced(params, image, *faces, source=recorder, file=file, key=key)
        return [state for state, _ in recorder.requests]

    first = who(noise(120, 160, 1))
    assert first == who(noise(120, 160, 2)), "other pixels, the same pseudonym"
    moved = who(noise(120, 160, 1), faces=(Face((10, 10, 30, 30), FACE.keypoints), FACE))
    assert sorted(first) == sorted(moved)
    assert first[0] != first[1]
    assert set(first).isdisjoint(who(noise(120, 160, 1), file="b.jpg"))
    assert set(first).isdisjoint(who(noise(120, 160, 1), key="another key"))


def test_a_source_never_sees_a_pixel_of_a_face(params):
    """Other people change nothing that a source sees, except light and tone."""
    shown = []
    neighbour = Face((95, 30, 40, 50))
    for seed in (1, 2):
        image = noise(120, 160, 9)
        for face in (FACE, neighbour):
            inside = gap(image, face)
            image[inside] = noise(120, 160, seed)[inside]
        recorder = Recorder()
        replaced(params, image, FACE, neighbour, source=recorder)
        shown.append([request.pixels for _, request in recorder.requests])
    for one, two in zip(*shown, strict=True):
        np.testing.assert_array_equal(one, two)


class TransparentSource:
    """A source whose faces are fully transparent, so that only the erased background is left."""

    def render(self, requests):
        for request in requests:
            shape = request.mask.shape
            yield Layer(request.pixels, np.zeros(shape, np.float32), np.zeros(shape, bool))


def unusual_face(number):
    """A box anywhere, of any shape, with landmarks near it, far from it, or none; clipped as by ingest."""
    random = generator("odd faces", number)
    x, y = random.uniform(-40, 200, 2)
    w, h = np.exp(random.uniform(0, 5.3, 2))
    keypoints = None
    if number % 3:
        frontal = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)])
        moved = (frontal - 0.5) * random.uniform(0.3, 2.0, 2) + 0.5 + random.normal(0, 0.12, (5, 2)) * (number % 2)
        keypoints = tuple(map(tuple, moved * (w, h) + (x, y)))
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, 220), min(y + h, 200)
    box = (left, top, max(right - left, 0.3), max(bottom - top, 0.3)) if number % 4 else (x, y, w, h)
    visible = box[0] < 220 and box[1] < 200 and box[0] + box[2] > 0 and box[1] + box[3] > 0
    return Face(box, keypoints, False, {"occlusion": number % 5 // 3 * 2}) if visible else None


SLIVER = Face((299, 50, 1, 200))
FAR_LANDMARKS = Face((100, 100, 40, 40), ((92, 92), (148, 92), (120, 120), (96, 152), (144, 152)))
VERY_WIDE = Face((50, 100, 100, 30))


def erased_area_is_independent_of_the_person(params, face, height, width):
    """Whether two photographs that differ only in the erased area, computed without a crop, become equal."""
    view, from_landmarks = view_from_keypoints(plausible_keypoints(face), face.bbox)
    inside = erased_mask(view, face.bbox, (height, width), from_landmarks)
    if face.attributes.get("occlusion") and from_landmarks:
        # Occluders depend on colors; here nothing differs from skin.
        face = Face(face.bbox, face.keypoints)
    one = noise(height, width, 3)
    other = one.copy()
    other[inside] = noise(height, width, 4)[inside]
    results = [replaced(params, image, face, source=TransparentSource()).pixels for image in (one, other)]
    return inside.any() and (results[0] == results[1]).all()


@pytest.mark.parametrize("face", [SLIVER, FAR_LANDMARKS, VERY_WIDE], ids=["sliver", "far landmarks", "very wide"])
def test_the_erased_area_is_never_truncated_at_the_crop(params, face):
    assert erased_area_is_independent_of_the_person(params, face, 300, 300)
    replaced(params, noise(300, 300), face)


def test_no_erased_pixel_survives_for_any_box_and_landmarks(params):
    faces = [face for number in range(150) if (face := unusual_face(number)) is not None]
    assert len(faces) > 100
    left = [face for face in faces if not erased_area_is_independent_of_the_person(params, face, 200, 220)]
    assert left == []


def test_many_unusual_faces_are_replaced_without_an_error(params):
    image = noise(200, 220)
    for number in range(0, 150, 4):
        face = unusual_face(number)
        if face is not None:
            assert replaced(params, image, face).counts["faces"] == 1


def test_a_face_behind_a_green_wall_is_not_rendered_green(params):
    """The wall hides the middle and one half of the face; skin is visible on the other half."""
    image = np.full((120, 160, 3), (110, 140, 190), np.uint8)
    image[:, 55:] = (40, 220, 120)
    x, y, w, h = map(int, FACE.bbox)
    for occlusion, green in ((2, False), (0, True)):
        face = Face(FACE.bbox, FACE.keypoints, False, {"occlusion": occlusion})
        drawn = (
            replaced(params, image, face, keep=KEEP).pixels[y + h // 2 : y + h - 10, x + 10 : x + w - 10].reshape(-1, 3)
        )
        middle = np.median(drawn, axis=0)
        assert (middle[1] > middle[2]) == green, occlusion


def test_no_occluder_is_kept_without_landmarks(params):
    """The positions of the features are unknown: what looks like a cup may be the person."""
    image = np.full((120, 160, 3), (110, 140, 190), np.uint8)
    image[74:90, 40:80] = (200, 60, 20)
    hidden = {"occlusion": 2}
    landmarks = replaced(params, image, Face(FACE.bbox, FACE.keypoints, False, hidden)).counts
    assert landmarks["occluders_kept"] == 1
    image[62:74, 40:80] = (200, 60, 20)  # over the mouth, too
    over = replaced(params, image, Face(FACE.bbox, FACE.keypoints, False, hidden)).counts
    assert (over["occluders_kept"], over["occluders_painted_over"]) == (0, 1)
    assert replaced(params, image, Face(FACE.bbox, None, False, hidden)).counts["occluders_painted_over"] == 1


@pytest.mark.parametrize("face", [FACE, Face(FACE.bbox)], ids=["landmarks", "box alone"])
@pytest.mark.parametrize("cover", ["face", "head"])
def test_no_pixel_of_the_person_is_left_in_the_erased_area(params, face, cover):
    """The face is a checkerboard: after replacing, no trace of its frequency is left."""
    image = np.full((120, 160, 3), 120, np.uint8)
    board = (np.indices((50, 40)).sum(0) % 2 * 200 + 20).astype(np.uint8)
    image[30:80, 40:80] = board[..., None]
    # Grain matches the photograph's noise, and this photograph is all noise: at a fixed tone it would mask the result.
    treated = replaced(params, image, face, source=ProceduralHeads(cover)).pixels
    sign = (np.indices((50, 40)).sum(0) % 2 * 2.0 - 1)[..., None]
    inside = gap(image, face)[30:80, 40:80]
    assert inside.mean() > 0.5
    before = np.abs((image[30:80, 40:80] * sign)[inside].mean())
    after = np.abs((treated[30:80, 40:80] * sign)[inside].mean())
    assert before > 90
    assert after < 4


def seen_above_and_below(params, color):
    """Fractions of pixels around the erased area that keep their color: above the eyes, and below the mouth."""
    face = Face((60, 40, 80, 112), ((80, 80), (120, 80), (100, 100), (84, 116), (116, 116)))
    image = np.full((230, 200, 3), (150, 170, 210), np.uint8)
    rows = np.arange(230)[:, None] + np.zeros((1, 200), int)
    around = ~gap(image, face) & ((rows < 75) | (rows > 120))
    image[around] = color
    shares = []
    for number in range(8):  # jaws differ between identities
        treated = replaced(params, image, face, file=f"{number}.jpg", keep=KEEP).pixels.astype(int)
        seen = np.abs(treated - color).max(-1) < 20
        shares.append([seen[part][around[part]].mean() for part in (np.s_[45:60, 78:122], np.s_[122:132, 72:128])])
    return np.mean(shares, axis=0)


def test_hair_over_the_forehead_is_kept_and_a_beard_is_not(params):
    fringe, beard = seen_above_and_below(params, (20, 25, 40))
    assert fringe > 0.7
    assert beard < 0.5


def test_pixels_far_from_the_face_are_bit_identical(params, photo):
    treated = replaced(params, photo, FACE).pixels
    outside = np.ones(photo.shape[:2], bool)
    outside[5:105, 20:100] = False
    np.testing.assert_array_equal(treated[outside], photo[outside])


@pytest.mark.parametrize("color", [(60, 80, 110), (150, 170, 210), (90, 90, 90)])
def test_the_skin_tone_of_the_photograph_is_kept(params, color):
    image = np.clip(np.array(color) + noise(120, 160)[..., :1].astype(int) // 8 - 16, 0, 255).astype(np.uint8)
    treated = replaced(params, image, FACE, keep=KEEP).pixels
    cheeks = (slice(58, 64), slice(48, 54))
    before, after = (cv2.cvtColor(part[cheeks], cv2.COLOR_BGR2LAB).reshape(-1, 3) for part in (image, treated))
    np.testing.assert_allclose(np.median(after, 0), np.median(before, 0), atol=25)


def test_tone_light_and_pose_are_sampled_where_they_are_not_kept(params):
    turned = Face((40, 30, 40, 50), ((58, 50), (72, 50), (72, 60), (60, 68), (71, 68)))
    recorders = [Recorder(), Recorder()]
    for recorder, kept in zip(recorders, (("pose", "light", "tone"), ()), strict=True):
        replaced(params, noise(120, 160), turned, source=recorder, keep=kept)
    (_, kept), (_, drawn) = (recorder.requests[0] for recorder in recorders)
    assert kept.tone is not None
    assert drawn.tone is None
    assert kept.view.pose.yaw > 20
    assert kept.view.pose != drawn.view.pose
    assert kept.light != drawn.light


@pytest.mark.parametrize("keep", [KEEP, ()], ids=["all is kept", "nothing is kept"])
def test_a_grayscale_photograph_stays_grayscale(params, keep):
    image = np.repeat(noise(120, 160)[..., :1], 3, axis=2)
    treated = replaced(params, image, FACE, keep=keep).pixels.astype(int)
    assert np.ptp(treated, axis=2).max() <= 1
    image = (image // 4 + np.array((80, 110, 160))).astype(np.uint8)
    colored = replaced(params, image, FACE, keep=keep).pixels.astype(int)
    assert np.median(np.ptp(colored[gap(image, FACE)], axis=1)) > 8


@pytest.mark.parametrize(
    "face",
    [
        Face((-20, -20, 50, 60)),
        Face((140, 100, 60, 70)),
        Face((50, 50, 4, 4)),
        Face((50, 50, 1, 1)),
        Face((0, 0, 160, 120)),
        Face((40, 30, 40, 50), ((300, 300),) * 5),
        Face((40, 30, 40, 50), ((70, 68), (50, 68), (60, 58), (68, 50), (52, 50))),
        Face((40, 30, 2, 80)),
        Face((40, 30, 40, 50), None, False, {"occlusion": 2}),
    ],
    ids=["corner", "far corner", "4 px", "1 px", "all of it", "landmarks astray", "upside down", "sliver", "hidden"],
)
def test_unusual_faces_are_replaced(params, face):
    image = noise(120, 160)
    treated = replaced(params, image, face)
    assert treated.pixels.shape == image.shape
    assert treated.counts["faces"] == 1
    x, y, w, h = face.bbox
    rows, columns = (min(int(y + h / 2), 119), min(int(x + w / 2), 159))
    inner = (slice(rows, rows + 1), slice(columns, columns + 1))
    assert (treated.pixels[inner] != image[inner]).any()


@pytest.mark.parametrize("bbox", [(10, 10, 0, 5), (10, 10, float("nan"), 5), (500, 10, 20, 20)])
def test_invalid_boxes_are_refused(params, bbox):
    with pytest.raises(ValueError, match="a face's box"):
        replaced(params, noise(120, 160), Face(bbox))


def test_a_face_of_two_thousand_pixels_is_replaced(params):
    image = noise(2200, 2000)
    treated = replaced(params, image, Face((100, 100, 1700, 2000))).pixels
    assert np.abs(treated[600:1600, 600:1400].astype(int) - image[600:1600, 600:1400]).mean() > 10


def test_an_upside_down_face_is_replaced_upside_down(params):
    recorder = Recorder()
    upside_down = Face((40, 30, 40, 50), ((70, 68), (50, 68), (60, 58), (68, 50), (52, 50)))
    replaced(params, noise(120, 160), upside_down, source=recorder, keep=KEEP)
    assert abs(recorder.requests[0][1].view.pose.roll) > 170


def test_memory_does_not_grow_with_the_number_of_faces(params):
    image = noise(400, 400)

    def peak(count):
        faces = [Face((10 + 37 * (number % 10), 10 + 37 * (number // 10), 24, 30)) for number in range(count)]
        tracemalloc.start()
        replaced(params, image, *faces)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(80) < 1.3 * peak(8)


def test_what_was_done_is_counted(params):
    counts = replaced(params, noise(120, 160), FACE, Face((90, 20, 30, 40), None, False, {"occlusion": 1})).counts
    assert counts["faces"] == 2
    assert counts["posed_by_landmarks"] == counts["posed_by_box"] == 1
    assert counts["occluders_kept"] + counts["occluders_painted_over"] == 1


def detail(params, image, **changes):
    """Fine detail of the pseudonym, (h, w) float, at the middle of the face."""
    settings = {"keep": ("pose",), **changes}
    treated = replaced(params, image, Face((40, 30, 60, 75)), **settings).pixels[45:85, 55:85].mean(-1)
    return float(np.abs(cv2.Laplacian(treated, cv2.CV_64F)).mean())


def test_sharpness_and_grain_of_the_photograph_are_kept_only_on_request(params):
    sharp = np.random.default_rng(0).integers(60, 200, (120, 160, 3)).astype(np.uint8)
    soft = cv2.GaussianBlur(sharp, (0, 0), 4)
    kept = [detail(params, image, keep=("pose", "sharpness", "grain")) for image in (sharp, soft)]
    assert kept[0] > 2 * kept[1]
    drawn = [detail(params, image) for image in (sharp, soft)]
    assert drawn[0] == pytest.approx(drawn[1], rel=0.1), "the photograph does not show in them"


def test_coarse_attributes_depend_on_the_class_only(params):
    def seen(image, face):
        recorder = Recorder()
        replaced(params, image, face, source=recorder, coarse=("pose", "light", "tone"))
        return recorder.requests[0][1]

    one = Face((40, 30, 40, 50), ((50, 50), (70, 50), (60, 60), (52, 68), (68, 68)))
    other = Face((40, 30, 40, 50), ((50, 51), (70, 50), (61, 60), (52, 68), (68, 69)))
    image = np.clip(np.array((90, 120, 170)) + noise(120, 160)[..., :1].astype(int) // 16, 0, 255).astype(np.uint8)
    first, second = seen(image, one), seen(image, other)
    assert first.view == second.view
    assert first.tone == second.tone
    np.testing.assert_array_equal(first.keypoints, second.keypoints)
