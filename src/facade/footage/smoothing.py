"""Smooth a face along its track: box, landmarks and appearance, without delay, from frames before and after.

A detector's boxes and landmarks, and the light measured in each frame, jitter from frame to frame. A pseudonym that
follows them trembles and flickers.
"""

from itertools import pairwise

import numpy as np

from facade.dataset.iou import iou_matrix
from facade.dataset.records import SmoothedFace
from facade.footage.face_columns import APPEARANCE, KEYPOINTS
from facade.footage.tracks import Track

# Frames before and after that go into the value of a frame: of box and landmarks, which move; and of the appearance.
REACH, APPEARANCE_REACH = 7, 20
# A track is smoothed in pieces, between jumps: frames that follow each other and overlap less than this (IoU), as after
# a cut, or gaps of more frames.
JUMP_IOU, MAX_PAUSE = 0.25, 15
# Weight of an interpolated frame; that of a detected one is 1.
INTERPOLATED_WEIGHT = 0.05
# Minimum share of the detected frames of a piece that must have landmarks. With fewer, they are a network's mistakes.
MIN_SHARE = 0.4
# Noise of positions, in face sizes, that is usual; of the appearance, in standard deviations over the track.
NOISE = 0.02
# Robust regression: rounds, and the residual, in robust standard deviations, from which a value has no weight.
ROUNDS, REJECTED = 2, 6.0


def smooth(one: Track) -> list[SmoothedFace]:
    """The face in each frame of a track, as a pseudonym is rendered into it."""
    faces: list[SmoothedFace] = []
    for piece in _pieces(one):
        faces += _smooth_piece(piece)
    return faces


def local_linear(
    frames: np.ndarray, values: np.ndarray, weights: np.ndarray, reach: int, noise: np.ndarray | float
) -> np.ndarray:
    """Robust local linear regression over time (LOWESS; Cleveland, 1979), with tricube weights.

    It has no phase: what moves evenly stays where it is, at the ends of the track, too.

    Args:
        frames: (N,) int, ascending.
        values: (N, K) float; NaN where unknown.
        weights: (N,) float.
        reach: Number of frames before and after that go into a value.
        noise: (K,) or a number: standard deviation that is usual, so that a value so near is no outlier, even if all
            others lie on a line.

    Returns:
        (N, K) float; NaN where no value is within reach.
    """
    index = frames - frames[0]
    length = int(index[-1]) + 1
    known = ~np.isnan(values)
    dense, base = np.zeros((length, values.shape[1])), np.zeros((length, values.shape[1]))
    dense[index] = np.where(known, values, 0)
    base[index] = known * weights[:, None]
    weight, fitted = base, dense
    for _ in range(ROUNDS + 1):
        fitted = _fit(dense, weight, reach)
        residual = np.where(base > 0, np.abs(dense - fitted), 0)
        deviations = [np.median(column[there]) for column, there in zip(residual.T, (base > 0).T, strict=True)]
        spread = np.maximum(1.4826 * np.array(deviations), noise)
        weight = base * (1 - np.minimum(residual / (REJECTED * spread), 1) ** 2) ** 2
    return fitted[index]


def _fit(values: np.ndarray, weights: np.ndarray, reach: int) -> np.ndarray:
    """(T, K) fitted values of a time line, (T, K) each; NaN where all weights within reach are zero."""
    length = len(values)
    padding = ((reach, reach), (0, 0))
    padded, padded_weights = np.pad(values, padding), np.pad(weights, padding)
    s0, s1, s2, t0, t1 = (np.zeros_like(values) for _ in range(5))
    for step in range(-reach, reach + 1):
        part = slice(reach + step, reach + step + length)
        w = padded_weights[part] * (1 - (abs(step) / (reach + 1)) ** 3) ** 3
        wy = w * padded[part]
        s0, s1, s2, t0, t1 = s0 + w, s1 + step * w, s2 + step * step * w, t0 + wy, t1 + step * wy
    with np.errstate(all="ignore"):
        determinant = s0 * s2 - s1 * s1
        line = (s2 * t0 - s1 * t1) / determinant
        # With values in one frame alone, there is no slope.
        return np.where(determinant > 1e-6 * s0 * s0, line, t0 / s0)


