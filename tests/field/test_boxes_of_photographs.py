"""Boxes that were made for another view of a photograph: unturned, smaller, larger. No face may stay visible."""

import io

import numpy as np
import pytest
from PIL import Image

from facade.dataset.orientation import Stored
from facade.dataset.pixels import decode, upright_pixels, upright_points
from facade.errors import FacadeError
from facade.footage.labelled_boxes import LabelledBoxes, read_boxes
from facade.footage.run_record import RUN_RECORD
from tests.conftest import noise
from tests.field.cases import anonymize, case, coverage, write_boxes

STORED = noise(120, 160)
BOXES = np.array([[10.0, 12, 30, 36], [100, 60, 40, 50]])  # in the picture as stored


def turned(path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    Image.fromarray(STORED[..., ::-1]).save(content, "PNG", exif=exif)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getvalue())


def as_shown(orientation):
    corners = upright_points(np.concatenate([BOXES[:, :2], BOXES[:, :2] + BOXES[:, 2:]]), (160, 120), orientation)
    low, high = np.minimum(corners[:2], corners[2:]), np.maximum(corners[:2], corners[2:])
    return np.concatenate([low, high - low], axis=1)


def hidden(folder, orientation):
    before, after = upright_pixels(STORED, orientation), decode((folder / "a.png").read_bytes(), 1).pixels
    return [coverage(before, after, box) for box in as_shown(orientation)]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("kind", ["as stored", "as shown", "as stored, half size", "as shown, 4 times the size"])
def test_the_stated_size_tells_what_boxes_of_a_turned_photograph_are_for(tmp_path, orientation, kind):
    turned(tmp_path / "in/a.png", orientation)
    scale = 0.5 if "half" in kind else 4 if "4 times" in kind else 1
    boxes, size = (BOXES, (160, 120)) if "stored" in kind else (as_shown(orientation), (120, 160))
    file = write_boxes(tmp_path / "b.json", "a.png", boxes * scale, (int(scale * size[0]), int(scale * size[1])))
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", file) == 0
    assert min(hidden(tmp_path / "out", orientation)) == 1


@pytest.mark.parametrize("orientation", [2, 3, 4])
@pytest.mark.parametrize("size", [None, (160, 120)])
def test_boxes_that_could_be_for_either_view_are_refused(tmp_path, orientation, size, capsys):
    turned(tmp_path / "in/a.png", orientation)
    file = write_boxes(tmp_path / "b.json", "a.png", BOXES, size)
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", file) == 1
    assert f"EXIF orientation {orientation}" in capsys.readouterr().err
    assert not (tmp_path / "out/a.png").exists()


@pytest.mark.parametrize(("view", "expected"), [((160, 120), "stored"), ((120, 160), "upright")])
def test_another_photograph_of_the_same_file_tells(tmp_path, view, expected):
    (tmp_path / "in").mkdir()
    boxes = LabelledBoxes(
        {("a.png", 0): BOXES, ("b.png", 0): BOXES}, frozenset({"a.png", "b.png"}), tmp_path,
        {("a.png", 0): (160.0, 120.0), ("b.png", 0): view},
    )  # fmt: skip
    settled = boxes.settled([("a.png", Stored((160, 120), 3)), ("b.png", Stored((160, 120), 6))])
    moved = settled.placed("a.png", Stored((160, 120), 3), video=False).boxes["a.png", 0]
    np.testing.assert_allclose(moved, as_shown(3) if expected == "stored" else BOXES)


def test_photographs_that_contradict_each_other_are_refused(tmp_path):
    names = ("a.png", "b.png")
    sizes = {("a.png", 0): (160.0, 120.0), ("b.png", 0): (120.0, 160.0)}
    boxes = LabelledBoxes({(name, 0): BOXES for name in names}, frozenset(names), tmp_path, sizes)
    with pytest.raises(FacadeError, match=r"a\.png for the picture as stored, but those of b\.png"):
        boxes.settled([(name, Stored((160, 120), 6)) for name in names])


