"""Faces without landmarks gain those of the matching detection."""

import cv2
import numpy as np
import pytest

from facade.dataset import Face, Photographs
from facade.dataset.golden import GoldenSetChangedError
from facade.dataset.ingest import ingest
from facade.dataset.landmarks import MIN_IOU, assign_landmarks
from facade.errors import FacadeError
from facade.retinaface import DetectedFace
from tests.conftest import SHARED, noise, tree

WEIGHTS = SHARED / "weights" / "detection_mobilenet0.25_Final.pth"
BANK = SHARED / "data" / "facebank-sfhq"
LINE = "20 30 40 50 0 0 0 0 0 0"


def found(box, mark=0.0) -> DetectedFace:
    return DetectedFace(box, 0.9, np.full((5, 2), mark) + np.arange(5)[:, None] / 3)


def marks(faces):
    return [None if face.keypoints is None else face.keypoints[0][0] for face in faces]


POINTS = ((7.0, 7.0),) * 5


@pytest.mark.parametrize(
    ("case", "faces", "detections", "expected"),
    [
        ("no detection", [Face((0, 0, 10, 10))], [], [None]),
        ("no face", [], [found((0, 0, 10, 10))], []),
        ("the same box", [Face((0, 0, 10, 10))], [found((0, 0, 10, 10), 1)], [1]),
        ("half of it overlaps", [Face((0, 0, 10, 10))], [found((0, 0, 10, 5), 1)], [1]),
        ("less than half overlaps", [Face((0, 0, 10, 10))], [found((0, 0, 10, 4.9), 1)], [None]),
        ("the best of two", [Face((0, 0, 10, 10))], [found((0, 0, 10, 8), 1), found((0, 0, 10, 9), 2)], [2]),
        ("one for one face", [Face((0, 0, 10, 10)), Face((0, 0, 10, 9))], [found((0, 0, 10, 9), 1)], [None, 1]),
        ("each its own", [Face((0, 0, 10, 10)), Face((0, 0, 10, 8))],
         [found((0, 0, 10, 10), 1), found((0, 0, 10, 9), 2)], [1, 2]),
        ("its own stays", [Face((0, 0, 10, 10), POINTS), Face((0, 0, 10, 8))], [found((0, 0, 10, 10), 1)], [7, None]),
        ("ignored faces too", [Face((0, 0, 10, 10), ignore=True)], [found((0, 0, 10, 10), 1)], [1]),
        ("cut by the border", [Face((0, 0, 10, 10))], [found((-10, -10, 20, 20), 1)], [1]),
    ],
)  # fmt: skip
def test_landmarks_are_assigned_to_the_face_with_the_highest_iou(case, faces, detections, expected):
    enriched, gained = assign_landmarks(tuple(faces), detections, 100, 100)
    assert marks(enriched) == expected, case
    assert gained == sum(a is None and b is not None for a, b in zip(marks(faces), expected, strict=True))
    assert [face.bbox for face in enriched] == [face.bbox for face in faces]
    assert [face.ignore for face in enriched] == [face.ignore for face in faces]


def test_landmarks_are_rounded_like_those_of_labels():
    ((face,), _) = assign_landmarks((Face((0, 0, 10, 10)),), [found((0, 0, 10, 10))], 100, 100)
    assert face.keypoints[1] == (0.33, 0.33)


