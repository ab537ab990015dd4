"""One place that assembles treatments."""

import numpy as np
import pytest

from facade.anonymize.blur_faces import BlurFaces, build_blur
from facade.anonymize.factory import METHODS, build_treatment
from facade.anonymize.pseudonyms import build_pseudonyms
from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Face, Photograph
from facade.errors import FacadeError
from facade.sources.procedural import ProceduralHeads
from tests.conftest import noise

PHOTOGRAPH = Photograph("a.jpg", 160, 120, (Face((30, 20, 40, 50)),))


def changed(params, section, **values):
    return params.model_copy(update={section: getattr(params, section).model_copy(update=values)})


def test_the_arm_blur_is_the_blur_of_params_yaml(params):
    image = noise(120, 160)
    settings = changed(params, "blur", sigma=5, sigma_jitter=2, decoys=1)
    built = build_treatment("blur", settings)
    expected = BlurFaces(settings.blur)(image, PHOTOGRAPH)
    treated = built.treatment(image, PHOTOGRAPH)
    np.testing.assert_array_equal(treated.pixels, expected.pixels)
    assert treated.counts == expected.counts
    assert built.cache_key != build_treatment("blur", params).cache_key


def test_in_place_overwrites_the_image_and_the_default_does_not(params):
    image, kept = noise(120, 160), noise(120, 160)
    treated = build_treatment("blur", params).treatment(image, PHOTOGRAPH).pixels
    np.testing.assert_array_equal(image, kept)
    assert build_blur(params.blur, in_place=True).treatment(image, PHOTOGRAPH).pixels is image
    np.testing.assert_array_equal(image, treated)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "pseudonym"])
def test_a_footage_method_blurs_every_frame_alike_and_adds_no_decoys(params, method):
    settings = changed(params, "blur", sigma_jitter=2, decoys=2)
    expected = changed(params, "blur", method=method)
    image = noise(120, 160)
    treated = build_treatment(method, settings).treatment(image, PHOTOGRAPH)
    np.testing.assert_array_equal(treated.pixels, BlurFaces(expected.blur)(image, PHOTOGRAPH).pixels)
    assert treated.counts["decoys"] == 0


@pytest.mark.parametrize("name", ["pseudo", "pseudonym"])
def test_pseudonyms_of_real_people_need_a_secret_key(params, name):
    build_treatment(name, params, synthetic=True)
    with pytest.raises(FacadeError, match="public key"):
        build_treatment(name, params)


def test_the_attackers_key_replaces_the_secret_and_needs_none(params):
    image = noise(120, 160)
    built = build_treatment("pseudo", params, key="audit")
    expected = ReplaceFaces(params.synthesize, ProceduralHeads(), "audit")(image, PHOTOGRAPH).pixels
    np.testing.assert_array_equal(built.treatment(image, PHOTOGRAPH).pixels, expected)
    own = build_pseudonyms(params.synthesize, synthetic=True)
    assert (own.treatment(image, PHOTOGRAPH).pixels != expected).any()
    assert own.cache_key == built.cache_key, "it is written to disk, and must not tell of the secret"


def test_an_unknown_name_is_refused(params):
    with pytest.raises(ValueError, match="no treatment is named 'smudge'; choose blur, pseudo"):
        build_treatment("smudge", params)
