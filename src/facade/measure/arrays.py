"""Labels and detections as arrays, photograph by photograph: what matching works on."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Faces:
    """The labelled faces of a data set, by photograph in the order of the photographs' ids.

    Attributes:
        boxes: (M, 4) float, x y w h in pixels.
        ignored: (M,) bool: areas that may hold several people, neither right nor wrong (`iscrowd`).
        ids: (M,) int64, of the annotations.
        places: (M,) int64, where each stands among the annotations of the COCO file.
        starts: (P + 1,) int64: photograph p has the faces from `starts[p]` up to `starts[p + 1]`.
    """

    boxes: np.ndarray
    ignored: np.ndarray
    ids: np.ndarray
    places: np.ndarray
    starts: np.ndarray

    @property
    def photograph(self) -> np.ndarray:
        """(M,) int64, of each face the number of its photograph in the order of the ids."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def among(self, ids: frozenset[int]) -> np.ndarray:
        """(M,) bool, which faces have one of these ids."""
        return np.isin(self.ids, np.fromiter(ids, np.int64, len(ids)))


@dataclass(frozen=True)
class Found:
    """The detections of one run, by photograph in the order of the ids, in each the surest first.

    Attributes:
        boxes: (N, 4) float, x y w h in pixels.
        scores: (N,) float.
        starts: (P + 1,) int64, as of `Faces`.
    """

    boxes: np.ndarray
    scores: np.ndarray
    starts: np.ndarray

    @property
    def photograph(self) -> np.ndarray:
        """(N,) int64, of each detection the number of its photograph in the order of the ids."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def ground_truth_arrays(truth: dict[str, Any]) -> Faces:
    """The faces of a COCO file, in each photograph in the order of the annotations."""
    entries = truth["annotations"]
    photograph, starts = _placed(truth, entries)
    order = np.argsort(photograph, kind="stable")
    boxes = np.array([entry["bbox"] for entry in entries], float).reshape(-1, 4)
    ignored = np.array([bool(entry["iscrowd"]) for entry in entries], bool)
    ids = np.array([entry["id"] for entry in entries], np.int64)
    return Faces(boxes[order], ignored[order], ids[order], order, starts)


def detection_arrays(truth: dict[str, Any], results: list[dict[str, Any]]) -> Found:
    """COCO results of the photographs of a COCO file; of equal scores, the one that comes first in the list."""
    photograph, starts = _placed(truth, results)
    scores = np.array([result["score"] for result in results], float)
    order = np.lexsort((np.arange(len(results)), -scores, photograph))
    boxes = np.array([result["bbox"] for result in results], float).reshape(-1, 4)
    return Found(boxes[order], scores[order], starts)


def _placed(truth: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The number of each entry's photograph, and where each photograph's entries start once they are sorted."""
    ids = np.array(sorted(image["id"] for image in truth["images"]), np.int64)
    photograph = np.searchsorted(ids, np.array([entry["image_id"] for entry in entries], np.int64))
    counts = np.bincount(photograph, minlength=len(ids)) if len(entries) else np.zeros(len(ids), np.int64)
    return photograph, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
