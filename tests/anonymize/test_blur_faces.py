"""Blurring faces: the face is unrecognizable, the rest is untouched."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facade.anonymize import blur_faces, gaussian_blur as compiled, numpy_blur
from facade.anonymize.blur_faces import BlurFaces, face_sigma, pixelate
from facade.anonymize.gaussian_blur import gaussian_blur
from facade.anonymize.region import diagonal, region, region_geometry, widen_box
from facade.dataset import Face, Photograph
from tests.conftest import noise

FACES = (Face((30, 20, 40, 50)), Face((100, 70, 9, 11), ignore=True), Face((130, -10, 40, 40)), Face((5, 90, 2, 2)))
METHODS = [("gaussian", "ellipse"), ("gaussian", "box"), ("pixelate", "ellipse"), ("solid", "box")]


def photograph_of(image: np.ndarray, faces: tuple[Face, ...]) -> Photograph:
    return Photograph("a.jpg", image.shape[1], image.shape[0], faces)


@pytest.mark.parametrize(("method", "shape"), METHODS)
def test_pixels_outside_every_widened_box_are_bit_identical(photo, params, method, shape):
    settings = params.blur.model_copy(update={"method": method, "shape": shape})
    before = photo.copy()
    treated = BlurFaces(settings)(photo, photograph_of(photo, FACES)).pixels
    outside = np.ones(photo.shape[:2], bool)
    for face in FACES:
        x, y, w, h = widen_box(face.bbox, settings.widen)
        soft = settings.feather / 100 * diagonal(face.bbox) + 1
        rows = slice(max(int(y - soft), 0), max(int(np.ceil(y + h + soft)), 0))
        outside[rows, max(int(x - soft), 0) : max(int(np.ceil(x + w + soft)), 0)] = False
    assert outside.any()
    np.testing.assert_array_equal(treated[outside], photo[outside])
    np.testing.assert_array_equal(photo, before, err_msg="the input is not modified")


@pytest.mark.parametrize(("method", "shape"), METHODS)
def test_every_face_is_changed_including_tiny_and_ignored_ones(photo, params, method, shape):
    settings = params.blur.model_copy(update={"method": method, "shape": shape})
    treated = BlurFaces(settings)(photo, photograph_of(photo, FACES)).pixels
    for face in FACES:
        x, y, w, h = (int(value) for value in face.bbox)
        part = (slice(max(y, 0), y + h), slice(max(x, 0), x + w))
        assert np.abs(treated[part].astype(int) - photo[part]).mean() > 1, face


def test_gaussian_equals_blurring_the_whole_photograph():
    """Independent oracle: blur the whole photograph, then crop."""
    image = noise(90, 110)
    sigma = 4.3
    reach = int(np.ceil(3 * sigma))
    whole = cv2.GaussianBlur(image, (2 * reach + 1, 2 * reach + 1), sigma, borderType=cv2.BORDER_REPLICATE)
    for rows, columns in (
        (slice(30, 60), slice(40, 80)),
        (slice(0, 9), slice(100, 110)),
        (slice(0, 90), slice(0, 110)),
    ):
        part = gaussian_blur(image, rows, columns, sigma)
        assert np.abs(part.astype(int) - whole[rows, columns]).max() <= 1


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.4, 3.5, 5.2, 5.3, 5.9, 6.0, 7.9, 8.0, 11.9, 17.2, 40.0])
@pytest.mark.parametrize("kind", ["noise", "edges", "blocks", "stripes"])
def test_gaussian_is_exact_to_one_gray_level(sigma, kind):
    """Independent oracle: SciPy, in floating point, truncated at six standard deviations; half a level is rounding."""
    image = np.random.default_rng(0).integers(0, 256, (300, 340, 3), dtype=np.uint8)
    if kind == "edges":
        image = np.zeros_like(image)
        image[:, 150:], image[90:96] = 255, 255
    elif kind == "stripes":
        image = np.zeros_like(image)
        image[200:260:2] = 200
    elif kind == "blocks":
        image = cv2.resize(image[:12, :14], (340, 300), interpolation=cv2.INTER_NEAREST)
    whole = np.stack(
        [gaussian_filter(image[..., c].astype(float), sigma, mode="nearest", truncate=6) for c in range(3)]
    )
    for rows, columns in (
        (slice(80, 211), slice(90, 203)),
        (slice(0, 60), slice(271, 340)),
        (slice(0, 300), slice(0, 340)),
    ):
        part = gaussian_blur(image, rows, columns, sigma)
        assert np.abs(part - whole.transpose(1, 2, 0)[rows, columns]).max() <= 0.8


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (90, 110)])
def test_a_blur_far_wider_than_the_photograph_gives_its_mean_and_needs_little_memory(shape):
    """A given box may have any size: pixels beyond the border are never materialized."""
    image = noise(*shape)
    part = gaussian_blur(image, slice(0, shape[0]), slice(0, shape[1]), 5000.0)
    assert part.shape == image.shape
    # Border pixels are replicated: far out, those of the four corners.
    assert np.ptp(part.reshape(-1, 3), axis=0).max() <= 6


def test_sigma_is_percent_of_the_diagonal():
    """A step edge blurred by a Gaussian has its slope at the center: 1 / (sigma * sqrt(2 pi))."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = 255
    sigma = 0.08 * diagonal((60, 60, 60, 80))
    part = gaussian_blur(image, slice(60, 140), slice(60, 120), sigma).astype(float)[40, :, 0] / 255
    assert np.diff(part).max() == pytest.approx(1 / (sigma * np.sqrt(2 * np.pi)), rel=0.05)


