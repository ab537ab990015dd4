"""Faces that nobody labelled: they would stay as they are. An independent detector looks for them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from facade.dataset import Photograph, Photographs
from facade.dataset.iou import areas, corners, pairs, shared
from facade.dataset.landmarks import FACTOR
from facade.dataset.records import Box
from facade.dataset.store import CATEGORY
from facade.errors import FacadeError
from facade.files import read_json, write_json
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
class Unlabelled:
    """Faces that nobody labelled.

    Attributes:
        found: How many the detector found.
        treated: Whether they were treated, too.
        captures: What people and the detector saw, by height.
    """

    found: int
    treated: bool
    captures: Sequence[Capture]


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
    labels, theirs = _corners(photograph, found)
    paired = {detection for _, detection in pairs(labels, theirs, SAME)}
    own = areas(theirs)
    covered = shared(labels, theirs).max(0, initial=0.0) >= COVERED * own
    return [one for number, one in enumerate(found) if number not in paired and own[number] > 0 and not covered[number]]


def captures(photographs: Iterable[Photograph], found: Iterable[Sequence[Found]]) -> list[Capture]:
    """What people and the detector saw, by height (`HEIGHTS`); lower faces are left out."""
    tables = np.zeros((len(HEIGHTS) - 1, 3), int)
    for photograph, detections in zip(photographs, found, strict=True):
        for face in photograph.faces:
            tables[:, 0] += _level(face.bbox)
        # In the row of its label: both observers count it there.
        for label, _ in pairs(*_corners(photograph, detections), SAME):
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


def write_unlabelled(
    photographs: Photographs,
    found: Sequence[Sequence[Found]] | None,
    treat_too: bool,
    list_file: Path,
    treat_file: Path,
) -> None:
    """Write what the detector found: a list for a labeller, and the faces to treat besides the labelled ones.

    Args:
        photographs: The source photographs.
        found: What `look` found in each, or None where nobody looked.
        treat_too: Whether the faces that nobody labelled are to be treated.
        list_file: COCO file to write, of all of them. Its `info` says what people and the detector saw.
        treat_file: COCO file to write, of those to treat (`facade.dataset.extra_boxes`).
    """
    nobody: list[list[Found]] = [[] for _ in photographs]
    new = nobody if found is None else [without_label(*pair) for pair in zip(photographs, found, strict=True)]
    seen = None if found is None else [asdict(one) for one in captures(photographs, found)]
    write_json(list_file, as_coco(photographs, new) | {"info": {"seen": seen}})
    write_json(treat_file, as_coco(photographs, new if treat_too else nobody))


def read_unlabelled(list_file: Path, treat_file: Path) -> Unlabelled | None:
    """What `write_unlabelled` wrote, or None where nobody looked.

    Raises:
        FacadeError: A file is missing, or holds something else.
    """
    content, treated = read_json(list_file), read_json(treat_file)
    try:
        if content["info"]["seen"] is None:
            return None
        return Unlabelled(
            found=len(content["annotations"]),
            # By what was treated, whatever the parameter says by now.
            treated=content["annotations"] == treated["annotations"],
            captures=[Capture(**one) for one in content["info"]["seen"]],
        )
    except (KeyError, TypeError):
        raise FacadeError(f"{list_file} is not what `dvc repro unlabelled` writes. Run it again.") from None


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


def _corners(photograph: Photograph, found: Sequence[Found]) -> tuple[np.ndarray, np.ndarray]:
    size = photograph.width, photograph.height
    return corners([face.bbox for face in photograph.faces], *size), corners([one.bbox for one in found], *size)


def _level(box: Box) -> np.ndarray:
    return np.array([low <= box[3] < high for low, high in pairwise(HEIGHTS)], int)
