"""The protocol of face detectors, and the arrays that all of them give."""

from typing import Protocol

import cv2
import numpy as np

# Maximum number of boxes that go into NMS, the highest-scoring ones. No image has more faces, and NMS is quadratic.
MAX_CANDIDATES = 2000
# Columns of detections: x y w h score, then x y of five landmarks if the network gives them.
BOX_COLUMNS, LANDMARK_COLUMNS = 5, 15


class FaceDetector(Protocol):
    """A face detector that is ready to run. A detector of your own needs these two members and no base class.

    Attributes:
        name: Its name in metrics and in the report.
    """

    name: str

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """Detect faces.

        Args:
            image: (H, W, 3) uint8, BGR. It must not be changed.
            min_score: Detections with a lower score are dropped, 0 to 1.

        Returns:
            (N, 5) float: x, y, width, height in pixels of `image`, and the score, in descending order of score; or
            (N, 15) float: the same, then x and y in pixels of the left eye, right eye, nose tip, left and right corner
            of the mouth, from the viewer's perspective (`facade.dataset.records.Face.keypoints`). All ten are NaN in
            rows without landmarks, which a union of detectors may have.
        """
        ...


def apply_nms(
    boxes: np.ndarray, scores: np.ndarray, min_score: float, iou: float, landmarks: np.ndarray | None = None
) -> np.ndarray:
    """Non-maximum suppression.

    Args:
        boxes: (N, 4) float, x y w h.
        scores: (N,) float.
        min_score: Boxes with a lower score are dropped.
        iou: IoU above which the lower-scoring of two boxes is dropped.
        landmarks: (N, 10) float, x y of five landmarks; None if there are none.

    Returns:
        (M, 5) float: kept boxes and scores, in descending order of score; (M, 15) with landmarks.
    """
    rows = np.column_stack([boxes, scores, *(() if landmarks is None else (landmarks,))]).astype(float)
    # A damaged network may give numbers that are no boxes.
    rows = rows[np.isfinite(rows[:, :BOX_COLUMNS]).all(1)]
    if len(rows) > MAX_CANDIDATES:
        rows = rows[np.argsort(-rows[:, 4], kind="stable")[:MAX_CANDIDATES]]
    if not len(rows):
        return rows
    indices = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), min_score, iou)
    return sort_by_score(rows[np.asarray(indices, np.int64).reshape(-1)])


def sort_by_score(rows: np.ndarray) -> np.ndarray:
    """Detections in descending order of score; equal scores keep their order."""
    return rows[np.argsort(-rows[:, 4], kind="stable")]


def scale_rows(rows: np.ndarray, x_scale: float, y_scale: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Detections in the pixels of another image.

    Args:
        rows: (N, 5) or (N, 15), see `FaceDetector.detect`.
        x_scale: Width of the other image over that of this one.
        y_scale: The same of the heights.
        x: Column of this image's left border in the other one, pixels.
        y: Row of its upper border.
    """
    scaled = rows.astype(float)
    scaled[:, 0] = rows[:, 0] * x_scale + x
    scaled[:, 1] = rows[:, 1] * y_scale + y
    scaled[:, 2] *= x_scale
    scaled[:, 3] *= y_scale
    scaled[:, BOX_COLUMNS::2] = rows[:, BOX_COLUMNS::2] * x_scale + x
    scaled[:, BOX_COLUMNS + 1 :: 2] = rows[:, BOX_COLUMNS + 1 :: 2] * y_scale + y
    return scaled


def xyxy(rows: np.ndarray) -> np.ndarray:
    """The boxes of detections as x1 y1 x2 y2, (N, 4)."""
    return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)


def with_landmark_columns(rows: np.ndarray) -> np.ndarray:
    """The same detections in 15 columns; landmarks that are missing are NaN."""
    if rows.shape[1] == LANDMARK_COLUMNS:
        return rows
    return np.column_stack([rows, np.full((len(rows), LANDMARK_COLUMNS - BOX_COLUMNS), np.nan)])
