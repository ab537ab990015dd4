"""Simulated cameras: labels follow the pixels, and the lock of the golden set covers the simulation."""

import json

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from facade.anonymize import BlurFaces
from facade.camera.fisheye import Fisheye
from facade.dataset import Photograph, Photographs
from facade.dataset.domain import domain_of, in_domain
from facade.dataset.duplicates import read_hashes
from facade.dataset.golden import GoldenSetChangedError
from facade.dataset.ingest import ingest
from facade.dataset.records import Face
from facade.errors import FacadeError
from facade.heads import Light, View, render_head, sample_expression, sample_identity, sample_pose
from facade.params import Domain, Params
from facade.seeds import generator
from tests.conftest import noise, tree, write_coco

LINE = "20 30 40 50 0 0 0 0 0 0"


@pytest.fixture
def run_ingest(tmp_path, params: Params):
    """Ingests a data set with domains into a folder of `tmp_path`, accepting its golden set."""

    def run(root, out="out", workers=1, accept=True, **domains):
        domain = params.ingest.domain.model_copy(update=domains)
        settings = params.ingest.model_copy(update={"path": root, "domain": domain})
        outputs = [tmp_path / out / name for name in ("train", "golden", "quarantine.csv")]
        try:
            return ingest(settings, params.codec, *outputs, workers=workers)
        except GoldenSetChangedError as error:
            if not accept:
                raise
            locked = settings.model_copy(update={"golden_lock": error.fingerprint})
            return ingest(locked, params.codec, *outputs, workers=workers)

    return run


@pytest.fixture
def root(write_wider):
    def named(first, count):
        return {f"e/{number}.jpg": (noise(120, 160, number), [LINE]) for number in range(first, first + count)}

    return write_wider(train=named(0, 12), val=named(50, 6))


def head_in_a_photograph(number: int, cut: bool) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Where a drawn face is, (600, 800, 3), white on black, and its box; inside, or cut by the border."""
    random = generator("domain", number)
    view = View.of_face(sample_pose(random), 90, 100, 100)
    light = Light((0.6, 0.7, 0.5), (0.8, 0.8, 0.8), (0.2, 0.2, 0.2), (0.1, 0.1, 0.1))
    head = render_head(sample_identity(random), sample_expression(random), view, light, (200, 200))
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
    """IoU of a face's box with the extent of its pixels in the fisheye picture, and the share of them in its box."""
    simulated, (face,) = in_domain(photo, (Face(box),), "fisheye", params.ingest.domain, source)
    true = reach(simulated)
    low = np.maximum(face.bbox[:2], true[:2])
    high = np.minimum(np.add(face.bbox[:2], face.bbox[2:]), np.add(true[:2], true[2:]))
    both = np.prod(high - low)
    rows, columns = np.nonzero(simulated[..., 0] > 127)
    inside = (columns + 0.5 > face.bbox[0]) & (columns + 0.5 < face.bbox[0] + face.bbox[2])
    inside &= (rows + 0.5 > face.bbox[1]) & (rows + 0.5 < face.bbox[1] + face.bbox[3])
    return both / (np.prod(face.bbox[2:]) + np.prod(true[2:]) - both), inside.mean(), simulated, face


def test_boxes_follow_drawn_faces_through_the_fisheye(params):
    """The extent of the face's pixels is the reference for its box."""
    results = [followed(*head_in_a_photograph(number, cut=False), params, str(number)) for number in range(8)]
    ious, covered = [one[0] for one in results], [one[1] for one in results]
    assert np.mean(ious) > 0.9
    assert min(ious) > 0.75
    assert min(covered) > 0.95, "blur.widen covers the rest"
    assert not any(one[3].cut for one in results)


def test_a_truncated_face_is_treated_completely_after_the_lens_simulation(params):
    for number in range(6):
        photo, box = head_in_a_photograph(number, cut=True)
        _, inside, simulated, face = followed(photo, box, params, str(number))
        assert face.cut
        assert inside > 0.995
        photograph = Photograph("a.jpg", simulated.shape[1], simulated.shape[0], (face,))
        solid = params.blur.model_copy(update={"method": "solid"})
        treated = BlurFaces(solid)(simulated, photograph).pixels
        left = (treated == simulated).all(2) & (simulated[..., 0] > 127)
        assert left.sum() < 0.01 * (simulated[..., 0] > 127).sum(), number


def test_truncation_is_stored(params, make_store):
    face = Face((10, 10, 20, 20), cut=True)
    store = make_store({"a.jpg": (noise(60, 80), (face, Face((40, 10, 20, 20))))})
    assert [one.cut for photograph in Photographs(store.root) for one in photograph.faces] == [True, False]


def test_boxes_include_motion_blur_and_heavily_blurred_faces_are_ignored(params):
    photo = np.zeros((480, 640, 3), np.uint8)
    photo[200:280, 300:360] = 255
    faces = (Face((300, 200, 60, 80)), Face((100, 100, 12, 16)))
    settings = params.ingest.domain.model_copy(update={"shake": (4.0, 4.0)})
    simulated, (large, small) = in_domain(photo, faces, "motion_blur", settings, "x")
    rows, columns = np.nonzero(simulated[..., 0] > 20)
    true = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    np.testing.assert_allclose(large.bbox, true, atol=3)
    assert not large.ignore
    assert small.ignore, "25 pixels of shake on a face of 12"


def test_landmarks_follow_the_pixels(params):
    points = ((30.0, 40.0), (50.0, 40.0), (40.0, 50.0), (33.0, 60.0), (47.0, 60.0))
    settings = params.ingest.domain.model_copy(update={"field_of_view": (120.0, 120.0)})
    _, (face,) = in_domain(noise(120, 160), (Face((20, 30, 40, 50), points),), "fisheye", settings, "x")
    np.testing.assert_allclose(face.keypoints, Fisheye(160, 120, 120).map_points(np.array(points)))