@pytest.mark.parametrize("seed", range(5))
def test_detections_are_assigned_once_and_with_sufficient_iou(seed):
    random = np.random.default_rng(seed)
    faces = tuple(Face(tuple(box)) for box in random.uniform(5, 40, (30, 4)))
    detections = [found(tuple(box), 100.0 * number) for number, box in enumerate(random.uniform(5, 40, (30, 4)))]
    enriched, gained = assign_landmarks(faces, detections, 100, 100)
    used = [int(mark // 100) for mark in marks(enriched) if mark is not None]
    assert len(set(used)) == len(used) == gained > 0
    for face, mark in zip(enriched, marks(enriched), strict=True):
        if mark is not None:
            x, y, w, h = face.bbox
            a, b, c, d = detections[int(mark // 100)].bbox
            intersection = max(0, min(x + w, a + c) - max(x, a)) * max(0, min(y + h, b + d) - max(y, b))
            assert intersection / (w * h + c * d - intersection) >= MIN_IOU


@pytest.fixture
def run_ingest(tmp_path, params):
    """Ingests a data set, accepting its golden set."""

    def run(root, name="out", workers=1, **changes) -> dict:
        out = tmp_path / name
        outputs = (out / "train", out / "golden", out / "quarantine.csv")
        settings = params.ingest.model_copy(update={"path": root, **changes})
        try:
            return ingest(settings, params.codec, *outputs, workers=workers)
        except FacadeError as error:
            lock = str(error).partition("golden_lock=")[2][:16]
            if not lock:
                raise
            return ingest(settings.model_copy(update={"golden_lock": lock}), params.codec, *outputs, workers=workers)

    return run


def portraits(number: int) -> dict:
    """Photographs of one synthetic face each, labelled in the middle, on backgrounds that differ."""
    entries = {}
    for place, path in enumerate(sorted(BANK.glob("sample_*.jpg"))[:number]):
        canvas = noise(320, 320, place) // 4
        canvas[80:240, 80:240] = cv2.resize(cv2.imread(str(path)), (160, 160), interpolation=cv2.INTER_AREA)
        entries[f"e/{place}.jpg"] = (canvas, ["122 112 76 96 0 0 0 0 0 0"])
    return entries


@pytest.mark.skipif(
    not WEIGHTS.is_file() or not BANK.is_dir(), reason="facexlib's weights or pictures of faces are not at hand"
)
def test_only_training_faces_gain_landmarks_with_any_number_of_workers(tmp_path, write_wider, run_ingest):
    entries = portraits(6)
    train, golden = dict(list(entries.items())[:4]), dict(list(entries.items())[4:])
    root = write_wider(train=train, val=golden)
    plain = run_ingest(root, "plain", duplicate_distance=0)
    changes = {"landmarks": "facexlib", "landmark_weights": WEIGHTS, "golden_lock": plain["golden_lock"]}
    counts = run_ingest(root, "one", duplicate_distance=0, **changes)
    run_ingest(root, "two", workers=2, duplicate_distance=0, **changes)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert counts["landmarks_found"] == counts["train"]["with_landmarks"] >= 3
    assert counts["golden"]["with_landmarks"] == 0
    assert counts["golden_lock"] == plain["golden_lock"]
    assert tree(tmp_path / "one" / "golden") == tree(tmp_path / "plain" / "golden")
    for photograph in Photographs(tmp_path / "one" / "train"):
        for face in photograph.faces:
            if face.keypoints is not None:
                x, y, w, h = face.bbox
                assert all(x < px < x + w and y < py < y + h for px, py in face.keypoints)


def test_without_a_network_landmarks_of_labels_are_counted(write_wider, run_ingest):
    root = write_wider(train={"a.jpg": (noise(120, 160, 1), [LINE])}, val={"b.jpg": (noise(120, 160, 2), [LINE])})
    counts = run_ingest(root)
    assert "landmarks_found" not in counts
    assert counts["train"]["with_landmarks"] == 0


def test_missing_weights_are_an_error_before_ingest_starts(tmp_path, write_wider, run_ingest):
    root = write_wider(train={"a.jpg": (noise(120, 160, 1), [LINE])}, val={"b.jpg": (noise(120, 160, 2), [LINE])})
    with pytest.raises(FacadeError, match=r"ingest\.landmark_weights is .*gone\.pth, which does not exist"):
        run_ingest(root, landmarks="facexlib", landmark_weights=tmp_path / "gone.pth")
    assert not (tmp_path / "out").exists()


def test_invalid_weights_are_an_error(tmp_path, write_wider, run_ingest):
    broken = tmp_path / WEIGHTS.name
    broken.write_bytes(b"no weights")
    root = write_wider(train={"a.jpg": (noise(120, 160, 1), [LINE])}, val={"b.jpg": (noise(120, 160, 9), [LINE])})
    with pytest.raises(FacadeError, match="holds no weights that are safe"):
        run_ingest(root, landmarks="facexlib", landmark_weights=broken)
    assert not (tmp_path / "out" / "train").exists()


def test_a_changed_golden_set_is_reported_before_landmarks_are_computed(tmp_path, write_wider, params):
    """Landmarks take minutes and the rest seconds. Loading these weights would be an error."""
    broken = tmp_path / WEIGHTS.name
    broken.write_bytes(b"no weights")
    root = write_wider(train={"a.jpg": (noise(120, 160, 1), [LINE])}, val={"b.jpg": (noise(120, 160, 2), [LINE])})
    settings = params.ingest.model_copy(update={"path": root, "landmarks": "facexlib", "landmark_weights": broken})
    outputs = (tmp_path / "out" / name for name in ("train", "golden", "quarantine.csv"))
    with pytest.raises(GoldenSetChangedError):
        ingest(settings, params.codec, *outputs, workers=1)
