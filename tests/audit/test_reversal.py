"""Undoing a blur of known strength."""

import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.anonymize.gaussian_blur import gaussian_blur
from facade.audit.reversal import undo_blur
from facade.dataset import Face, Photograph, encode
from facade.dataset.store import decode
from tests.audit.portraits import portrait


def treated(params, image, face, **changes):
    blur = params.blur.model_copy(update=changes)
    photograph = Photograph("a.jpg", image.shape[1], image.shape[0], (face,))
    return blur, decode(encode(BlurFaces(blur)(image, photograph).pixels, params.codec))


def middle(image, face):
    x, y, w, h = (int(value) for value in face.bbox)
    return image[y + h // 4 : y + 3 * h // 4, x + w // 4 : x + 3 * w // 4].astype(float)


@pytest.mark.parametrize("sigma", [2, 3])
def test_a_restored_face_is_closer_to_its_source(params, sigma):
    image, face = portrait()
    blur, blurred = treated(params, image, face, sigma=sigma)
    restored = undo_blur(blurred, "a.jpg", (face,), blur)
    before = np.abs(middle(blurred, face) - middle(image, face)).mean()
    after = np.abs(middle(restored, face) - middle(image, face)).mean()
    assert after < 0.75 * before
    outside = np.ones(image.shape[:2], bool)
    x, y, w, h = face.bbox
    outside[max(0, int(y - h / 3)) : int(y + 1.4 * h), max(0, int(x - w / 3)) : int(x + 1.4 * w)] = False
    np.testing.assert_array_equal(restored[outside], blurred[outside])


def test_a_restored_face_blurs_to_the_treated_face(params):
    """Blurring the restored face again gives the treated face: the kernel is inverted."""
    image, face = portrait()
    blur, blurred = treated(params, image, face, sigma=4)
    restored = undo_blur(blurred, "a.jpg", (face,), blur)
    sigma = 0.04 * float(np.hypot(*face.bbox[2:]))
    again = gaussian_blur(restored, slice(0, image.shape[0]), slice(0, image.shape[1]), sigma)
    assert np.abs(middle(again, face) - middle(blurred, face)).mean() < 2.5


def test_a_mosaic_is_smoothed_and_a_solid_fill_cannot_be_undone(params):
    image, face = portrait()
    blur, blurred = treated(params, image, face, method="pixelate")
    restored = undo_blur(blurred, "a.jpg", (face,), blur)
    assert np.abs(np.diff(middle(restored, face), axis=1)).max() < np.abs(np.diff(middle(blurred, face), axis=1)).max()
    blur, blurred = treated(params, image, face, method="solid")
    assert undo_blur(blurred, "a.jpg", (face,), blur) is None


@pytest.mark.parametrize("box", [(0.2, 0.3, 3, 2), (-10, -10, 60, 50), (270, 100, 50, 80), (0, 0, 320, 220)])
def test_unusual_boxes_are_restored_without_error(params, box):
    image, _ = portrait()
    face = Face(box)
    for method in ("gaussian", "pixelate"):
        blur, blurred = treated(params, image, face, method=method)
        assert undo_blur(blurred, "a.jpg", (face,), blur).shape == image.shape
