"""Which detections are right, and what precision and recall follow at every score threshold."""

from dataclasses import dataclass
from typing import Any

import numpy as np

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
    def precision(self) -> np.ndarray:
        """(N,) share of right ones among the detections down to each."""
        return np.cumsum(self.right) / np.arange(1, len(self.right) + 1)


def overlaps(boxes: np.ndarray, others: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Overlap of detections with faces.

    Args:
        boxes: (N, 4) float, x y w h, detections.
        others: (M, 4) float, x y w h, faces.
        ignored: (M,) bool. With an ignored face the overlap is the share of the detection that lies in it, as COCO
            has it: the ignored area may hold several people.

    Returns:
        (N, M) float, intersection over union, or over the detection's own area.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], others[None, :, :2] + others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    area, other_area = boxes[:, 2:].prod(1)[:, None], others[:, 2:].prod(1)[None]
    whole = np.where(ignored[None], area, area + other_area - shared)
    return shared / np.maximum(whole, 1e-12)


def match(truth: dict[str, Any], results: list[dict[str, Any]], iou: float) -> Matched:
    """Match detections to faces, photograph by photograph, the surest first, each face once.

    Args:
        truth: Content of a COCO file.
        results: COCO results.
        iou: Overlap from which a detection is right.
    """
    faces = by_photograph(truth, truth["annotations"])
    scores: list[float] = []
    right: list[bool] = []
    for image, unsorted in by_photograph(truth, results).items():
        detections = sorted(unsorted, key=lambda result: -result["score"])
        for detection, found in zip(detections, assign(detections, faces[image], iou), strict=True):
            if found != IGNORED:
                scores.append(detection["score"])
                right.append(found != WRONG)
    order = np.argsort(-np.array(scores), kind="stable")
    count = sum(not annotation["iscrowd"] for annotation in truth["annotations"])
    return Matched(np.array(scores)[order], np.array(right, bool)[order], count, len(faces))


def by_photograph(truth: dict[str, Any], entries: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Annotations or results by the id of their photograph, all photographs in their order."""
    parts: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in truth["images"]}
    for entry in entries:
        parts[entry["image_id"]].append(entry)
    return parts


def assign(detections: list[dict[str, Any]], faces: list[dict[str, Any]], iou: float) -> list[int]:
    """Which face each detection of a photograph found.

    Args:
        detections: Surest first.
        faces: Annotations of the photograph.
        iou: Overlap from which a detection is right.

    Returns:
        For each detection the place of its face in `faces`, `WRONG`, or `IGNORED` where it lies on an ignored face.
    """
    if not detections or not faces:
        return [WRONG] * len(detections)
    ignored = np.array([bool(face["iscrowd"]) for face in faces])
    overlap = overlaps(_boxes(detections), _boxes(faces), ignored)
    free = ~ignored
    found = []
    for row in overlap:
        best = int(np.argmax(np.where(free, row, -1)))
        if free[best] and row[best] >= iou:
            free[best] = False
            found.append(best)
        else:
            found.append(IGNORED if (row[ignored] >= iou).any() else WRONG)
    return found


def _boxes(entries: list[dict[str, Any]]) -> np.ndarray:
    return np.array([entry["bbox"] for entry in entries], float)


def recall_at(matched: Matched, false_positives: float) -> float:
    """Greatest recall with at most so many false positives a photograph, on average."""
    wrong = np.cumsum(~matched.right)
    allowed = wrong <= false_positives * matched.photographs
    return float(matched.recall[allowed][-1]) if allowed.any() else 0.0


def precision_at_recalls(matched: Matched, recalls: np.ndarray) -> np.ndarray:
    """Best precision at or beyond each recall, 0 where it is never reached: the curve under which AP is the area."""
    envelope = np.maximum.accumulate(matched.precision[::-1])[::-1]
    places = np.searchsorted(matched.recall, recalls, side="left")
    return np.concatenate([envelope, [0.0]])[np.minimum(places, len(envelope))]
