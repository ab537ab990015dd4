"""Labels and detections as flat arrays, grouped by photograph: the input of matching."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class GroundTruth:
    """The labelled faces of a data set, grouped by photograph in ascending photograph id.

    Attributes:
        boxes: (M, 4) float, x y w h in pixels.
        ignored: (M,) bool: areas that may hold several faces (`iscrowd`); a detection there is neither a true nor a
            false positive.
        ids: (M,) int64, annotation ids.
        annotation_index: (M,) int64, index of each face in the annotations of the COCO file.
        starts: (P + 1,) int64: photograph p has the faces `starts[p]` to `starts[p + 1]`, end excluded.
    """

    boxes: np.ndarray
    ignored: np.ndarray
    ids: np.ndarray
    annotation_index: np.ndarray
    starts: np.ndarray

    @property
    def photograph(self) -> np.ndarray:
        """(M,) int64, photograph index of each face; photographs are numbered in ascending id."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def mask(self, ids: frozenset[int]) -> np.ndarray:
        """(M,) bool, True for faces with one of these annotation ids."""
        return np.isin(self.ids, np.fromiter(ids, np.int64, len(ids)))


@dataclass(frozen=True)
class Detections:
    """The detections of one run, grouped by photograph in ascending photograph id, highest score first in each.

    Attributes:
        boxes: (N, 4) float, x y w h in pixels.
        scores: (N,) float.
        starts: (P + 1,) int64, as in `GroundTruth`.
    """

    boxes: np.ndarray
    scores: np.ndarray
    starts: np.ndarray

    @property
    def photograph(self) -> np.ndarray:
        """(N,) int64, photograph index of each detection; photographs are numbered in ascending id."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def ground_truth_arrays(truth: dict[str, Any]) -> GroundTruth:
    """The faces of a COCO file; within a photograph, in the order of the annotations."""
    entries = truth["annotations"]
    photograph, starts = _group_by_photograph(truth, entries)
    order = np.argsort(photograph, kind="stable")
    boxes = np.array([entry["bbox"] for entry in entries], float).reshape(-1, 4)
    ignored = np.array([bool(entry["iscrowd"]) for entry in entries], bool)
    ids = np.array([entry["id"] for entry in entries], np.int64)
    return GroundTruth(boxes[order], ignored[order], ids[order], order, starts)


def detection_arrays(truth: dict[str, Any], results: list[dict[str, Any]]) -> Detections:
    """COCO results on the photographs of a COCO file; ties in score keep the order of the list."""
    photograph, starts = _group_by_photograph(truth, results)
    scores = np.array([result["score"] for result in results], float)
    order = np.lexsort((np.arange(len(results)), -scores, photograph))
    boxes = np.array([result["bbox"] for result in results], float).reshape(-1, 4)
    return Detections(boxes[order], scores[order], starts)


def _group_by_photograph(truth: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The photograph index of each entry, and the offsets of each photograph's entries once they are sorted."""
    ids = np.array(sorted(image["id"] for image in truth["images"]), np.int64)
    photograph = np.searchsorted(ids, np.array([entry["image_id"] for entry in entries], np.int64))
    counts = np.bincount(photograph, minlength=len(ids)) if len(entries) else np.zeros(len(ids), np.int64)
    return photograph, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
