"""A face bank as a source of faces."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facade.errors import FacadeError
from facade.heads.light import Light
from facade.heads.pose import Pose, View
from facade.recognition import TEMPLATE
from facade.seeds import generator
from facade.sources.bank import FaceBank, mirror
from facade.sources.bank_landmarks import HEADER, TABLE, detect_landmarks, write_landmark_table
from facade.sources.bank_lookalikes import distinct_embeddings
from facade.sources.source import FaceRequest
from tests.conftest import REPOSITORY, SHARED, tree

WEIGHTS = SHARED / "weights" / "detection_mobilenet0.25_Final.pth"
RECOGNITION = SHARED / "weights" / "mobilefacenet_128d.onnx"
BANK = SHARED / "data" / "facebank-sfhq"
needs_weights = pytest.mark.skipif(
    not WEIGHTS.is_file() or not RECOGNITION.is_file() or not BANK.is_dir(),
    reason="facexlib's weights, a recognition network or a face bank is missing",
)
# A frontal face in a picture of 100 x 120 pixels, as OpenCV draws it: landmarks at pixel centers.
FRONT = np.array([(34.5, 48.5), (66.5, 48.5), (50.5, 66.5), (38.5, 82.5), (62.5, 82.5)])
# Colors (BGR) of the five landmarks, each on gray skin.
COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def drawn(turn: float, tone: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """A face of an ellipse and five spots, with the nose `turn` pixels to the right of the center."""
    picture = np.full((120, 100, 3), 40, np.uint8)
    cv2.ellipse(picture, (50, 62), (34, 50), 0, 0, 360, (tone, tone, tone), -1)
    keypoints = FRONT.copy()
    keypoints[2, 0] += turn
    for (x, y), color in zip(keypoints, COLORS, strict=True):
        cv2.circle(picture, (int(x), int(y)), 3, color, -1)
    return picture, keypoints


def write_bank(folder: Path, turns: dict[str, float]) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [HEADER]
    for name, turn in turns.items():
        picture, keypoints = drawn(turn)
        cv2.imwrite(str(folder / name), picture)
        rows.append(f"{name}," + ",".join(f"{value:.2f}" for value in keypoints.ravel()))
    (folder / TABLE).write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def bank(tmp_path):
    return write_bank(tmp_path / "bank", {"left.png": -8, "front.png": 0, "right.png": 9})


def request(keypoints: np.ndarray, size: tuple[int, int] = (120, 100), number: int = 0) -> FaceRequest:
    return FaceRequest(
        random=generator("pseudonym", 0, "a.jpg", number),
        pixels=np.full((*size, 3), 0.5, np.float32),
        mask=np.ones(size, np.float32),
        view=View(Pose(), 5, size[1] / 2, size[0] / 2),
        keypoints=np.asarray(keypoints, np.float32),
        bbox=(0, 0, size[1], size[0]),
        light=Light(),
    )


def open_bank(folder: Path) -> FaceBank:
    return FaceBank(folder, None, None, folder.parent / "cache")


def only(folder: Path, wanted: FaceRequest):
    (layer,) = open_bank(folder).render([wanted])
    return layer


def spots(pixels: np.ndarray) -> np.ndarray:
    """(5, 2) centers of the colored spots of a drawn face, by color alone."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    centres = []
    for color in COLORS:
        near = np.linalg.norm(pixels * 255 - color, axis=2) < 90
        centres.append((x[near].mean(), y[near].mean()))
    return np.array(centres)


def test_a_layer_has_the_documented_shapes_and_ranges(bank):
    layer = only(bank, request(FRONT * 0.8 + (20, 10), (131, 157)))
    assert layer.pixels.shape == (131, 157, 3)
    assert layer.alpha.shape == layer.skin.shape == (131, 157)
    assert layer.pixels.dtype == layer.alpha.dtype == np.float32
    assert layer.skin.dtype == bool
    assert 0 <= layer.pixels.min() <= layer.pixels.max() <= 1
    assert 0 == layer.alpha.min() < layer.alpha.max() == 1
    assert layer.skin.any()
    assert (layer.alpha[layer.skin] > 0.99).all()


