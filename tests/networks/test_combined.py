"""Detectors joined, and large pictures in tiles."""

import cv2
import numpy as np
import pytest

from facade.networks.joined import JoinedDetector, from_common, join_detectors, to_common, union
from facade.networks.resized import ResizedDetector
from facade.networks.tiled import TiledDetector, merge_tiles


class Fixed:
    """A detector with the same detections in every picture."""

    def __init__(self, name: str, rows: list) -> None:
        self.name = name
        self.rows = np.array(rows, float)
        self.asked: list[float] = []

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        self.asked.append(min_score)
        rows = self.rows[self.rows[:, 4] >= min_score]
        return rows[np.argsort(-rows[:, 4], kind="stable")]


class Blobs:
    """Detects bright shapes of at least eight pixels, and sees nothing beyond the picture that it is given."""

    name = "blobs"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        self.shapes.append(image.shape[:2])
        _, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 1] > 100).astype(np.uint8))
        boxes = stats[1:, :4][(stats[1:, 2:4] >= 8).all(1)].astype(float)
        return np.column_stack([boxes, np.full(len(boxes), 0.9)])


IMAGE = np.zeros((40, 60, 3), np.uint8)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.83])
def test_each_detectors_threshold_becomes_one_half_and_order_stays(threshold):
    scores = np.linspace(0, 1, 101)
    common = to_common(scores, threshold)
    assert to_common(threshold, threshold) == pytest.approx(0.5)
    assert (np.diff(common) > 0).all()
    assert (common[0], common[-1]) == (0, 1)
    # Independently: two straight lines through (0, 0), (threshold, .5) and (1, 1).
    below = scores < threshold
    np.testing.assert_allclose(common[below], scores[below] / threshold / 2)
    np.testing.assert_allclose(common[~below], 0.5 + (scores[~below] - threshold) / (1 - threshold) / 2)
    np.testing.assert_allclose([from_common(one, threshold) for one in common], scores, atol=1e-12)


def test_a_union_holds_every_detectors_faces_once_and_asks_each_at_its_own_threshold():
    strict = Fixed("strict", [[0, 0, 10, 10, 0.8], [30, 0, 10, 10, 0.7]])  # its threshold is .75
    loose = Fixed("loose", [[1, 0, 10, 10, 0.3], [15, 20, 8, 8, 0.25], [45, 20, 8, 8, 0.1]])  # its own is .2
    joined = join_detectors([strict, loose], [0.75, 0.2])
    assert joined.name == "strict + loose"
    found = joined.detect(IMAGE, 0.5)
    assert (strict.asked, loose.asked) == ([pytest.approx(0.75)], [pytest.approx(0.2)])
    np.testing.assert_allclose(found[:, :4], [[0, 0, 10, 10], [15, 20, 8, 8]])
    np.testing.assert_allclose(found[:, 4], [0.6, 0.5 + 0.05 / 0.8 / 2])
    # Candidates below the threshold, which may continue a track, are on the same scale.
    assert len(joined.detect(IMAGE, 0.2)) == 4


def test_a_single_detector_keeps_its_own_scores():
    one = Fixed("one", [[0, 0, 10, 10, 0.8]])
    assert join_detectors([one], [0.3]) is one


def test_a_kept_box_without_landmarks_takes_those_of_its_duplicate():
    points = np.arange(10.0)
    boxes = Fixed("boxes", [[0, 0, 10, 10, 0.9], [30, 0, 10, 10, 0.9]])
    marks = Fixed("marks", [[1, 0, 10, 10, 0.8, *points], [15, 20, 8, 8, 0.7, *points + 1]])
    found = JoinedDetector([boxes, marks], [0.5, 0.5]).detect(IMAGE, 0.5)
    assert found.shape == (3, 15)
    np.testing.assert_array_equal(found[0, :4], [0, 0, 10, 10])
    np.testing.assert_array_equal(found[0, 5:], points)
    assert np.isnan(found[1, 5:]).all()  # only the detector without landmarks has this face
    np.testing.assert_array_equal(found[2, 5:], points + 1)
    assert JoinedDetector([boxes, boxes], [0.5, 0.5]).detect(IMAGE, 0.5).shape == (2, 5)
    assert JoinedDetector([boxes, marks], [0.5, 0.5]).detect(IMAGE, 1.0).shape == (0, 15)


