"""Face parsing by facexlib's BiSeNet, with random weights."""

import numpy as np
import pytest
import torch
from facexlib.parsing.bisenet import BiSeNet

from facade.anonymize.occluder import occluder_mask
from facade.errors import FacadeError
from facade.heads import Pose, View
from facade.heads.fit import mean_head
from facade.parsing import BACKGROUND, FaceParser, face_parser
from tests.conftest import noise


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "parsing_bisenet.pth"
    torch.save(BiSeNet(num_class=19).state_dict(), path)
    return path


def test_every_pixel_around_the_face_gets_a_class_deterministically(weights):
    view = View.of_face(Pose(), 60, 50, 50)
    points = view.project(mean_head().landmarks)
    parts = face_parser(weights).parts(noise(100, 100), points)
    assert parts.shape == (100, 100)
    assert set(np.unique(parts)) <= {*range(19), 255}
    assert (parts[20:80, 20:80] < 19).all()
    np.testing.assert_array_equal(parts, FaceParser(weights).parts(noise(100, 100), points))


def test_background_in_front_of_the_face_is_kept_unless_it_hides_a_landmark():
    class Below:
        """Labels everything below a row as background."""

        def __init__(self, row):
            self.row = row

        def parts(self, picture, keypoints):
            parts = np.ones(picture.shape[:2], np.uint8)
            parts[self.row :] = BACKGROUND
            return parts

    view = View.of_face(Pose(), 60, 50, 50)
    points = view.project(mean_head().landmarks)
    picture, bbox = np.full((100, 100, 3), 120, np.uint8), (26, 20, 48, 60)
    mouth = int(points[3:, 1].max())
    front = occluder_mask(picture, view, points, bbox, Below(mouth + 6))
    assert front[mouth + 12 : mouth + 15, 45:55].all()
    assert not front[: mouth + 6].any()
    for row in (60, mouth - 3):
        assert not occluder_mask(picture, view, points, bbox, Below(row)).any()


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_a_file_that_is_not_a_parser_is_reported(tmp_path, content):
    path = tmp_path / "w.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FacadeError, match="parsing_weights"):
        FaceParser(path)