@pytest.mark.parametrize(
    ("case", "move"),
    [
        ("as it is", lambda p: p),
        ("larger, elsewhere", lambda p: p * 1.6 + (11.3, 20.7)),
        ("smaller", lambda p: p * 0.6 + (40, 40)),
        ("tilted", lambda p: (p - 50) @ np.array([(0.87, 0.5), (-0.5, 0.87)]) + 60),
        ("wider eyes", lambda p: p + np.array([(-3, 0), (3, 0), (0, 2), (0, 0), (0, 0)])),
        ("a crooked mouth", lambda p: p + np.array([(0, 0), (0, 0), (0, -2), (0, 3), (0, -3)])),
    ],
)
def test_landmarks_are_warped_onto_their_targets(tmp_path, case, move):
    wanted = move(FRONT)
    layer = only(write_bank(tmp_path / "bank", {"a.png": 0}), request(wanted, (220, 200)))
    np.testing.assert_allclose(spots(layer.pixels), wanted, atol=0.5, err_msg=case)


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("corners of the mouth swapped", FRONT[[0, 1, 2, 4, 3]]),
        ("the nose below the mouth", FRONT + np.array([(0, 0), (0, 0), (0, 26), (0, 0), (0, 0)])),
        ("the nose above the eyes", FRONT + np.array([(0, 0), (0, 0), (0, -30), (0, 0), (0, 0)])),
        ("one eye", FRONT[[0, 0, 2, 3, 4]]),
    ],
)
def test_a_face_never_folds(tmp_path, case, wanted):
    """In a picture whose blue is x and whose green is y, the sign of the Jacobian shows folds."""
    folder = write_bank(tmp_path / "bank", {"a.png": 0})
    y, x = np.mgrid[:120, :100]
    cv2.imwrite(str(folder / "a.png"), np.dstack([2 * x, 2 * y, 0 * x]).astype(np.uint8))
    layer = only(folder, request(wanted))
    source = layer.pixels[..., :2].astype(float)
    down, across = np.gradient(cv2.blur(source, (5, 5)), axis=(0, 1))
    turned = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    assert (turned[layer.alpha > 0.95] > 0).all(), case


@pytest.mark.parametrize(("turn", "file"), [(-8, "left.png"), (0, "front.png"), (9, "right.png"), (14, "right.png")])
def test_the_picture_nearest_in_pose_is_chosen(bank, turn, file):
    source = open_bank(bank)
    for number in range(5):
        chosen, mirrored = source.choose(generator("x", number), drawn(turn)[1])
        assert source._files[chosen] == file
        assert not mirrored


def test_a_picture_is_mirrored_if_that_is_nearer_in_pose(tmp_path):
    folder = write_bank(tmp_path / "bank", {"right.png": 8})
    wanted = drawn(-8)[1]
    layer = only(folder, request(wanted))
    assert open_bank(folder).choose(generator("x", 0), wanted) == (0, True)
    # Mirroring swaps sides: the right eye (green) is on the left.
    np.testing.assert_allclose(spots(layer.pixels)[[1, 0, 2, 4, 3]], wanted, atol=0.7)


def test_mirroring_twice_is_the_identity():
    picture, keypoints = drawn(5)
    again = mirror(*mirror(picture, keypoints))
    assert (again[0] == picture).all()
    np.testing.assert_allclose(again[1], keypoints)


def test_the_choice_depends_on_the_request_alone(tmp_path):
    """Not on the order of requests, nor on the order of the table."""
    turns = {f"{number}.png": number % 7 - 3 for number in range(60)}
    one = write_bank(tmp_path / "one", turns)
    two = write_bank(tmp_path / "two", dict(reversed(turns.items())))
    requests = [request(FRONT, number=number) for number in range(12)]
    forward = list(open_bank(one).render(requests))
    backward = list(open_bank(two).render([request(FRONT, number=number) for number in reversed(range(12))]))[::-1]
    for a, b in zip(forward, backward, strict=True):
        assert (a.pixels == b.pixels).all()
        assert (a.alpha == b.alpha).all()
    source = open_bank(one)
    assert len({source.choose(generator("x", number), FRONT)[0] for number in range(40)}) > 4


def test_a_layer_is_transparent_beyond_the_border_of_its_picture(tmp_path):
    """The picture ends at the chin; a taller copy shows where the face would have been."""
    folder = write_bank(tmp_path / "bank", {"a.png": 0})
    whole = only(folder, request(FRONT))
    cv2.imwrite(str(folder / "a.png"), drawn(0)[0][:90])
    cut = only(folder, request(FRONT))
    assert (whole.alpha[91:] > 0.9).any()
    assert (cut.alpha[90:] == 0).all()
    np.testing.assert_allclose(cut.alpha[:75], whole.alpha[:75], atol=1e-6)


