"""Attacks on treated faces: with a network that sees pixels, so that what it should find is known."""

import numpy as np
import pytest

from facade.anonymize import BlurFaces
from facade.audit.attacks import face_ellipse, mirrored, treated_likewise
from facade.audit.audit_arm import Attacker, chosen, look
from facade.dataset import Face, Photograph
from facade.dataset.pixels import mirrored_points
from facade.demo.photograph import draw_scene
from facade.errors import FacadeError
from facade.recognition import unit
from facade.seeds import generator
from tests.conftest import noise


class Pixels:
    """A network that compares pictures point by point, each shrunk to 28 x 28 and laid over its mirror image."""

    def embed(self, aligned):
        small = aligned.reshape(28, 4, 28, 4, 3).mean((1, 3))
        both = small + small[:, ::-1]
        # Where all is grey the last number alone is left: the same for everybody, and like nobody more than another.
        return unit(np.append(both - both.mean(), 1.0))


class ByPixels(Attacker):
    """Attacks with it."""

    def __init__(self):
        super().__init__(None, False, "pixels")

    def network(self):
        return Pixels()


@pytest.fixture
def people(make_store):
    """Twenty drawn photographs, as source."""
    pictures = {}
    for number in range(20):
        scene = draw_scene(generator("attacks", number), 240, with_people=True)
        pictures[f"{number:016x}.jpg"] = (scene.pixels, scene.faces)
    return make_store(pictures, "train")


def arm_of(make_store, source, treatment, name):
    return make_store(
        {one.file: (treatment(source.pixels(one), one).pixels, one.faces) for one in source}, name
    )  # fmt: skip


def attacked(make_store, source, params, workers=1, **changes):
    blur = params.blur.model_copy(update=changes)
    arm = arm_of(make_store, source, BlurFaces(blur), f"blur-{len(changes)}-{workers}-{changes}")
    return look(source, arm, {}, BlurFaces(blur), blur, ByPixels(), params.audit, params.codec, workers)


def test_untreated_faces_are_linked_and_blank_ones_are_not(make_store, people, params):
    blank = attacked(make_store, people, params, method="solid", widen=60).linked
    assert blank["untreated"].rank1.seen == 1
    assert blank["parrot_untreated"].rank1.seen > 0.3
    assert "reversed" not in blank, "nothing is left to undo"
    faces = blank["face_alone"].faces
    assert blank["face_alone"].rank1.seen <= 3 / faces
    assert blank["face_alone"].rank1.low <= blank["face_alone"].chance


def test_a_weak_blur_hides_nobody_from_one_who_undoes_it(make_store, people, params):
    weak = attacked(make_store, people, params, sigma=3).linked
    assert weak["recognition"].rank1.seen > 0.5
    assert weak["parrot"].rank1.seen > 0.3
    assert weak["reversed"].auc.seen > 0.9


def test_faces_that_are_too_small_are_counted_and_not_attacked(make_store, people, params):
    seen = attacked(make_store, people, params)
    large = sum(face.bbox[3] >= params.audit.least for one in people for face in one.faces)
    assert 0 < large < sum(len(one.faces) for one in people)
    assert seen.large == seen.linked["recognition"].faces == large


def test_the_number_of_processes_changes_nothing(make_store, people, params):
    # Processes import the attacker anew: one that cannot be pickled would fail here.
    one, two = (attacked(make_store, people, params, workers=workers) for workers in (1, 2))
    assert one == two


def test_the_same_photographs_are_attacked_in_every_arm_up_to_the_number_asked_for(people):
    everything = list(people)
    some = chosen(everything, 40, 10)
    assert some == chosen(everything[::-1], 40, 10)
    large = {one.file: sum(face.bbox[3] >= 40 for face in one.faces) for one in everything}
    assert 0 < sum(large[file] for file in some) <= 10
    assert chosen(everything, 40, 2000) == {file for file, count in large.items() if count}
    assert chosen(everything, 9999, 10) == frozenset()


def test_labels_that_differ_stop_the_audit(make_store, params):
    one = make_store({"a.jpg": (noise(60, 80), (Face((10, 10, 20, 30)),))}, "one")
    two = make_store({"a.jpg": (noise(60, 80), ())}, "two")
    with pytest.raises(FacadeError, match="the labels of .* are not those of"):
        look(one, two, {}, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, 1)


def test_a_missing_photograph_stops_the_audit(make_store, params):
    pictures = {"a.jpg": (noise(60, 80), (Face((10, 10, 20, 30)),))}
    one, two = make_store(pictures, "one"), make_store(pictures, "two")
    (two.images / "a.jpg").unlink()
    with pytest.raises(FacadeError, match=r"a\.jpg cannot be read"):
        look(one, two, {}, BlurFaces(params.blur), params.blur, None, params.audit, params.codec, 1)


def test_a_mirror_seen_twice_is_the_photograph():
    face = Face((10.5, 20, 30, 40), ((15, 30), (33, 31), (24, 40), (18, 52), (31, 50)))
    one = Photograph("a.jpg", 100, 80, (face,))
    there = mirrored(one)
    assert there.faces[0].bbox == (59.5, 20, 30, 40)
    assert there.faces[0].keypoints[0] == (67, 31), "the left eye is the one with the smaller x"
    assert mirrored(there) == one
    np.testing.assert_array_equal(mirrored_points(np.array(face.keypoints), 100), there.faces[0].keypoints)


def test_a_mirrored_photograph_blurred_is_the_blurred_photograph_mirrored(params):
    image = noise(80, 100)
    one = Photograph("a.jpg", 100, 80, (Face((30, 20, 30, 40)),))
    blurs = BlurFaces(params.blur)
    likewise = treated_likewise(image, one, blurs)[:, ::-1]
    assert np.abs(likewise.astype(int) - blurs(image, one).pixels).max() <= 1


def test_the_face_alone_leaves_the_corners_out():
    shown = face_ellipse()
    assert shown[68, 56]
    assert not shown[[0, 0, -1, -1], [0, -1, 0, -1]].any()
