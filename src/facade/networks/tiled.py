"""Large photographs in overlapping tiles: small faces at full resolution, large ones in the whole picture."""

from collections.abc import Iterator

import numpy as np

from facade.dataset.iou import areas, intersections, iou_matrix
from facade.networks.protocol import BOX_COLUMNS, FaceDetector, scale_rows, sort_by_score, with_landmark_columns, xyxy
from facade.networks.resized import ResizedDetector

# Side of a tile, pixels, and its share that the next tile repeats: a face up to that height is whole in one of them.
TILE, OVERLAP = 640, 0.25
# Smallest box that is taken from the whole picture, as a share of a tile: tiles show smaller faces better, and shrunken
# ones gave as many false boxes again (docs/detectors.md).
MIN_WHOLE = OVERLAP / 2
# Pictures with a longest side up to this multiple of a tile are not tiled.
MIN_FACTOR = 2
# IoU above which two detections are one face.
NMS = 0.4
# A box that a tile cuts is a part of another one if at least this share of it lies inside.
MIN_INSIDE = 0.6
# A box that ends this close to the inner border of its tile is cut, pixels.
BORDER = 2.0


class TiledDetector:
    """A detector that sees large pictures whole, at the size of a tile, and in tiles at full resolution.

    Args:
        detector: The detector.
        tile: Side of a tile, pixels.
    """

    def __init__(self, detector: FaceDetector, tile: int = TILE) -> None:
        self.name = detector.name
        self._detector, self._tile = detector, tile
        self._whole = ResizedDetector(detector, tile)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        height, width = image.shape[:2]
        if max(height, width) <= MIN_FACTOR * self._tile:
            return self._detector.detect(image, min_score)
        found, cut = [], []
        for top in _starts(height, self._tile):
            for left in _starts(width, self._tile):
                tile = np.ascontiguousarray(image[top : top + self._tile, left : left + self._tile])
                rows = scale_rows(self._detector.detect(tile, min_score), 1, 1, left, top)
                found.append(rows)
                cut.append(_is_cut(rows, (left, top, left + tile.shape[1], top + tile.shape[0]), width, height))
        whole = self._whole.detect(image, min_score)
        found.append(whole[whole[:, 2:4].max(1, initial=0) >= MIN_WHOLE * self._tile])  # last: finer boxes win ties
        cut.append(np.zeros(len(found[-1]), bool))
        if any(rows.shape[1] > BOX_COLUMNS for rows in found):
            found = [with_landmark_columns(rows) for rows in found]
        return merge_tiles(np.concatenate(found), np.concatenate(cut))


def merge_tiles(rows: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Detections of overlapping tiles without duplicates. Whole boxes win over those that a border cuts.

    Args:
        rows: (N, 5) or (N, 15) float, see `FaceDetector.detect`, in any order.
        cut: (N,) bool: which boxes end at a border inside of the picture.
    """
    order = np.lexsort([-rows[:, 4], cut])
    rows, cut = rows[order], cut[order]
    boxes = xyxy(rows)
    sizes = np.maximum(areas(boxes), 1e-9)
    left = np.ones(len(rows), bool)
    kept = []
    for index in range(len(rows)):
        if left[index]:
            kept.append(index)
            own = boxes[index : index + 1]
            inside = intersections(own, boxes)[0] / sizes
            left &= ~((iou_matrix(own, boxes)[0] > NMS) | (cut & (inside >= MIN_INSIDE)))
    return sort_by_score(rows[kept])


def _starts(length: int, tile: int) -> Iterator[int]:
    """First pixels of tiles along a side: evenly spread, so that they overlap by `OVERLAP` or more."""
    if length <= tile:
        yield 0
        return
    count = 1 + int(np.ceil((length - tile) / (tile * (1 - OVERLAP))))
    for number in range(count):
        yield round(number * (length - tile) / (count - 1))


def _is_cut(rows: np.ndarray, tile: tuple[int, int, int, int], width: int, height: int) -> np.ndarray:
    """(N,) bool: which boxes end at a border of their tile (left, top, right, bottom) that is not the picture's."""
    left, top, right, bottom = tile
    x, y, w, h = rows[:, :4].T
    return np.asarray(
        ((left > 0) & (x <= left + BORDER))
        | ((top > 0) & (y <= top + BORDER))
        | ((right < width) & (x + w >= right - BORDER))
        | ((bottom < height) & (y + h >= bottom - BORDER))
    )
