"""Average precision when photographs count several times or not at all, as a bootstrap has it: fast, and exact.

A run's detections are matched to faces once. What a draw of photographs changes is how often each detection and each
face counts; one pass over the detections, surest first, then gives the average precision of all overlaps at once.
"""

from dataclasses import dataclass

import numba
import numpy as np

from facade.measure.arrays import Faces, Found
from facade.measure.precision_recall import shared_area

# COCO's overlaps, and its recalls at which precision is averaged.
OVERLAPS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
RECALLS = np.linspace(0.0, 1.0, 101)
# What an annotation is: scored; not scored, yet one face; or an area that may hold several.
COUNTED, ASIDE, CROWD = 0, 1, 2
# An overlap of exactly one is asked for a little less strictly, as COCO does.
WHOLE = 1 - 1e-10


@dataclass(frozen=True)
class Run:
    """The detections of one run, matched; surest first, over all photographs.

    Attributes:
        photograph: (N,) int32, index of each detection's photograph; those are left out that cannot matter.
        right: (N,) uint16, bit t set where the detection found a face at overlap t.
        ignored: (N,) uint16, bit t set where it is neither right nor wrong at overlap t.
        faces: (P,) int64, faces to find in each photograph.
        overlaps: How many overlaps there are.
    """

    photograph: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    faces: np.ndarray
    overlaps: int

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Average precision at each overlap, (overlaps,) float, when photograph p counts `weights[p]` times.

        Args:
            weights: (P,) whole numbers.

        Returns:
            NaN where no face counts.
        """
        weights = np.ascontiguousarray(weights, np.int64)
        total = int(weights @ self.faces)
        if total == 0:
            return np.full(self.overlaps, np.nan)
        return _average_precision(self.photograph, self.right, self.ignored, weights, total, self.overlaps, RECALLS)


def matched_run(
    faces: Faces, found: Found, overlaps: tuple[float, ...] = OVERLAPS, counted: np.ndarray | None = None
) -> Run:
    """Match a run's detections to faces, photograph by photograph, as COCO does.

    The surest detection chooses first, the face that it overlaps most among those still free; ignored areas may be
    found any number of times.

    Args:
        faces: What there is to find.
        found: The detections of the run.
        overlaps: Intersections over union from which a detection is right, rising; 16 at the most.
        counted: (M,) bool, which faces are scored; all are by default. Finding another is neither right nor wrong,
            once.
    """
    kinds = np.where(faces.ignored, CROWD, COUNTED if counted is None else np.where(counted, COUNTED, ASIDE))
    right, ignored = _matches(
        found.boxes, found.starts, faces.boxes, faces.starts, kinds.astype(np.int64), np.minimum(overlaps, WHOLE)
    )
    order = np.argsort(-found.scores, kind="stable")
    right, ignored = right[order], ignored[order]
    # What comes after the last right detection, or counts at no overlap, changes no average precision.
    last = int(np.flatnonzero(right)[-1]) + 1 if right.any() else 0
    kept = np.flatnonzero(ignored[:last] != (1 << len(overlaps)) - 1)
    photographs = len(faces.starts) - 1
    to_find = np.bincount(faces.photograph[kinds == COUNTED], minlength=photographs)
    return Run(
        found.photograph[order][kept].astype(np.int32), right[kept], ignored[kept], to_find.astype(np.int64),
        len(overlaps),
    )  # fmt: skip


@numba.njit(cache=True)
def _matches(seen, seen_starts, faces, starts, kinds, thresholds):  # type: ignore[no-untyped-def]
    """Bits of right and of ignored for each detection, (N,) uint16 each; (N, 4) and (M, 4) boxes x y w h."""
    right, ignored = np.zeros(seen.shape[0], np.uint16), np.zeros(seen.shape[0], np.uint16)
    for p in range(starts.shape[0] - 1):
        first, count, zero, many = (
            seen_starts[p], seen_starts[p + 1] - seen_starts[p], starts[p], starts[p + 1] - starts[p],
        )  # fmt: skip
        if many == 0:
            continue
        overlap = np.zeros((count, many))
        for i in range(count):
            for j in range(many):
                shared = shared_area(seen[first + i], faces[zero + j])
                if shared > 0.0:
                    own = seen[first + i, 2] * seen[first + i, 3]
                    whole = own if kinds[zero + j] == CROWD else own + faces[zero + j, 2] * faces[zero + j, 3] - shared
                    overlap[i, j] = shared / whole
        for t in range(thresholds.shape[0]):
            taken = np.zeros(many, np.bool_)
            for i in range(count):
                best, at = thresholds[t], -1
                for j in range(many):
                    if kinds[zero + j] == COUNTED and not taken[j] and overlap[i, j] >= best:
                        best, at = overlap[i, j], j
                if at >= 0:
                    taken[at] = True
                    right[first + i] |= np.uint16(1 << t)
                    continue
                for j in range(many):
                    if kinds[zero + j] != COUNTED and not taken[j] and overlap[i, j] >= best:
                        best, at = overlap[i, j], j
                if at >= 0:
                    taken[at] = kinds[zero + at] == ASIDE  # a crowd may be found any number of times
                    ignored[first + i] |= np.uint16(1 << t)
    return right, ignored


@numba.njit(cache=True, nogil=True)
def _average_precision(photograph, right, ignored, weights, total, overlaps, recalls):  # type: ignore[no-untyped-def]
    """See `Run.average_precision`; `total` is how many faces count."""
    hits = 0
    for i in range(photograph.shape[0]):
        if right[i] != 0:
            hits += 1
    # Of the detections that are right at any overlap: how many were right, and how many counted, down to them.
    found = np.zeros((overlaps, hits), np.int64)
    counted = np.zeros((overlaps, hits), np.int64)
    points = np.zeros(overlaps, np.int64)
    so_far, passed_over = np.zeros(overlaps, np.int64), np.zeros(overlaps, np.int64)
    detections = 0
    for i in range(photograph.shape[0]):
        weight = weights[photograph[i]]
        if weight == 0:
            continue
        detections += weight
        if ignored[i] != 0:
            for t in range(overlaps):
                if (ignored[i] >> t) & 1:
                    passed_over[t] += weight
        if right[i] != 0:
            for t in range(overlaps):
                if (right[i] >> t) & 1:
                    so_far[t] += weight
                    found[t, points[t]] = so_far[t]
                    counted[t, points[t]] = detections - passed_over[t]
                    points[t] += 1
    result = np.zeros(overlaps)
    for t in range(overlaps):
        best, k = 0.0, recalls.shape[0] - 1
        area = 0.0
        # From the last right detection back: the best precision at or beyond each recall.
        for n in range(points[t] - 1, -1, -1):
            reached = found[t, n] / total
            before = found[t, n - 1] / total if n > 0 else 0.0
            best = max(best, found[t, n] / counted[t, n])
            while k >= 0 and recalls[k] > reached:
                k -= 1
            while k >= 0 and (recalls[k] > before or n == 0):
                area += best
                k -= 1
        result[t] = area / recalls.shape[0]
    return result
