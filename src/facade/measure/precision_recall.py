"""Which detections are right, and what precision and recall follow at every score threshold."""

from dataclasses import dataclass

import numba
import numpy as np

from facade.measure.arrays import Faces, Found

# What a detection found that found no face to be scored.
WRONG, IGNORED = -1, -2


@dataclass(frozen=True)
class Matched:
    """The detections of one run that count, surest first, over all photographs.

    Attributes:
        scores: (N,) float, falling.
        right: (N,) bool: whether each found a face that none surer had found. Detections of ignored faces are left
            out: they are neither right nor wrong.
        faces: Number of faces to find.
        photographs: Number of photographs, those without faces too.
    """

    scores: np.ndarray
    right: np.ndarray
    faces: int
    photographs: int

    @property
    def recall(self) -> np.ndarray:
        """(N,) share of the faces found by the detections down to each."""
        return np.cumsum(self.right) / self.faces

    @property
    def whole(self) -> np.ndarray:
        """(N,) bool, after which a threshold may lie: it lets in all detections of one score or none."""
        return np.append(self.scores[1:] != self.scores[:-1], True)[: len(self.scores)]

    @property
    def precision(self) -> np.ndarray:
        """(N,) share of right ones among the detections down to each."""
        return np.cumsum(self.right) / np.arange(1, len(self.right) + 1)


def match(faces: Faces, found: Found, iou: float) -> Matched:
    """Match detections to faces, photograph by photograph, the surest first, each face once.

    Args:
        faces: What there is to find.
        found: The detections of a run.
        iou: Overlap from which a detection is right.
    """
    met = assign(faces, found, iou)
    counts = met != IGNORED
    order = np.argsort(-found.scores[counts], kind="stable")
    photographs = len(faces.starts) - 1
    return Matched(found.scores[counts][order], (met != WRONG)[counts][order], int((~faces.ignored).sum()), photographs)


def assign(faces: Faces, found: Found, iou: float) -> np.ndarray:
    """Which face each detection found, the surest detection of a photograph choosing first.

    With an ignored face the overlap is the share of the detection that lies in it, as COCO has it: the ignored area
    may hold several people.

    Args:
        faces: What there is to find.
        found: The detections of a run.
        iou: Overlap from which a detection is right.

    Returns:
        (N,) int64, for each detection the place of its face in `faces`, `WRONG`, or `IGNORED`.
    """
    return np.asarray(_assign(faces.boxes, faces.ignored, faces.starts, found.boxes, found.starts, iou))


def nearest(faces: Faces, found: Found, iou: float) -> tuple[np.ndarray, np.ndarray]:
    """How near any detection came to each face.

    Args:
        faces: What there is to find.
        found: The detections of a run, however unsure.
        iou: Overlap from which a detection is right.

    Returns:
        (M,) greatest overlap, and (M,) score of the surest detection that overlaps by `iou`, 0 where there is none.
    """
    overlap, score = _nearest(faces.boxes, faces.starts, found.boxes, found.scores, found.starts, iou)
    return np.asarray(overlap), np.asarray(score)


@numba.njit(cache=True)
def shared_area(one, other):  # type: ignore[no-untyped-def]
    """Area of the intersection of two boxes x y w h."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return wide * high if wide > 0.0 and high > 0.0 else 0.0


@numba.njit(cache=True)
def _assign(faces, ignored, starts, boxes, box_starts, iou):  # type: ignore[no-untyped-def]
    met = np.full(boxes.shape[0], WRONG, np.int64)
    taken = np.zeros(faces.shape[0], np.bool_)
    for p in range(starts.shape[0] - 1):
        for i in range(box_starts[p], box_starts[p + 1]):
            best, at, aside = 0.0, -1, False
            area = boxes[i, 2] * boxes[i, 3]
            for j in range(starts[p], starts[p + 1]):
                shared = shared_area(boxes[i], faces[j])
                if ignored[j]:
                    aside = aside or shared >= iou * max(area, 1e-12)
                elif not taken[j]:
                    overlap = shared / max(area + faces[j, 2] * faces[j, 3] - shared, 1e-12)
                    if overlap > best:
                        best, at = overlap, j
            if at >= 0 and best >= iou:
                taken[at] = True
                met[i] = at
            elif aside:
                met[i] = IGNORED
    return met


@numba.njit(cache=True)
def _nearest(faces, starts, boxes, scores, box_starts, iou):  # type: ignore[no-untyped-def]
    overlaps, surest = np.zeros(faces.shape[0]), np.zeros(faces.shape[0])
    for p in range(starts.shape[0] - 1):
        for i in range(box_starts[p], box_starts[p + 1]):
            for j in range(starts[p], starts[p + 1]):
                shared = shared_area(boxes[i], faces[j])
                union = boxes[i, 2] * boxes[i, 3] + faces[j, 2] * faces[j, 3] - shared
                overlap = shared / max(union, 1e-12)
                overlaps[j] = max(overlaps[j], overlap)
                if overlap >= iou:
                    surest[j] = max(surest[j], scores[i])
    return overlaps, surest


def recall_at(matched: Matched, false_positives: float) -> float:
    """Greatest recall with at most so many false positives a photograph, on average, at any threshold."""
    wrong = np.cumsum(~matched.right)
    allowed = matched.whole & (wrong <= false_positives * matched.photographs)
    return float(matched.recall[allowed][-1]) if allowed.any() else 0.0


def precision_at_recalls(matched: Matched, recalls: np.ndarray) -> np.ndarray:
    """Best precision at or beyond each recall, 0 where it is never reached: the curve under which AP is the area."""
    envelope = np.maximum.accumulate(matched.precision[::-1])[::-1]
    places = np.searchsorted(matched.recall, recalls, side="left")
    return np.concatenate([envelope, [0.0]])[np.minimum(places, len(envelope))]
