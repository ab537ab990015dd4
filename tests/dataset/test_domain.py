"""Data sets made to look like another camera's: labels that fit, and a golden set that stays one."""

import json

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from facade.anonymize import BlurFaces
from facade.camera.fisheye import Fisheye
from facade.dataset import Photograph, Photographs
from facade.dataset.domain import domain_of, in_domain
from facade.dataset.duplicates import read_looks
from facade.dataset.golden import OtherGoldenError
from facade.dataset.ingest import ingest
from facade.dataset.records import Face
from facade.errors import FacadeError
from facade.heads import Light, View, draw_expression, draw_head, draw_identity, draw_pose
from facade.params import Domain, Params
from facade.seeds import generator
from tests.conftest import noise, tree, write_coco

LINE = "20 30 40 50 0 0 0 0 0 0"


@pytest.fixture
def take_in(tmp_path, params: Params):
    """Ingests a data set with domains into a folder of `tmp_path`, accepting its golden set."""

    def run(root, out="out", workers=1, accept=True, **domains):
        domain = params.ingest.domain.model_copy(update=domains)
        settings = params.ingest.model_copy(update={"path": root, "domain": domain})
        places = [tmp_path / out / name for name in ("train", "golden", "quarantine.csv")]
        try:
            return ingest(settings, params.codec, *places, workers=workers)
        except OtherGoldenError as error:
            if not accept:
                raise
            locked = settings.model_copy(update={"golden_lock": error.found})
            return ingest(locked, params.codec, *places, workers=workers)

    return run


@pytest.fixture
def root(write_wider):
    def named(first, count):
        return {f"e/{number}.jpg": (noise(120, 160, number), [LINE]) for number in range(first, first + count)}

    return write_wider(train=named(0, 12), val=named(50, 6))


def head_in_a_photograph(number: int, cut: bool) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Where a drawn face is, (600, 800, 3), white on black, and its box; inside, or cut by the border."""
    random = generator("domain", number)
    view = View.of_face(draw_pose(random), 90, 100, 100)
    light = Light((0.6, 0.7, 0.5), (0.8, 0.8, 0.8), (0.2, 0.2, 0.2), (0.1, 0.1, 0.1))
    head = draw_head(draw_identity(random), draw_expression(random), view, light, (200, 200))
    large = np.zeros((1000, 1200, 3), np.uint8)
    left, top = int(random.integers(200, 800)), int(random.integers(200, 600))
    if cut:  # the middle of the face lies on a side, or on a corner
        left, top = ((100, 920)[number % 2] if number % 4 < 3 else left), ((100, 710)[number % 3 % 2])
    large[top : top + 200, left : left + 200] = head.face[..., None] * np.uint8(255)
    photo = np.ascontiguousarray(large[200:800, 200:1000])
    return photo, reach(photo)


def reach(photo: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(photo[..., 0] > 127)
    return (float(columns.min()), float(rows.min()), float(np.ptp(columns) + 1), float(np.ptp(rows) + 1))


def followed(photo: np.ndarray, box: tuple[float, float, float, float], params: Params, source: str):
    """A face's overlap (IoU) with where its own pixels are in the fisheye, and the share of these in its box."""
    seen, (face,) = in_domain(photo, (Face(box),), "fisheye", params.ingest.domain, source)
    true = reach(seen)
    low = np.maximum(face.bbox[:2], true[:2])
    high = np.minimum(np.add(face.bbox[:2], face.bbox[2:]), np.add(true[:2], true[2:]))
    both = np.prod(high - low)
    rows, columns = np.nonzero(seen[..., 0] > 127)
    inside = (columns + 0.5 > face.bbox[0]) & (columns + 0.5 < face.bbox[0] + face.bbox[2])
    inside &= (rows + 0.5 > face.bbox[1]) & (rows + 0.5 < face.bbox[1] + face.bbox[3])
    return both / (np.prod(face.bbox[2:]) + np.prod(true[2:]) - both), inside.mean(), seen, face


def test_boxes_follow_drawn_faces_through_the_fisheye(params):
    """The picture of the face's own pixels tells where its box should be."""
    told = [followed(*head_in_a_photograph(number, cut=False), params, str(number)) for number in range(16)]
    overlaps, covered = [one[0] for one in told], [one[1] for one in told]
    assert np.mean(overlaps) > 0.9
    assert min(overlaps) > 0.75
    assert min(covered) > 0.95, "what sticks out of a box is what blur.widen is for"
    assert not any(one[3].cut for one in told)


