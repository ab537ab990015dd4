"""Five landmarks of a detected face, by a small network that has never seen a real face.

Trained on rendered heads alone (`facade experiment landmarks`); the weights are part of the package. Its model card is
`docs/landmarks.md`.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from facade.dataset.pixels import mirrored_points
from facade.networks.protocol import BOX_COLUMNS, LANDMARK_COLUMNS

WEIGHTS = Path(__file__).parent / "weights" / "landmarks.onnx"
# Side of the network's input, pixels, and side of the square that it sees, in sides of the box: hair and neck tell
# where a face ends, and a detector's box may be a third too small.
INPUT, CONTEXT = 64, 1.5
# Confidence (that the mean error is below 6 % of the box) from which landmarks are used. Below, a face counts as having
# none, and is held by its box. Low, because rough landmarks of a profile are better than none: on real faces those of
# confidence .05 to .2 are off by .13, and a frontal face in the box by .23 (docs/landmarks.md).
MIN_CONFIDENCE = 0.05


def find_landmarks(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks of detected faces.

    Args:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) float, x y w h in pixels; may reach over the border.

    Returns:
        (N, 5, 2) float: left eye, right eye, nose tip, left and right corner of the mouth, left and right in the
        image, x y in pixels; and (N,) float, the confidence that they are right, 0 to 1.
    """
    if not len(boxes):
        return np.zeros((0, 5, 2)), np.zeros(0)
    squares = [_square(image, box) for box in boxes]
    pixels = standardized(np.stack([square for square, _ in squares]))
    # The mean of each square and its mirror image.
    output = _session().run(["landmarks"], {"faces": np.concatenate([pixels, pixels[..., ::-1]])[:, None]})[0]
    plain, mirrored = output[: len(boxes)].astype(float), output[len(boxes) :].astype(float)
    # Relative to the square: 0 is its left or upper edge, 1 the other one.
    points = plain[:, :10].reshape(-1, 5, 2)
    flipped = np.stack([mirrored_points(one, 1) for one in mirrored[:, :10].reshape(-1, 5, 2)])
    corners = np.array([[x, y, side] for _, (x, y, side) in squares])
    confidence = (plain[:, 10] + mirrored[:, 10]) / 2
    return (points + flipped) / 2 * corners[:, None, 2:] + corners[:, None, :2], confidence


def with_landmarks(image: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Complete detections by landmarks: the detector's own where it has them, else the network's.

    Args:
        image: (H, W, 3) uint8, BGR.
        rows: (N, 5) float, x y w h in pixels and score, or (N, 15), with five landmarks x y; NaN where there are none.

    Returns:
        (N, 15) float. NaN where neither the detector nor the network, from `MIN_CONFIDENCE` on, has landmarks.
    """
    complete = np.full((len(rows), LANDMARK_COLUMNS), np.nan)
    complete[:, : rows.shape[1]] = rows
    bare = np.isnan(complete[:, BOX_COLUMNS:]).any(1)
    points, confidence = find_landmarks(image, complete[bare, :4])
    points[confidence < MIN_CONFIDENCE] = np.nan
    complete[bare, BOX_COLUMNS:] = points.reshape(-1, 10)
    return complete


def standardized(pixels: np.ndarray) -> np.ndarray:
    """Gray squares with mean 0 and standard deviation 1, float32, as the network takes them."""
    values = pixels.astype(np.float32)
    values = values - values.mean((-2, -1), keepdims=True)
    return values / np.maximum(values.std((-2, -1), keepdims=True), 1.0)


def _square(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The gray square around a box at the network's resolution, (INPUT, INPUT); its corner and side in pixels."""
    x, y, w, h = map(float, box)
    side = CONTEXT * max(w, h)
    left, top = x + (w - side) / 2, y + (h - side) / 2
    rows = slice(int(max(np.floor(top) - 1, 0)), int(min(np.ceil(top + side) + 2, image.shape[0])))
    columns = slice(int(max(np.floor(left) - 1, 0)), int(min(np.ceil(left + side) + 2, image.shape[1])))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return np.zeros((INPUT, INPUT), np.uint8), (left, top, side)
    gray = cv2.cvtColor(image[rows, columns], cv2.COLOR_BGR2GRAY)
    # Large faces are averaged down first: a warp alone would skip pixels.
    shrink = min(1.0, 1.5 * INPUT / side)
    small = gray
    if shrink < 1:
        size = (max(1, round(gray.shape[1] * shrink)), max(1, round(gray.shape[0] * shrink)))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    scale = np.array([small.shape[1] / gray.shape[1], small.shape[0] / gray.shape[0]])
    # From a pixel center of the square to one of the picture.
    step = side / INPUT * scale
    start = (np.array([left - columns.start, top - rows.start]) * scale) + step / 2 - 0.5
    transform = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(small, transform, (INPUT, INPUT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return warped, (left, top, side)


@lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    """The network on one CPU thread: workers share the cores, and floating-point sums are equal everywhere."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(WEIGHTS), options, providers=["CPUExecutionProvider"])