def test_a_small_face_is_downscaled_without_aliasing(tmp_path):
    """Alternating black and white columns average to gray; without a filter they would alias."""
    folder = tmp_path / "bank"
    folder.mkdir()
    stripes = np.zeros((960, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    cv2.imwrite(str(folder / "a.png"), stripes)
    numbers = ",".join(str(value) for value in (FRONT * 8).ravel())
    (folder / TABLE).write_text(f"{HEADER}\na.png,{numbers}\n")
    layer = only(folder, request(FRONT * 0.3, (36, 30)))
    inside = layer.pixels[layer.alpha > 0.99]
    assert len(inside) > 50
    assert np.abs(inside - 0.5).max() < 0.03


@pytest.mark.parametrize("turn", [-9, 0, 9])
def test_the_face_is_covered_from_ear_to_ear_and_nothing_else(tmp_path, turn):
    """The near side of a turned face extends farther from its landmarks than the far side."""
    wanted = drawn(turn)[1]
    alpha = only(write_bank(tmp_path / "bank", {"a.png": turn}), request(wanted, (160, 140))).alpha
    for x, y in wanted.astype(int):
        assert alpha[y, x] > 0.9, "every landmark is covered"
    columns = np.flatnonzero(alpha[65] > 0.5)
    middle = 50.5
    near, far = middle - columns[0], columns[-1] - middle
    assert (near > far + 3) if turn > 0 else (far > near + 3) if turn < 0 else abs(near - far) <= 2
    assert alpha[:, 120:].max() == 0


def test_tiny_and_distorted_faces_are_warped_without_errors(bank):
    source = open_bank(bank)
    random = np.random.default_rng(0)
    for number in range(60):
        scale = random.uniform(0.02, 1)
        wild = (FRONT + random.normal(0, 8, (5, 2))) * scale
        (layer,) = source.render([request(wild, (40, 40), number)])
        assert np.isfinite(layer.pixels).all()
        assert np.isfinite(layer.alpha).all()
        assert layer.alpha.max() <= 1


def test_a_row_without_numbers_leaves_a_picture_out(bank):
    lines = (bank / TABLE).read_text().splitlines()
    (bank / TABLE).write_text("\n".join([lines[0], "left.png", "front.png" + "," * 10, lines[3]]) + "\n")
    source = open_bank(bank)
    assert {source._files[source.choose(generator("x", number), FRONT)[0]] for number in range(9)} == {"right.png"}


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (shutil.rmtree, "bank is .*, which does not exist"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "has no pictures"),
        (lambda folder: (folder / "front.png").unlink(), r"names 1 missing pictures, the first of which is front\.png"),
        (
            lambda folder: (folder / TABLE).write_bytes(b"file\n\xff\xfe\n"),
            r"csv is not a readable CSV table",
        ),
        (
            lambda folder: (folder / TABLE).write_text("file\nleft.png,1,2\n"),
            r"csv, line 2, must have a path",
        ),
        (lambda folder: (folder / TABLE).write_text("file\nleft.png,1,2,3,4,5,6,7,8,9,x\n"), r"landmarks\.csv, line 2"),
        (
            lambda folder: (folder / TABLE).write_text("file\nleft.png" + ",7" * 10),
            r"line 2: .*\(eyes and mouth coincide\)",
        ),
        (
            lambda folder: (folder / TABLE).write_text("file\nleft.png" + ",nan" * 10),
            r"line 2: .*\(eyes and mouth coincide\)",
        ),
        (
            lambda folder: (folder / TABLE).write_text("file\nleft.png\nfront.png\nright.png\n"),
            "in no picture of the bank",
        ),
    ],
)
def test_a_folder_that_is_not_a_bank_is_reported(bank, prepare, message):
    prepare(bank)
    with pytest.raises(FacadeError, match=message):
        open_bank(bank)


def test_a_damaged_picture_is_reported(bank):
    for name in ("left.png", "front.png", "right.png"):
        (bank / name).write_bytes(b"no picture")
    with pytest.raises(FacadeError, match=r"the bank picture .* cannot be read .* Remove or replace it"):
        only(bank, request(FRONT))


def test_missing_or_foreign_weights_are_reported(bank, tmp_path):
    (bank / TABLE).unlink()
    with pytest.raises(FacadeError, match=r"synthesize\.bank_weights is .*, which does not exist"):
        FaceBank(bank, tmp_path / "gone.pth", None, tmp_path / "cache")
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(FacadeError, match=r"weights\.pth does not have one of facexlib's file names"):
        FaceBank(bank, tmp_path / "weights.pth", None, tmp_path / "cache")


def test_an_invalid_recognition_network_is_reported(bank, tmp_path):
    with pytest.raises(FacadeError, match=r"synthesize\.bank_recognition is .*, which does not exist"):
        FaceBank(bank, None, tmp_path / "gone.onnx", tmp_path / "cache")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(FacadeError, match="which OpenCV cannot read as ONNX"):
        FaceBank(bank, None, tmp_path / "bad.onnx", tmp_path / "cache")