@pytest.mark.parametrize(
    ("box", "size", "message"),
    [
        ([200, 10, 30, 30], None, "outside of its 160x120 pixels"),
        ([10, 130, 30, 30], (160, 120), "outside of its 160x120 pixels"),
        ([-40, 10, 30, 30], None, "outside of its 160x120 pixels"),
        ([10, 10, 30, 30], (640, 640), "gives a.png the size 640x640, but it has 160x120 pixels"),
        ([10, 10, 30, 30], (120, 160), "gives a.png the size 120x160"),
    ],
)
def test_boxes_that_miss_the_photograph_are_refused(tmp_path, capsys, box, size, message):
    turned(tmp_path / "in/a.png", 1)
    file = write_boxes(tmp_path / "b.json", "a.png", [BOXES[0], box], size)
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", file) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").glob("*")] == [RUN_RECORD]


def test_exempt_boxes_are_moved_like_boxes_of_faces(tmp_path):
    """Otherwise a consent would show somebody else's face."""
    turned(tmp_path / "in/a.png", 6)
    file = write_boxes(tmp_path / "b.json", "a.png", as_shown(6), (120, 160))
    exempt = write_boxes(tmp_path / "e.json", "a.png", BOXES[:1], (160, 120))
    assert anonymize(tmp_path / "in", tmp_path / "out", "--boxes", file, "--exempt", exempt) == 0
    assert hidden(tmp_path / "out", 6) == [0, 1]


@pytest.mark.parametrize("spelling", ["deep\\a\u0308.png", "./deep/a\u0308.png", "deep/\u00e4.png"])
def test_names_as_windows_and_macos_write_them_are_found(tmp_path, spelling):
    name = "deep/\u00e4.png" if "\u0308" in spelling else "deep/a\u0308.png"
    boxes = read_boxes(write_boxes(tmp_path / "b.json", spelling, BOXES))
    boxes.check_names([name])
    np.testing.assert_array_equal(boxes.placed(name, Stored((160, 120), 1), video=False).boxes[name, 0], BOXES)


@pytest.mark.parametrize("name", ["anonymize-boxes-exif", "anonymize-boxes-size"])
def test_the_cases_reported(tmp_path, name):
    folder = case(name)
    assert anonymize(folder / "in", tmp_path / "out", "--boxes", folder / "boxes.json") == 0
    content = (folder / "in/a.jpg").read_bytes()
    decoded = decode(content, 1)
    boxes = read_boxes(folder / "boxes.json").placed("a.jpg", Stored(decoded.stored, decoded.orientation), video=False)
    after = decode((tmp_path / "out/a.jpg").read_bytes(), 1).pixels
    rows = boxes.boxes["a.jpg", 0]
    assert len(rows) == 4
    for box in rows:
        x, y, w, h = box
        x, y = max(x, 0), max(y, 0)
        core = after[round(y + h / 4) : round(y + h / 2), round(x + w / 4) : round(x + w / 2)]
        assert core.std() < 12  # a blank, but for JPEG


@pytest.mark.parametrize("orientation", range(1, 9))
def test_landmarks_move_with_their_boxes_and_keep_left_and_right(tmp_path, orientation):
    """Each landmark is a pixel of its own value; a mirror image makes the left eye the right one."""
    points = np.array([(40, 30), (60, 31), (50, 40), (42, 52), (58, 50)])
    pixels = np.zeros((120, 160, 1), np.uint8)
    for value, (x, y) in enumerate(points, 1):
        pixels[y, x] = value
    boxes = LabelledBoxes(
        {("a.png", 0): np.array([[30.0, 20, 40, 50]])}, frozenset({"a.png"}), tmp_path, convention="stored",
        keypoints={("a.png", 0): (points + 0.5).reshape(1, 10)},
    )  # fmt: skip
    moved = boxes.placed("a.png", Stored((160, 120), orientation), video=False).keypoints["a.png", 0].reshape(5, 2)
    upright = upright_pixels(pixels, orientation)[..., 0]
    order = [2, 1, 3, 5, 4] if orientation in (2, 4, 5, 7) else [1, 2, 3, 4, 5]
    for value, (x, y) in zip(order, moved, strict=True):
        assert upright[int(y), int(x)] == value