@pytest.mark.parametrize("shape", ["ellipse", "box"])
@pytest.mark.parametrize("face", [*FACES, Face((40.3, 31.7, 61.2, 70.9)), Face((60, 30, 20, 60), cut=True)])
def test_a_blur_is_blended_by_the_weights_of_its_region(params, shape, face):
    """Independent of the compiled loop: the region's weights, in numpy."""
    image = noise(120, 160)
    settings = params.blur.model_copy(update={"shape": shape})
    treated = BlurFaces(settings)(image, photograph_of(image, (face,))).pixels
    area = region(face.bbox, image.shape, settings.widen, settings.feather, shape == "ellipse", face.cut)
    part = gaussian_blur(image, area.rows, area.columns, face_sigma(face, "a.jpg", settings)).astype(float)
    before, weight = image[area.rows, area.columns], area.weight[..., None]
    expected = before + (part - before) * weight
    assert np.abs(treated[area.rows, area.columns] - expected).max() <= 1.01
    assert (treated[area.rows, area.columns][area.weight == 0] == before[area.weight == 0]).all()


@pytest.mark.parametrize("method", ["gaussian", "pixelate", "solid"])
def test_only_in_place_modifies_the_input(params, method):
    treat, before = BlurFaces(params.blur.model_copy(update={"method": method})), noise(120, 160)
    image, photograph = before.copy(), photograph_of(before, FACES)
    treated = treat(image, photograph).pixels
    np.testing.assert_array_equal(image, before)
    assert treat.in_place(image, photograph).pixels is image
    np.testing.assert_array_equal(image, treated)
    assert (treated != before).any()


@pytest.mark.parametrize("method", ["gaussian", "pixelate", "solid"])
def test_in_place_refuses_mirrored_views_and_read_only_arrays(params, method):
    treat, kept = BlurFaces(params.blur.model_copy(update={"method": method})), noise(120, 160)
    kept.flags.writeable = False
    for image in (noise(120, 160)[:, ::-1], kept):
        with pytest.raises(ValueError, match="C-contiguous and writeable"):
            treat.in_place(image, photograph_of(image, FACES))


def test_mosaic_cells_hold_their_mean():
    part = noise(60, 60)
    mosaic = pixelate(part, 6)
    assert len(np.unique(mosaic.reshape(-1, 3), axis=0)) <= 36
    np.testing.assert_allclose(mosaic[5, 5], part[:10, :10].reshape(-1, 3).mean(0), atol=1)


def test_a_blanked_face_is_the_same_for_all_people(params):
    settings = params.blur.model_copy(update={"method": "solid", "shape": "box", "feather": 0})
    results = [
        BlurFaces(settings)(image, photograph_of(image, FACES[:1])).pixels[25:65, 35:65]
        for image in (noise(120, 160, 1), noise(120, 160, 2))
    ]
    np.testing.assert_array_equal(*results)


def test_two_overlapping_faces_are_both_fully_treated(params):
    """Where two regions overlap, the second must not restore untreated pixels."""
    image = noise(120, 160)
    faces = (Face((30, 30, 40, 50)), Face((55, 35, 40, 50)))
    settings = params.blur.model_copy(update={"method": "solid", "feather": 4})
    treated = BlurFaces(settings)(image, photograph_of(image, faces)).pixels
    assert (treated[40:70, 40:85] == 128).all()