def _pieces(one: Track) -> list[Track]:
    """The track, cut where the face jumps or is gone for long."""
    xyxy = np.concatenate([one.boxes[:, :2], one.boxes[:, :2] + one.boxes[:, 2:]], axis=1)
    starts = [0]
    for row in range(1, len(one.frames)):
        pause = one.frames[row] - one.frames[row - 1]
        iou = iou_matrix(xyxy[row - 1 : row], xyxy[row : row + 1])[0, 0]
        if pause > MAX_PAUSE or (pause == 1 and iou < JUMP_IOU):
            starts.append(row)
    bounds = [*starts, len(one.frames)]
    number = np.arange(len(one.frames))
    return [one.select((number >= low) & (number < high)) for low, high in pairwise(bounds)]


def _smooth_piece(one: Track) -> list[SmoothedFace]:
    detected = ~np.isnan(one.scores)
    weights = np.where(detected, 1.0, INTERPOLATED_WEIGHT)
    # Uncertain boxes are larger on purpose.
    size = one.boxes[:, 2:] / (1 + one.margins / 100)[:, None]
    middle = one.boxes[:, :2] + one.boxes[:, 2:] / 2
    noise = NOISE * float(np.median(size))
    state = np.concatenate([middle, np.log(size)], axis=1)
    state = local_linear(one.frames, state, weights, REACH, np.array([noise, noise, NOISE, NOISE]))
    smooth_middle, smooth_size = state[:, :2], np.exp(state[:, 2:])
    boxes = np.concatenate([smooth_middle - smooth_size / 2, smooth_size], axis=1)
    keypoints = _smooth_keypoints(one, detected, middle, size, noise)
    appearance = None
    if one.columns.shape[1] > KEYPOINTS.stop:
        measured = one.columns[:, APPEARANCE]
        if not np.isnan(measured).all(0).any():
            usual = np.maximum(NOISE * np.nanstd(measured, axis=0), 1e-6)
            appearance = _filled(local_linear(one.frames, measured, weights, APPEARANCE_REACH, usual))
    return [
        SmoothedFace(
            tuple(map(float, box)),  # type: ignore[arg-type]
            None if keypoints is None else tuple((float(x), float(y)) for x, y in keypoints[row]),
            None if appearance is None else tuple(map(float, appearance[row])),
        )
        for row, box in enumerate(boxes)
    ]


def _smooth_keypoints(
    one: Track, detected: np.ndarray, middle: np.ndarray, size: np.ndarray, noise: float
) -> np.ndarray | None:
    """(N, 5, 2) landmarks, or None if too few frames have any. Frames without take them from their neighbors."""
    if one.columns.shape[1] < KEYPOINTS.stop:
        return None
    points = one.columns[:, KEYPOINTS].reshape(-1, 5, 2)
    known = ~np.isnan(points).any((1, 2))
    if not known.any() or known[detected].mean() < MIN_SHARE:
        return None
    # Between frames that have landmarks, they move with the box.
    relative = _filled(np.where(known[:, None], ((points - middle[:, None]) / size[:, None]).reshape(-1, 10), np.nan))
    placed = relative.reshape(-1, 5, 2) * size[:, None] + middle[:, None]
    weights = np.where(known, 1.0, INTERPOLATED_WEIGHT)
    return local_linear(one.frames, placed.reshape(-1, 10), weights, REACH, noise).reshape(-1, 5, 2)


def _filled(values: np.ndarray) -> np.ndarray:
    """(N, K) with unknown values interpolated; at the ends the nearest known one."""
    rows = np.arange(len(values))
    filled = values.copy()
    for column in filled.T:
        known = ~np.isnan(column)
        column[~known] = np.interp(rows[~known], rows[known], column[known])
    return filled
