"""Restoration of treated faces by an adversary who has learned it from pairs of treated faces and their sources.

Aligned faces lie in the same place, so every part of the face is restored by a linear regression of its own: a small
block of the source from the treated pixels around it. Unlike a filter that knows only the kernel, the regression also
knows what faces look like, and how the treatment is rounded, blended and compressed.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import cv2
import numpy as np

from facade.audit.learned import FOLDS, MIN_FACES
from facade.recognition import SIDE as ALIGNED_SIDE

# Side of the pictures that are restored, and of the blocks that are restored at once, pixels; and how far around a
# block the treated pixels are read.
SIDE, BLOCK, REACH = 56, 8, 8
# Ridge of the regression, relative to the mean variance of the pixels.
RIDGE = 1e-3


def restore(faces: Sequence[Mapping[str, np.ndarray]], fold: np.ndarray, learn_from: str) -> list[np.ndarray] | None:
    """Restore the faces of each fold with what was learned from the others.

    Args:
        faces: Of each face, aligned pictures by view, (SIDE, SIDE, 3) uint8: `source`, `treated`, and the view to learn
            from.
        fold: Fold of each face.
        learn_from: View of the same faces as the adversary has treated them.

    Returns:
        Aligned pictures, (112, 112, 3) uint8, BGR; None with too few faces to learn from, or none to learn from.
    """
    if min(np.bincount(fold, minlength=FOLDS).tolist()) < MIN_FACES or any(learn_from not in one for one in faces):
        return None
    treated, learned, source = (
        np.stack([one[view] for one in faces]).astype(np.float32) / 255 for view in ("treated", learn_from, "source")
    )
    restored = np.empty_like(treated)
    for number in range(FOLDS):
        known, attacked = fold != number, fold == number
        # Mirrored faces are faces.
        inputs, targets = (np.concatenate([one[known], one[known][:, :, ::-1]]) for one in (learned, source))
        restored[attacked] = _regress(inputs, targets, treated[attacked])
    enlarged = (cv2.resize(one, (ALIGNED_SIDE,) * 2, interpolation=cv2.INTER_CUBIC) for one in restored)
    return [np.clip(np.rint(255 * one), 0, 255).astype(np.uint8) for one in enlarged]


def _regress(treated: np.ndarray, source: np.ndarray, attacked: np.ndarray) -> np.ndarray:
    """Restore faces, (N, SIDE, SIDE, 3) float32, with what pairs of others teach; each channel by itself."""
    restored = np.empty_like(attacked)
    for top, left, channel in product(range(0, SIDE, BLOCK), range(0, SIDE, BLOCK), range(3)):
        rows, columns = (slice(max(0, at - REACH), at + BLOCK + REACH) for at in (top, left))
        block = (slice(None), slice(top, top + BLOCK), slice(left, left + BLOCK), channel)
        around, seen = (one[:, rows, columns, channel].reshape(len(one), -1) for one in (treated, attacked))
        target = source[block].reshape(len(source), -1)
        mean, target_mean = around.mean(0), target.mean(0)
        centered = around - mean
        covariance = centered.T @ centered / len(centered)
        ridge = RIDGE * float(np.trace(covariance)) / len(covariance)
        weights = np.linalg.solve(
            covariance + (ridge + 1e-9) * np.eye(len(covariance), dtype=np.float32),
            centered.T @ (target - target_mean) / len(centered),
        )
        restored[block] = ((seen - mean) @ weights + target_mean).reshape(-1, BLOCK, BLOCK)
    return restored