def test_a_union_of_the_boxes_of_one_detector_is_opencvs_nms():
    random = np.random.default_rng(1)
    rows = np.column_stack(
        [random.uniform(0, 100, (200, 2)), random.uniform(10, 40, (200, 2)), random.uniform(0, 1, 200)]
    )
    kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), 0.0, 0.4)
    np.testing.assert_array_equal(union(rows, 0.4), rows[np.asarray(kept).reshape(-1)])


def faces(*boxes):
    image = np.zeros((1920, 2560, 3), np.uint8)
    for x, y, w, h in boxes:
        image[y : y + h, x : x + w] = 200
    return image


# At borders and corners of tiles, which start every 480 pixels in a row and every 427 in a column; and in all corners.
SMALL = [
    (470, 300, 20, 20),
    (630, 640, 20, 24),
    (955, 850, 30, 30),
    (0, 0, 12, 12),
    (2540, 1900, 20, 20),
    (1500, 1277, 90, 80),
]
LARGE = (1300, 300, 700, 900)


def test_tiles_find_each_face_once_and_whole():
    detector = Blobs()
    found = TiledDetector(detector).detect(faces(*SMALL, LARGE), 0.5)
    sizes = found[:, 2:4].prod(1)
    np.testing.assert_allclose(found[np.argmax(sizes), :4], LARGE, atol=4)  # seen in the whole picture, at a fourth
    small = found[sizes < 20000, :4]
    assert sorted(map(tuple, small.astype(int))) == sorted(SMALL)
    assert len(found) == len(SMALL) + 1
    assert detector.shapes[-1] == (480, 640)
    assert set(detector.shapes[:-1]) == {(640, 640)}
    assert len(detector.shapes) == 1 + 5 * 4
    # The whole picture alone has the small ones below what the detector sees.
    assert len(ResizedDetector(Blobs(), 640).detect(faces(*SMALL), 0.5)) == 1


def test_small_boxes_of_the_shrunken_picture_are_left_to_the_tiles():
    class Speckled(Blobs):
        def detect(self, image, min_score):
            rows = super().detect(image, min_score)
            if image.shape[:2] == (480, 640):  # of what is shrunk, it sees faces that are not there
                rows = np.concatenate([rows, [[100, 100, 10, 12, 0.95], [300, 300, 40, 40, 0.95]]])
            return rows

    found = TiledDetector(Speckled()).detect(faces((1500, 60, 20, 20)), 0.5)
    np.testing.assert_allclose(found[:, :4], [[1200, 1200, 160, 160], [1500, 60, 20, 20]])


def test_pictures_up_to_twice_a_tile_are_not_tiled():
    detector = Blobs()
    image = faces((10, 10, 20, 20))[:900, :1280]
    assert len(TiledDetector(detector).detect(image, 0.5)) == 1
    assert detector.shapes == [(900, 1280)]


def test_a_whole_box_wins_over_a_higher_scoring_cut_one_and_cut_ones_alone_stay():
    rows = np.array([[0, 0, 50, 100, 0.9], [0, 0, 100, 100, 0.6], [300, 0, 50, 50, 0.5]])
    kept = merge_tiles(rows, np.array([True, False, True]))
    np.testing.assert_array_equal(kept, rows[[1, 2]])
    # Of whole boxes, the higher score wins, and a small face in front of a large one stays.
    rows = np.array([[0, 0, 100, 100, 0.6], [5, 0, 100, 100, 0.9], [20, 20, 10, 10, 0.7]])
    np.testing.assert_array_equal(merge_tiles(rows, np.zeros(3, bool)), rows[[1, 2]])
    assert merge_tiles(np.zeros((0, 5)), np.zeros(0, bool)).shape == (0, 5)


def test_landmarks_of_tiles_are_in_the_pixels_of_the_picture():
    class Marked(Blobs):
        def detect(self, image, min_score):
            rows = super().detect(image, min_score)
            return np.column_stack([rows, np.tile(rows[:, :2], 5)])  # all five in the upper left corner

    found = TiledDetector(Marked()).detect(faces((1000, 1400, 20, 20)), 0.5)
    np.testing.assert_allclose(found, [[1000, 1400, 20, 20, 0.9, *[1000, 1400] * 5]])