@pytest.mark.parametrize("seed", range(3))
def test_kept_embeddings_are_distinct_and_dropped_ones_resemble_an_earlier_one(seed):
    random = np.random.default_rng(seed)
    embeddings = random.standard_normal((200, 4)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    kept = distinct_embeddings(embeddings, 0.7)
    cosines = embeddings @ embeddings.T
    assert kept[0] == 0
    assert len(kept) < 200
    for number in range(200):
        before = [other for other in kept if other < number]
        resembles = any(cosines[number, other] >= 0.7 for other in before)
        assert resembles == (number not in kept)


def copied(folder: Path, first: int, last: int) -> None:
    folder.mkdir(exist_ok=True)
    for path in sorted(BANK.glob("*.jpg"))[first:last]:
        shutil.copyfile(path, folder / path.name)


@needs_weights
def test_detected_landmarks_are_cached_the_bank_is_unchanged_and_new_pictures_are_added(tmp_path, monkeypatch):
    folder, cache = tmp_path / "bank", tmp_path / "cache"
    copied(folder, 0, 5)
    before = tree(folder)
    one = FaceBank(folder, WEIGHTS, None, cache)
    assert tree(folder) == before
    assert len(one._files) == 5
    for left_eye, right_eye, nose, left_mouth, right_mouth in one._keypoints:
        assert left_eye[0] < nose[0] < right_eye[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    searched = []

    def counted(network, picture):
        searched.append(picture.shape)
        return detect_landmarks(network, picture)

    monkeypatch.setattr("facade.sources.bank_landmarks.detect_landmarks", counted)
    two = FaceBank(folder, WEIGHTS, None, cache)
    assert searched == []
    assert (one._keypoints == two._keypoints).all()
    copied(folder, 5, 6)
    cv2.imwrite(str(folder / "empty.png"), np.full((200, 200, 3), 90, np.uint8))
    three = FaceBank(folder, WEIGHTS, None, cache)
    assert len(searched) == 2
    assert len(three._files) == 6
    assert "empty.png" not in three._files


@needs_weights
def test_landmarks_of_an_existing_table_are_used_and_the_others_detected(tmp_path):
    folder, cache = tmp_path / "bank", tmp_path / "cache"
    copied(folder, 0, 3)
    first, second, third = sorted(path.name for path in folder.iterdir())
    own = np.arange(10.0).reshape(5, 2) * 3
    (folder / TABLE).write_text(f"{HEADER}\n{second}," + ",".join(map(str, own.ravel())) + f"\n{third}\n")
    bank = FaceBank(folder, WEIGHTS, None, cache)
    assert bank._files == [first, second]
    np.testing.assert_allclose(bank._keypoints[1], own)


@needs_weights
def test_the_command_writes_the_table_into_the_bank(tmp_path):
    folder = tmp_path / "bank"
    copied(folder, 0, 3)
    cv2.imwrite(str(folder / "empty.png"), np.full((200, 200, 3), 90, np.uint8))
    before = FaceBank(folder, WEIGHTS, None, tmp_path / "cache")
    command = [sys.executable, "-m", "facade", "bank", str(folder), "--weights", str(WEIGHTS)]
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "landmarks of 3 pictures; 1 are left out" in done.stdout
    written = (folder / TABLE).read_bytes()
    after = FaceBank(folder, tmp_path / "no weights.pth", None, tmp_path / "another cache")
    assert after._files == before._files
    assert (after._keypoints == before._keypoints).all()
    assert write_landmark_table(folder, WEIGHTS, tmp_path / "cache") == (3, 1)
    assert (folder / TABLE).read_bytes() == written


@needs_weights
def test_look_alikes_are_reduced_to_one_picture(tmp_path, capsys):
    folder, cache = tmp_path / "bank", tmp_path / "cache"
    copied(folder, 0, 4)
    for path in sorted(folder.iterdir())[:2]:
        picture = cv2.imread(str(path))
        darker = (cv2.resize(picture, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA) * 0.8).astype(np.uint8)
        cv2.imwrite(str(folder / f"z-{path.stem}.png"), darker)
    bank = FaceBank(folder, WEIGHTS, RECOGNITION, cache)
    assert not any(file.startswith("z-") for file in bank._files)
    assert "2 of 6 pictures resemble another" in capsys.readouterr().out
    assert FaceBank(folder, WEIGHTS, RECOGNITION, cache)._files == bank._files


@needs_weights
def test_facexlib_finds_the_landmarks_of_a_warped_face_at_their_targets(tmp_path):
    """Independent oracle: facexlib's detector on the layer."""
    from facade.retinaface import retinaface

    folder = tmp_path / "bank"
    copied(folder, 0, 12)
    source = FaceBank(folder, WEIGHTS, None, tmp_path / "cache")
    for number in range(4):
        wanted = request(TEMPLATE * 1.5 + (46, 30), (260, 260), number)
        (layer,) = source.render([wanted])
        seen = layer.pixels * layer.alpha[..., None] + wanted.pixels * (1 - layer.alpha[..., None])
        face = retinaface(WEIGHTS).detect((seen * 255).round().astype(np.uint8), 0.5)[0]
        np.testing.assert_allclose(face.keypoints, wanted.keypoints, atol=7)