def test_what_the_border_left_of_a_face_is_treated_to_its_corners_wherever_the_lens_moves_it(params):
    for number in range(12):
        photo, box = head_in_a_photograph(number, cut=True)
        _, inside, seen, face = followed(photo, box, params, str(number))
        assert face.cut
        assert inside > 0.995
        photograph = Photograph("a.jpg", seen.shape[1], seen.shape[0], (face,))
        solid = params.blur.model_copy(update={"method": "solid"})
        treated = BlurFaces(solid)(seen, photograph).pixels
        left = (treated == seen).all(2) & (seen[..., 0] > 127)
        assert left.sum() < 0.01 * (seen[..., 0] > 127).sum(), number


def test_a_cut_face_is_stored_as_one(params, make_store):
    face = Face((10, 10, 20, 20), cut=True)
    store = make_store({"a.jpg": (noise(60, 80), (face, Face((40, 10, 20, 20))))})
    assert [one.cut for photograph in Photographs(store.root) for one in photograph.faces] == [True, False]


def test_a_smeared_face_is_as_large_as_its_smear_and_a_streak_is_ignored(params):
    photo = np.zeros((480, 640, 3), np.uint8)
    photo[200:280, 300:360] = 255
    faces = (Face((300, 200, 60, 80)), Face((100, 100, 12, 16)))
    settings = params.ingest.domain.model_copy(update={"shake": (4.0, 4.0)})
    seen, (large, small) = in_domain(photo, faces, "motion_blur", settings, "x")
    rows, columns = np.nonzero(seen[..., 0] > 20)
    true = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    np.testing.assert_allclose(large.bbox, true, atol=3)
    assert not large.ignore
    assert small.ignore, "25 pixels of shake on a face of 12"


def test_landmarks_follow_too(params):
    points = ((30.0, 40.0), (50.0, 40.0), (40.0, 50.0), (33.0, 60.0), (47.0, 60.0))
    settings = params.ingest.domain.model_copy(update={"field_of_view": (120.0, 120.0)})
    _, (face,) = in_domain(noise(120, 160), (Face((20, 30, 40, 50), points),), "fisheye", settings, "x")
    np.testing.assert_allclose(face.keypoints, Fisheye(160, 120, 120).moved(np.array(points)))


def test_every_photograph_says_its_domain_and_is_of_its_part(root, take_in, tmp_path):
    take_in(root, train=("plain", "fisheye"), golden=("grey",))
    train, golden = Photographs(tmp_path / "out/train"), Photographs(tmp_path / "out/golden")
    assert {photograph.domain for photograph in train} == {"plain", "fisheye"}
    assert {photograph.domain for photograph in golden} == {"grey"}
    picture = golden.pixels(next(iter(golden)))
    assert np.abs(picture[..., 0].astype(int) - picture[..., 2]).max() <= 2
    assert any(photograph.height > 120 for photograph in train)


def test_without_domains_nothing_changes(root, take_in, tmp_path):
    take_in(root)
    content = json.loads((tmp_path / "out/golden/annotations.json").read_text())
    assert all("domain" not in image for image in content["images"])


def test_domains_do_not_depend_on_workers_or_on_other_photographs(root, take_in, tmp_path):
    everything = {"train": ("fisheye", "low_light", "motion_blur"), "golden": ("low_resolution",)}
    take_in(root, "one", **everything)
    take_in(root, "two", workers=2, **everything)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    labels = root / "wider_face_split/wider_face_train_bbx_gt.txt"
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[: 3 * 4]))
    take_in(root, "fewer", **everything)
    few, many = tree(tmp_path / "fewer/train/images"), tree(tmp_path / "one/train/images")
    assert len(few) == 4
    assert few.items() <= many.items()


