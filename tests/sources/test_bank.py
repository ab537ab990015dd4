"""A bank of pictures as a source of faces."""

import cv2
import numpy as np
import pytest

from facade.errors import FacadeError
from facade.heads import Light, Pose, draw_identity, draw_portrait
from facade.heads.bank import FaceBank, looks_right, outline
from facade.seeds import generator
from tests.conftest import SHARED

WEIGHTS = SHARED / "weights" / "detection_mobilenet0.25_Final.pth"
BANK = SHARED / "data" / "facebank-sfhq"


@pytest.fixture
def bank(tmp_path):
    """A small bank of drawn heads, with the landmarks that the renderer knows."""
    rows = ["file,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5"]
    for number, yaw in enumerate((-30, 0, 30)):
        portrait = draw_portrait(draw_identity(generator("bank", number)), Pose(yaw), Light(), 80)
        cv2.imwrite(str(tmp_path / f"{number}.png"), (portrait.pixels * 255).astype(np.uint8))
        rows.append(f"{number}.png," + ",".join(f"{value:.2f}" for value in portrait.keypoints.ravel()))
    (tmp_path / "landmarks.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("yaw", [-30, 30])
def test_a_picture_is_mirrored_towards_the_pose_asked_for(bank, yaw):
    source = FaceBank(bank, None, bank / "cache")
    for number in range(8):
        portrait = source.portrait(generator("x", number), Pose(yaw), 40)
        assert looks_right(portrait.keypoints) * yaw >= -0.5, "never looks the other way"


def test_a_large_picture_is_shrunk_towards_the_size_asked_for(bank):
    portrait = FaceBank(bank, None, bank / "cache").portrait(generator("x", 1), Pose(), 16)
    assert portrait.bbox[3] == pytest.approx(24, rel=0.2)
    assert portrait.pixels.shape[:2] == portrait.face.shape


def test_the_outline_is_near_that_of_a_drawn_head():
    """Independent oracle: the renderer's own mask."""
    for number in range(8):
        portrait = draw_portrait(draw_identity(generator("bank", number)), Pose(), Light(), 80)
        centre, half = outline(portrait.keypoints)
        x, y, w, h = portrait.bbox
        np.testing.assert_allclose(centre, (x + w / 2, y + h / 2), atol=0.12 * h)
        np.testing.assert_allclose(half, (w / 2, h / 2), rtol=0.3)


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda folder: folder.rmdir(), "no such folder"),
        (lambda folder: None, "holds no picture"),
        (lambda folder: cv2.imwrite(str(folder / "a.png"), np.zeros((8, 8, 3), np.uint8)), "no landmarks.csv"),
    ],
)
def test_a_folder_that_is_no_bank_gets_a_sentence(tmp_path, prepare, sentence):
    folder = tmp_path / "bank"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(FacadeError, match=sentence):
        FaceBank(folder, None, tmp_path / "cache")


@pytest.mark.parametrize("table", ["file\n", "file\na.png,1,2\n", "file\na.png,1,2,3,4,5,6,7,8,9,x\n"])
def test_a_malformed_table_gets_a_sentence(bank, table):
    (bank / "landmarks.csv").write_text(table)
    with pytest.raises(FacadeError, match=r"landmarks\.csv"):
        FaceBank(bank, None, bank / "cache")


def test_weights_that_are_not_facexlibs_get_a_sentence(bank):
    (bank / "landmarks.csv").unlink()
    (bank / "weights.pth").write_bytes(b"")
    with pytest.raises(FacadeError, match=r"weights\.pth, which is none of"):
        FaceBank(bank, bank / "weights.pth", bank / "cache")


@pytest.mark.skipif(not WEIGHTS.is_file() or not BANK.is_dir(), reason="facexlib's weights or a bank are not at hand")
def test_facexlib_finds_the_landmarks_once_and_they_are_kept(tmp_path):
    folder = tmp_path / "bank"
    folder.mkdir()
    for path in sorted(BANK.glob("sample_*.jpg"))[:6]:
        (folder / path.name).symlink_to(path)
    source = FaceBank(folder, WEIGHTS, tmp_path / "cache")
    (table,) = (tmp_path / "cache").glob("*.csv")
    written = table.stat().st_mtime_ns
    again = FaceBank(folder, WEIGHTS, tmp_path / "cache")
    assert table.stat().st_mtime_ns == written
    one, two = (bank.portrait(generator("x", 3), Pose(), 60) for bank in (source, again))
    np.testing.assert_allclose(one.keypoints, two.keypoints, atol=0.01)
    left_eye, right_eye, nose, left_mouth, _ = one.keypoints
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
