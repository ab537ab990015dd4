"""Faces that nobody labelled: they would stay as they are. An independent detector looks for them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from facade.dataset import Photograph, Photographs
from facade.dataset.landmarks import FACTOR
from facade.dataset.records import Box
from facade.dataset.store import CATEGORY
from facade.parallel import in_order
from facade.retinaface import Found, retinaface

# A detection and a label are the same face from this overlap (IoU) on; people draw boxes as they like.
SAME = 0.3
# A detection of which a label covers this share was labelled, whatever the overlap: as a head, or as part of one.
COVERED = 0.5
# Heights in pixels between which faces are counted on their own: small ones are missed by people and networks alike,
# and taken together they would make the two look as if they agreed by chance.
HEIGHTS = (16.0, 32.0, 64.0, math.inf)
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Capture:
    """Faces of one size, as two observers saw them.

    Attributes:
        labelled: How many people labelled.
        detected: How many the detector found.
        both: How many both did.
    """

    labelled: int
    detected: int
    both: int


@dataclass(frozen=True)
class Hidden:
    """How many faces neither people nor the detector saw, with a 95 % interval."""

    seen: float
    low: float
    high: float


@dataclass(frozen=True)
class _Look:
    photographs: Photographs
    weights: Path
    sure: float

    def __call__(self, photograph: Photograph) -> list[Found]:
        pixels = self.photographs.pixels(photograph)
        return retinaface(self.weights).faces(pixels, self.sure, FACTOR)


def look(photographs: Photographs, weights: Path, sure: float) -> list[list[Found]]:
    """What RetinaFace finds in each photograph, in their order.

    Args:
        photographs: The source photographs.
        weights: facexlib's file.
        sure: Detections with a lower score are left out, 0 to 1.

    Raises:
        FacadeError: The weights are not what facexlib loads, or a photograph cannot be read.
    """
    return list(in_order(_Look(photographs, weights, sure), list(photographs), "look for faces"))


def without_label(photograph: Photograph, found: Sequence[Found]) -> list[Found]:
    """The detections in a photograph that belong to no label, and hold a pixel of it."""
    pairs = {detection for _, detection in _pairs(photograph, found)}
    boxes = [face.bbox for face in photograph.faces]
    return [
        one
        for number, one in enumerate(found)
        if number not in pairs
        and _inside(one.bbox, photograph)
        and all(_shared(one.bbox, box) < COVERED * one.bbox[2] * one.bbox[3] for box in boxes)
    ]


def captures(photographs: Iterable[Photograph], found: Iterable[Sequence[Found]]) -> list[Capture]:
    """What people and the detector saw, by height (`HEIGHTS`); lower faces are left out."""
    tables = np.zeros((len(HEIGHTS) - 1, 3), int)
    for photograph, detections in zip(photographs, found, strict=True):
        for face in photograph.faces:
            tables[:, 0] += _level(face.bbox)
        for label, _ in _pairs(photograph, detections):  # in the row of its label: both observers count it there
            tables[:, 1:] += _level(photograph.faces[label].bbox)[:, None]
        for one in without_label(photograph, detections):
            tables[:, 1] += _level(one.bbox)
    return [Capture(*map(int, row)) for row in tables]


def hidden(tables: Iterable[Capture]) -> Hidden | None:
    """How many faces are hidden from both observers: Chapman's estimate, summed over sizes.

    (n1 + 1)(n2 + 1) / (m + 1) - 1 faces in all (Chapman 1951; variance by Seber 1970); the interval takes the logarithm
    of the unseen for normal (Chao, Biometrics 43, 1987). It holds if the two err independently. They do not quite: what
    is hard for people is hard for networks, so that more are hidden than this says.

    Returns:
        None where the two have no face in common at some size: that tells nothing, least of all that none is hidden.
    """
    unseen = variance = 0.0
    for one in tables:
        if one.both == 0 and one.labelled + one.detected > 0:
            return None
        n1, n2, m = one.labelled, one.detected, one.both
        unseen += (n1 + 1) * (n2 + 1) / (m + 1) - 1 - (n1 + n2 - m)
        variance += (n1 + 1) * (n2 + 1) * (n1 - m) * (n2 - m) / ((m + 1) ** 2 * (m + 2))
    unseen = max(unseen, 0.0)
    if unseen < 1e-9:
        return Hidden(0.0, 0.0, NORMAL_95 * math.sqrt(variance))
    spread = math.exp(NORMAL_95 * math.sqrt(math.log(1 + variance / unseen**2)))
    return Hidden(unseen, unseen / spread, unseen * spread)


def as_coco(photographs: Photographs, faces: Iterable[Sequence[Found]]) -> dict[str, Any]:
    """Found faces as the content of a COCO file for a labeller: the photographs that hold any, boxes and scores."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for (number, photograph), found in zip(photographs.items(), faces, strict=True):
        if found:
            images.append(
                {"id": number, "file_name": photograph.file, "width": photograph.width, "height": photograph.height}
            )
        for one in found:
            box = [round(value, 2) for value in one.bbox]
            points = [value for x, y in one.keypoints for value in (round(float(x), 2), round(float(y), 2), 2)]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": CATEGORY["id"], "bbox": box,
                    "area": round(box[2] * box[3], 2), "iscrowd": 0, "keypoints": points, "num_keypoints": 5,
                    "score": round(one.score, 4),
                }
            )  # fmt: skip
    return {"info": {}, "images": images, "annotations": annotations, "categories": [CATEGORY]}


def _pairs(photograph: Photograph, found: Sequence[Found]) -> list[tuple[int, int]]:
    """Labels and detections that are the same face, the best overlap first, each in one pair at most."""
    overlaps = sorted(
        (
            (-_overlap(face.bbox, one.bbox), label, detection)
            for label, face in enumerate(photograph.faces)
            for detection, one in enumerate(found)
        ),
    )
    pairs: list[tuple[int, int]] = []
    labels, detections = set(), set()
    for overlap, label, detection in overlaps:
        if -overlap >= SAME and label not in labels and detection not in detections:
            pairs.append((label, detection))
            labels.add(label)
            detections.add(detection)
    return pairs


def _level(box: Box) -> np.ndarray:
    return np.array([low <= box[3] < high for low, high in pairwise(HEIGHTS)], int)


def _inside(box: Box, photograph: Photograph) -> bool:
    x, y, w, h = box
    return x < photograph.width and y < photograph.height and x + w > 0 and y + h > 0


def _shared(first: Box, second: Box) -> float:
    across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    down = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    return max(across, 0.0) * max(down, 0.0)


def _overlap(first: Box, second: Box) -> float:
    shared = _shared(first, second)
    return shared / max(first[2] * first[3] + second[2] * second[3] - shared, 1e-9)