def test_a_jittered_sigma_stays_within_its_limits_and_is_fixed_per_face(params):
    settings = params.blur.model_copy(update={"sigma": 8, "sigma_jitter": 2})
    faces = [Face((20.0, float(y), 40.0, 50.0)) for y in range(400)]
    drawn = np.array([face_sigma(face, "a.jpg", settings) for face in faces]) / diagonal(faces[0].bbox) * 100
    assert drawn.min() < 4.4
    assert drawn.max() > 14.6
    assert ((drawn >= 4) & (drawn <= 16)).all()
    assert np.median(drawn) == pytest.approx(8, rel=0.15)
    assert face_sigma(faces[3], "a.jpg", settings) == face_sigma(faces[3], "a.jpg", settings)
    assert face_sigma(faces[3], "a.jpg", settings) != face_sigma(faces[3], "b.jpg", settings)
    mirrored = Face((111.0, *faces[3].bbox[1:]))
    assert face_sigma(faces[3], "a.jpg", settings) == face_sigma(mirrored, "a.jpg", settings)
    plain = settings.model_copy(update={"sigma_jitter": 1})
    assert face_sigma(faces[3], "a.jpg", plain) == face_sigma(faces[9], "b.jpg", plain)


def test_decoys_are_blurred_like_faces_and_touch_none(params):
    photo, faces = noise(300, 400), (Face((30.0, 20.0, 40.0, 50.0)), Face((300.0, 200.0, 30.0, 36.0)))
    one = photograph_of(photo, faces)
    plain = BlurFaces(params.blur)(photo, one).pixels
    treated = BlurFaces(params.blur.model_copy(update={"decoys": 2}))(photo, one)
    assert treated.counts["faces"] == 2
    assert treated.counts["decoys"] == 4
    changed = (treated.pixels != plain).any(2)
    assert changed.mean() > 0.02
    for x, y, w, h in (face.bbox for face in faces):
        assert not changed[int(y) : int(y + h), int(x) : int(x + w)].any()
    again = BlurFaces(params.blur.model_copy(update={"decoys": 2}))(photo, one)
    assert (again.pixels == treated.pixels).all()


@pytest.mark.parametrize("seed", range(150))
def test_the_blur_in_numpy_equals_the_compiled_one_bit_for_bit(seed):
    """A process may change from one to the other after any face, so its result would depend on the order of faces."""
    random = np.random.default_rng(seed)
    height, width = random.integers(3, 260, 2)
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    w, h = 10 ** random.uniform(0.2, 2.5, 2)
    bbox = (random.uniform(-0.9 * w, width - 1), random.uniform(-0.9 * h, height - 1), w, h)
    widen, feather, ellipse = random.choice([0, 15, 30]), random.choice([0, 3, 10]), bool(seed % 2)
    where = region_geometry(bbox, image.shape, widen, feather, ellipse)
    sigma = max(1.0, random.uniform(0.02, 0.25) * diagonal(bbox))
    expected, result = image.copy(), image.copy()
    compiled.blur_face(expected, where, sigma)
    numpy_blur.blur_face(result, where, sigma)
    np.testing.assert_array_equal(result, expected)


def test_a_process_blurs_its_first_faces_in_numpy_and_later_and_very_large_ones_compiled(monkeypatch, params):
    image = noise(120, 160)
    calls = []
    monkeypatch.setattr(numpy_blur, "blur_face", lambda *arguments: calls.append("numpy"))
    monkeypatch.setattr(compiled, "blur_face", lambda *arguments: calls.append("compiled"))
    monkeypatch.setattr(blur_faces, "_numpy_pixels", [0])
    face = (Face((40.0, 30.0, 40.0, 50.0)),)
    monkeypatch.setattr(blur_faces, "NUMPY_PIXELS", 2 * blur_faces.FACE_OVERHEAD + 2 * 65 * 85)
    for _ in range(4):
        BlurFaces(params.blur)(image, photograph_of(image, face))
    assert calls == ["numpy", "numpy", "compiled", "compiled"]
    calls.clear()
    monkeypatch.setattr(blur_faces, "_numpy_pixels", [0])
    monkeypatch.setattr(blur_faces, "MAX_NUMPY_FACE", 100)
    BlurFaces(params.blur)(image, photograph_of(image, face))
    assert calls == ["compiled"]
