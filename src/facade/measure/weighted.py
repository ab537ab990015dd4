"""Average precision when photographs count several times or not at all, as a bootstrap has it: fast, and exact.

A run's detections are matched to faces once. What a draw of photographs changes is how often each detection and each
face counts; one pass over the detections, surest first, then gives the average precision of all overlaps at once.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

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
        photograph: (N,) int32, index of each detection's photograph.
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
    truth: dict[str, Any],
    results: list[dict[str, Any]],
    overlaps: tuple[float, ...] = OVERLAPS,
    counted: frozenset[int] | None = None,
) -> Run:
    """Match a run's detections to faces, photograph by photograph, as COCO does.

    The surest detection chooses first, the face that it overlaps most among those still free; faces with `iscrowd` are
    ignored, and may be found any number of times.

    Args:
        truth: Content of a COCO file.
        results: COCO results.
        overlaps: Intersections over union from which a detection is right, rising; 16 at the most.
        counted: Ids of the annotations that are scored; all are by default. Finding another is neither right nor
            wrong, once.
    """
    place = {identity: number for number, identity in enumerate(sorted(image["id"] for image in truth["images"]))}
    boxes: list[list[Any]] = [[] for _ in place]
    kinds: list[list[int]] = [[] for _ in place]
    for annotation in truth["annotations"]:
        boxes[place[annotation["image_id"]]].append(annotation["bbox"])
        kind = CROWD if annotation["iscrowd"] else COUNTED if counted is None or annotation["id"] in counted else ASIDE
        kinds[place[annotation["image_id"]]].append(kind)
    found: list[list[dict[str, Any]]] = [[] for _ in place]
    for result in results:
        found[place[result["image_id"]]].append(result)
    thresholds = np.minimum(overlaps, WHOLE)
    photograph, scores, right, ignored = [], [], [], []
    for number, detections in enumerate(found):
        if not detections:
            continue
        values = np.array([detection["score"] for detection in detections])
        order = np.argsort(-values, kind="stable")
        faces = np.array(boxes[number], float).reshape(-1, 4)
        seen = np.array([detections[i]["bbox"] for i in order], float)
        hit, passed = _matches(seen, faces, np.array(kinds[number], np.int64), thresholds)
        photograph.append(np.full(len(order), number, np.int32))
        scores.append(values[order])
        right.append(hit)
        ignored.append(passed)
    faces_to_find = np.array([part.count(COUNTED) for part in kinds], np.int64)
    if not photograph:
        empty = np.zeros(0, np.uint16)
        return Run(np.zeros(0, np.int32), empty, empty, faces_to_find, len(overlaps))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return Run(
        np.concatenate(photograph)[order], np.concatenate(right)[order], np.concatenate(ignored)[order], faces_to_find,
        len(overlaps),
    )  # fmt: skip


@numba.njit(cache=True)
def _matches(seen, faces, kinds, thresholds):  # type: ignore[no-untyped-def]
    """Bits of right and of ignored for each detection, (N,) uint16 each; (N, 4) and (M, 4) boxes x y w h."""
    count, many = seen.shape[0], faces.shape[0]
    right, ignored = np.zeros(count, np.uint16), np.zeros(count, np.uint16)
    overlap = np.zeros((count, many))
    for i in range(count):
        for j in range(many):
            wide = min(seen[i, 0] + seen[i, 2], faces[j, 0] + faces[j, 2]) - max(seen[i, 0], faces[j, 0])
            high = min(seen[i, 1] + seen[i, 3], faces[j, 1] + faces[j, 3]) - max(seen[i, 1], faces[j, 1])
            if wide > 0.0 and high > 0.0:
                shared, own = wide * high, seen[i, 2] * seen[i, 3]
                overlap[i, j] = shared / (own if kinds[j] == CROWD else own + faces[j, 2] * faces[j, 3] - shared)
    for t in range(thresholds.shape[0]):
        taken = np.zeros(many, np.bool_)
        for i in range(count):
            best, at = thresholds[t], -1
            for j in range(many):
                if kinds[j] == COUNTED and not taken[j] and overlap[i, j] >= best:
                    best, at = overlap[i, j], j
            if at >= 0:
                taken[at] = True
                right[i] |= np.uint16(1 << t)
                continue
            for j in range(many):
                if kinds[j] != COUNTED and not taken[j] and overlap[i, j] >= best:
                    best, at = overlap[i, j], j
            if at >= 0:
                taken[at] = kinds[at] == ASIDE  # a crowd may be found any number of times
                ignored[i] |= np.uint16(1 << t)
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
