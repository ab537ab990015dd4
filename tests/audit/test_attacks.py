"""Linkage attacks with a network that compares pixels, so that the expected results are known."""

import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.audit.attacks import mirror_labels, strongest, treat_mirrored
from facade.audit.audit_arm import Attacker, audit_arm, select_photographs
from facade.audit.frames import face_ellipse
from facade.audit.linkage import Linkage, Rate
from facade.dataset import Face, Photograph
from facade.dataset.pixels import mirrored_points
from facade.dataset.records import without_landmarks
from facade.demo.photograph import draw_scene
from facade.errors import FacadeError
from facade.recognition import normalized
from facade.seeds import generator
from tests.conftest import noise


class Pixels:
    """A network that compares pixels of pictures, each downscaled to 28 x 28 and averaged with its mirror image."""

    def embed(self, aligned):
        small = aligned.reshape(28, 4, 28, 4, 3).mean((1, 3))
        both = small + small[:, ::-1]
        # Of a uniform picture only the last number remains, which is equal for all faces.
        return normalized(np.append(both - both.mean(), 1.0))


class PixelAttacker(Attacker):
    """An attacker that uses this network."""

    def __init__(self):
        super().__init__((), False, "pixels")

    def networks(self):
        return {"pixels": Pixels()}


@pytest.fixture
def people(make_store):
    """Twenty drawn photographs as the source."""
    pictures = {}
    for number in range(20):
        scene = draw_scene(generator("attacks", number), 240, with_people=True)
        pictures[f"{number:016x}.jpg"] = (scene.pixels, scene.faces)
    return make_store(pictures, "train")


def arm_of(make_store, source, treatment, name):
    return make_store(
        {one.file: (treatment(source.pixels(one), one).pixels, without_landmarks(one).faces) for one in source}, name
    )  # fmt: skip


def attacked(make_store, source, params, workers=1, **changes):
    blur = params.blur.model_copy(update=changes)
    arm = arm_of(make_store, source, BlurFaces(blur), f"blur-{len(changes)}-{workers}-{changes}")
    return audit_arm(source, arm, {}, BlurFaces(blur), blur, PixelAttacker(), params.audit, params.codec, workers)


def test_untreated_faces_are_linked_and_solid_ones_are_not(make_store, people, params):
    blank = attacked(make_store, people, params, method="solid", widen=60).linked
    assert blank["untreated"].rank1.estimate == 1
    assert blank["parrot_untreated"].rank1.estimate > 0.3
    assert "reversed" not in blank, "a solid fill cannot be undone"
    faces = blank["face_alone"].faces
    assert blank["face_alone"].rank1.estimate <= 3 / faces
    assert blank["face_alone"].rank1.low <= blank["face_alone"].chance


def test_a_weak_blur_can_be_undone(make_store, people, params):
    weak = attacked(make_store, people, params, sigma=3).linked
    assert weak["recognition"].rank1.estimate > 0.5
    assert weak["parrot"].rank1.estimate > 0.3
    assert weak["reversed"].auc.estimate > 0.9


def test_small_faces_are_counted_but_not_attacked(make_store, people, params):
    result = attacked(make_store, people, params)
    large = sum(face.bbox[3] >= params.audit.min_face_height for one in people for face in one.faces)
    assert 0 < large < sum(len(one.faces) for one in people)
    assert result.large == result.linked["recognition"].faces == large


def test_results_do_not_depend_on_the_number_of_processes(make_store, people, params):
    # The attacker is pickled for worker processes.
    one, two = (attacked(make_store, people, params, workers=workers) for workers in (1, 2))
    assert one == two


def test_selected_photographs_do_not_depend_on_order_and_respect_the_maximum(people):
    everything = list(people)
    some = select_photographs(everything, 40, 10)
    assert some == select_photographs(everything[::-1], 40, 10)
    large = {one.file: sum(face.bbox[3] >= 40 for face in one.faces) for one in everything}
    assert 0 < sum(large[file] for file in some) <= 10
    assert select_photographs(everything, 40, 2000) == {file for file, count in large.items() if count}
    assert select_photographs(everything, 9999, 10) == frozenset()


def test_different_labels_are_an_error(make_store, params):
    one = make_store({"a.jpg": (noise(60, 80), (Face((10, 10, 20, 30)),))}, "one")
    two = make_store({"a.jpg": (noise(60, 80), ())}, "two")
    with pytest.raises(FacadeError, match="the labels of .* differ from those of"):
        audit_arm(one, two, {}, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, 1)


def test_a_missing_photograph_is_an_error(make_store, params):
    pictures = {"a.jpg": (noise(60, 80), (Face((10, 10, 20, 30)),))}
    one, two = make_store(pictures, "one"), make_store(pictures, "two")
    (two.images / "a.jpg").unlink()
    with pytest.raises(FacadeError, match=r"a\.jpg cannot be read"):
        audit_arm(one, two, {}, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, 1)


def test_mirroring_twice_gives_the_original_labels():
    face = Face((10.5, 20, 30, 40), ((15, 30), (33, 31), (24, 40), (18, 52), (31, 50)))
    one = Photograph("a.jpg", 100, 80, (face,))
    there = mirror_labels(one)
    assert there.faces[0].bbox == (59.5, 20, 30, 40)
    assert there.faces[0].keypoints[0] == (67, 31), "the left eye is the one with the smaller x"
    assert mirror_labels(there) == one
    np.testing.assert_array_equal(mirrored_points(np.array(face.keypoints), 100), there.faces[0].keypoints)


def test_blur_commutes_with_mirroring(params):
    image = noise(80, 100)
    one = Photograph("a.jpg", 100, 80, (Face((30, 20, 30, 40)),))
    blurs = BlurFaces(params.blur)
    likewise = treat_mirrored(image, one, blurs)[:, ::-1]
    assert np.abs(likewise.astype(int) - blurs(image, one).pixels).max() <= 1


def test_the_face_ellipse_excludes_the_corners():
    shown = face_ellipse()
    assert shown[68, 56]
    assert not shown[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_of_several_networks_the_strongest_counts():
    def linked(share, network):
        return Linkage(50, 50, *[Rate(share, share, share)] * 4, network=network)

    weak = {name: linked(0.1, "a") for name in ("recognition", "parrot")}
    strong = {name: linked(0.3, "b") for name in ("recognition", "parrot")}
    assert {one.network for one in strongest([weak, strong]).values()} == {"b"}
    assert strongest([{**strong, "parrot": linked(0, "b")}, weak])["parrot"].network == "a"


class ColorHistogram:
    """It knows a mirrored face, and would be taken for a recognizer by that."""

    def embed(self, aligned):
        bins = [np.histogram(aligned[..., one], 16, (0, 256))[0] for one in range(3)]
        return normalized(np.concatenate(bins).astype(float))


def test_a_color_histogram_is_no_recognizer(make_store, people, params):
    class Attack(PixelAttacker):
        def networks(self):
            return {"histogram": ColorHistogram(), "pixels": Pixels()}

    blank = arm_of(make_store, people, BlurFaces(params.blur), "blank")
    linked = audit_arm(people, blank, {}, None, None, Attack(), params.audit, params.codec, 1).linked
    assert linked["recognition"].network == "pixels", "the histogram is left out, and the other network is not"

    class Alone(PixelAttacker):
        def networks(self):
            return {"histogram": ColorHistogram()}

    alone = audit_arm(people, blank, {}, None, None, Alone(), params.audit, params.codec, 1).linked
    assert alone["frame_untreated"].rank1.low < 0.5
    assert "recognition" not in alone