def test_every_photograph_has_a_domain_of_its_split(root, run_ingest, tmp_path):
    run_ingest(root, train=("plain", "fisheye"), golden=("grey",))
    train, golden = Photographs(tmp_path / "out/train"), Photographs(tmp_path / "out/golden")
    assert {photograph.domain for photograph in train} == {"plain", "fisheye"}
    assert {photograph.domain for photograph in golden} == {"grey"}
    picture = golden.pixels(next(iter(golden)))
    assert np.abs(picture[..., 0].astype(int) - picture[..., 2]).max() <= 2
    assert any(photograph.height > 120 for photograph in train)


def test_without_domains_nothing_changes(root, run_ingest, tmp_path):
    run_ingest(root)
    content = json.loads((tmp_path / "out/golden/annotations.json").read_text())
    assert all("domain" not in image for image in content["images"])


def test_domains_do_not_depend_on_workers_or_other_photographs(root, run_ingest, tmp_path):
    everything = {"train": ("fisheye", "low_light", "motion_blur"), "golden": ("low_resolution",)}
    run_ingest(root, "one", **everything)
    run_ingest(root, "two", workers=2, **everything)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    labels = root / "wider_face_split/wider_face_train_bbx_gt.txt"
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[: 3 * 4]))
    run_ingest(root, "fewer", **everything)
    few, many = tree(tmp_path / "fewer/train/images"), tree(tmp_path / "one/train/images")
    assert len(few) == 4
    assert few.items() <= many.items()


def test_the_lock_covers_the_domains_of_golden_photographs(root, run_ingest):
    plain = run_ingest(root, train=("grey",))["golden_lock"]
    assert run_ingest(root)["golden_lock"] == plain, "training photographs do not count"
    grey = run_ingest(root, golden=("grey",))["golden_lock"]
    assert grey != plain, "its labels are the same, its pixels are not"
    assert run_ingest(root, golden=("grey",), shrink=(3.0, 3.0))["golden_lock"] != grey
    with pytest.raises(GoldenSetChangedError, match="golden_lock"):
        run_ingest(root, accept=False, golden=("grey",))


def test_near_duplicates_are_found_under_any_simulated_camera(write_wider, run_ingest, tmp_path):
    twin = noise(120, 160, 7)
    parts = {
        "train": {"e/a.jpg": (twin, [LINE]), "e/b.jpg": (noise(120, 160, 8), [LINE])},
        "val": {"e/c.jpg": (twin, [LINE])},
    }
    counts = run_ingest(write_wider(**parts), train=("low_light",), golden=("fisheye",))
    assert counts["near_duplicates_dropped"] == 1
    assert len(read_hashes(Photographs(tmp_path / "out/golden"))) == 1


def test_faces_below_the_minimum_height_after_simulation_are_ignored(root, run_ingest, tmp_path):
    run_ingest(root, golden=("low_resolution",), shrink=(4.0, 4.0))
    golden = Photographs(tmp_path / "out/golden")
    assert {(photograph.width, photograph.height) for photograph in golden} == {(40, 30)}
    assert all(face.bbox == (5, 7.5, 10, 12.5) and not face.ignore for one in golden for face in one.faces)
    run_ingest(root, "tiny", golden=("plain", "low_resolution"), shrink=(8.0, 8.0))
    tiny = [one for one in Photographs(tmp_path / "tiny/golden") if one.domain == "low_resolution"]
    assert tiny
    assert all(face.ignore for one in tiny for face in one.faces)


def test_domains_of_the_labels_are_kept(tmp_path, run_ingest):
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
    run_ingest(root)
    assert [one.domain for one in Photographs(tmp_path / "out/golden")] == ["headset"]


@pytest.mark.parametrize("named", ["Anna Muster, ward 4", "a" * 41, 7, ""])
def test_an_invalid_domain_name_is_refused(tmp_path, run_ingest, named):
    image = {"id": 1, "file_name": "a.png", "width": 160, "height": 120, "domain": named}
    content = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "face"}]}
    write_coco(tmp_path / "coco/annotations.json", content)
    with pytest.raises(FacadeError, match="consists of up to 40 characters"):
        run_ingest(tmp_path / "coco")


@pytest.mark.parametrize("content", [{}, {"e/50.jpg": "0" * 16}, {"e/50.jpg": 3}, []])
def test_invalid_hashes_of_golden_photographs_are_refused(root, run_ingest, tmp_path, content):
    run_ingest(root)
    (tmp_path / "out/golden/perceptual-hashes.json").write_text(json.dumps(content))
    with pytest.raises(FacadeError, match="was not written by ingest"):
        read_hashes(Photographs(tmp_path / "out/golden"))


def test_domains_are_chosen_by_content(params):
    settings = params.ingest.domain.model_copy(update={"train": ("plain", "grey", "fisheye")})
    chosen = [domain_of(f"{number:064x}", "train", settings) for number in range(600)]
    assert {name: chosen.count(name) > 150 for name in settings.train} == dict.fromkeys(settings.train, True)
    assert domain_of("0", "golden", settings) == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": ["fish"]}, "unknown domain 'fish'"),
        ({"train": ["grey+grey"]}, "unknown domain"),
        ({"golden": ["plain+grey"]}, "unknown domain"),
        ({"shake": [6, 2]}, "reversed"),
        ({"field_of_view": [100, 190]}, "170"),
    ],
)
def test_invalid_settings_are_refused(params, change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Domain.model_validate(params.ingest.domain.model_dump() | change)