def test_the_lock_knows_the_domain_of_golden_photographs(root, take_in):
    plain = take_in(root, train=("grey",))["golden_lock"]
    assert take_in(root)["golden_lock"] == plain, "training photographs do not count"
    grey = take_in(root, golden=("grey",))["golden_lock"]
    assert grey != plain, "its labels are the same, its pixels are not"
    assert take_in(root, golden=("grey",), shrink=(3.0, 3.0))["golden_lock"] != grey
    with pytest.raises(OtherGoldenError, match="golden_lock"):
        take_in(root, accept=False, golden=("grey",))


def test_twins_of_golden_photographs_are_found_whatever_camera_they_are_made_to_be_by(write_wider, take_in, tmp_path):
    twin = noise(120, 160, 7)
    parts = {
        "train": {"e/a.jpg": (twin, [LINE]), "e/b.jpg": (noise(120, 160, 8), [LINE])},
        "val": {"e/c.jpg": (twin, [LINE])},
    }
    counts = take_in(write_wider(**parts), train=("low_light",), golden=("fisheye",))
    assert counts["near_duplicates_dropped"] == 1
    assert len(read_looks(Photographs(tmp_path / "out/golden"))) == 1


def test_faces_that_have_become_too_small_are_ignored(root, take_in, tmp_path):
    take_in(root, golden=("low_resolution",), shrink=(4.0, 4.0))
    golden = Photographs(tmp_path / "out/golden")
    assert {(photograph.width, photograph.height) for photograph in golden} == {(40, 30)}
    assert all(face.bbox == (5, 7.5, 10, 12.5) and not face.ignore for one in golden for face in one.faces)
    take_in(root, "tiny", golden=("plain", "low_resolution"), shrink=(8.0, 8.0))
    tiny = [one for one in Photographs(tmp_path / "tiny/golden") if one.domain == "low_resolution"]
    assert tiny
    assert all(face.ignore for one in tiny for face in one.faces)


def test_a_data_set_may_say_the_domain_itself(tmp_path, take_in):
    root = tmp_path / "coco"
    for part, number in (("train", 1), ("val", 2)):
        image = {"id": 1, "file_name": f"{part}.png", "width": 160, "height": 120, "domain": "headset"}
        face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 30, 40, 50]}
        categories = [{"id": 1, "name": "face"}]
        write_coco(
            root / f"annotations/{part}.json", {"images": [image], "annotations": [face], "categories": categories}
        )
        (root / "images").mkdir(exist_ok=True)
        cv2.imwrite(str(root / "images" / f"{part}.png"), noise(120, 160, number))
    take_in(root)
    assert [one.domain for one in Photographs(tmp_path / "out/golden")] == ["headset"]


@pytest.mark.parametrize("named", ["Anna Muster, ward 4", "a" * 41, 7, ""])
def test_a_domain_that_is_a_sentence_is_refused(tmp_path, take_in, named):
    image = {"id": 1, "file_name": "a.png", "width": 160, "height": 120, "domain": named}
    content = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "face"}]}
    write_coco(tmp_path / "coco/annotations.json", content)
    with pytest.raises(FacadeError, match="has up to 40 letters"):
        take_in(tmp_path / "coco")


@pytest.mark.parametrize("content", [{}, {"e/50.jpg": "0" * 16}, {"e/50.jpg": 3}, []])
def test_looks_that_are_not_those_of_every_golden_photograph_are_refused(root, take_in, tmp_path, content):
    take_in(root)
    (tmp_path / "out/golden/looks.json").write_text(json.dumps(content))
    with pytest.raises(FacadeError, match="is not what ingest wrote"):
        read_looks(Photographs(tmp_path / "out/golden"))


def test_the_choice_is_by_content(params):
    settings = params.ingest.domain.model_copy(update={"train": ("plain", "grey", "fisheye")})
    chosen = [domain_of(f"{number:064x}", "train", settings) for number in range(600)]
    assert {name: chosen.count(name) > 150 for name in settings.train} == dict.fromkeys(settings.train, True)
    assert domain_of("0", "golden", settings) == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": ["fish"]}, "'fish' is no domain"),
        ({"train": ["grey+grey"]}, "is no domain"),
        ({"golden": ["plain+grey"]}, "is no domain"),
        ({"shake": [6, 2]}, "falls"),
        ({"field_of_view": [100, 190]}, "170"),
    ],
)
def test_settings_that_cannot_be_are_refused(params, change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Domain.model_validate(params.ingest.domain.model_dump() | change)
