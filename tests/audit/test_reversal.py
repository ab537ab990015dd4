"""Undoing a blur whose strength is known."""

import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.anonymize.gaussian import gaussian
from facade.audit.reversal import undone
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
def test_a_blurred_face_comes_nearer_to_its_source(params, sigma):
    image, face = portrait()
    blur, seen = treated(params, image, face, sigma=sigma)
    back = undone(seen, "a.jpg", (face,), blur)
    before = np.abs(middle(seen, face) - middle(image, face)).mean()
    after = np.abs(middle(back, face) - middle(image, face)).mean()
    assert after < 0.75 * before
    outside = np.ones(image.shape[:2], bool)
    x, y, w, h = face.bbox
    outside[max(0, int(y - h / 3)) : int(y + 1.4 * h), max(0, int(x - w / 3)) : int(x + 1.4 * w)] = False
    np.testing.assert_array_equal(back[outside], seen[outside])


def test_what_is_undone_blurs_to_what_was_seen(params):
    """The restored face is one that the blur would have made into this one: the kernel was undone, not painted over."""
    image, face = portrait()
    blur, seen = treated(params, image, face, sigma=4)
    again = gaussian(undone(seen, "a.jpg", (face,), blur), slice(0, image.shape[0]), slice(0, image.shape[1]),
                     0.04 * float(np.hypot(*face.bbox[2:])))  # fmt: skip
    assert np.abs(middle(again, face) - middle(seen, face)).mean() < 2.5


def test_a_mosaic_becomes_smooth_and_a_blank_stays(params):
    image, face = portrait()
    blur, seen = treated(params, image, face, method="pixelate")
    back = undone(seen, "a.jpg", (face,), blur)
    assert np.abs(np.diff(middle(back, face), axis=1)).max() < np.abs(np.diff(middle(seen, face), axis=1)).max()
    blur, seen = treated(params, image, face, method="solid")
    assert undone(seen, "a.jpg", (face,), blur) is None


@pytest.mark.parametrize("box", [(0.2, 0.3, 3, 2), (-10, -10, 60, 50), (270, 100, 50, 80), (0, 0, 320, 220)])
def test_odd_boxes_are_undone_without_a_fault(params, box):
    image, _ = portrait()
    face = Face(box)
    for method in ("gaussian", "pixelate"):
        blur, seen = treated(params, image, face, method=method)
        assert undone(seen, "a.jpg", (face,), blur).shape == image.shape
