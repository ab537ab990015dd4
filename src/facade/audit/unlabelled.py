"""Unlabelled faces, which would stay untreated. An independent detector searches for them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from facade.dataset import Photograph, Photographs
from facade.dataset.coco_content import coco_annotation, coco_content
from facade.dataset.iou import areas, clipped_xyxy, intersections, match_pairs
from facade.dataset.landmarks import UPSCALE
from facade.dataset.records import Box
from facade.errors import FacadeError
from facade.files import read_json, write_json
from facade.networks.open_detector import open_detector
from facade.networks.protocol import FaceDetector, with_landmark_columns
from facade.networks.resized import ResizedDetector
from facade.parallel import ordered_map
from facade.retinaface import LONGEST_SIDE, DetectedFace

# Minimum IoU of a detection and a label of the same face. It is low because annotators differ in how they draw boxes.
MIN_IOU = 0.3
# A detection is labelled, too, if a label covers at least this share of it: for example a label of the whole head.
MIN_COVERED = 0.5
# Strata of face height, pixels. Small faces are missed by both annotators and networks, so an estimate over all heights
# together would be biased (capture heterogeneity).
HEIGHTS = (16.0, 32.0, 64.0, math.inf)
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Capture:
    """Counts of faces in one height stratum, for capture-recapture with two observers.

    Attributes:
        labelled: Number of labelled faces.
        detected: Number of detected faces.
        both: Number of faces that are both labelled and detected.
    """

    labelled: int
    detected: int
    both: int


@dataclass(frozen=True)
class Unlabelled:
    """Unlabelled faces in the training photographs.

    Attributes:
        found: Number of unlabelled faces that the detector found.
        treated: Whether they were treated.
        captures: Counts of labelled and detected faces by height.
    """

    found: int
    treated: bool
    captures: Sequence[Capture]


@dataclass(frozen=True)
class HiddenEstimate:
    """Estimated number of faces that neither annotators nor the detector found, with a 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class _DetectFaces:
    photographs: Photographs
    weights: Path
    min_score: float

    def __call__(self, photograph: Photograph) -> list[DetectedFace]:
        pixels = self.photographs.pixels(photograph)
        rows = with_landmark_columns(_enlarging(self.weights).detect(pixels, self.min_score))
        return [
            DetectedFace(tuple(map(float, row[:4])), float(row[4]), row[5:].reshape(5, 2))  # type: ignore[arg-type]
            for row in rows
        ]


@lru_cache(maxsize=1)
def _enlarging(weights: Path) -> FaceDetector:
    """A detector that sees photographs enlarged, if its input has no fixed size."""
    detector = open_detector(weights)
    if getattr(detector, "fixed_size", False):
        return detector
    return ResizedDetector(detector, LONGEST_SIDE, UPSCALE)


def detect_faces(photographs: Photographs, weights: Path, min_score: float) -> list[list[DetectedFace]]:
    """Detect faces in each photograph, in the order of the photographs.

    Args:
        photographs: The source photographs.
        weights: A face detector (`facade.networks.open_detector`).
        min_score: Its confidence threshold, 0 to 1.

    Returns:
        The faces of each photograph; landmarks are NaN if the detector gives none.

    Raises:
        FacadeError: The file holds no supported detector, or a photograph cannot be read.
    """
    _enlarging(weights)  # an unsupported file is refused once, before the workers start
    return list(ordered_map(_DetectFaces(photographs, weights, min_score), list(photographs), "detect faces"))


def unlabelled_detections(photograph: Photograph, detections: Sequence[DetectedFace]) -> list[DetectedFace]:
    """The detections in a photograph that match no label and lie at least partly inside it."""
    labels, detected = _boxes(photograph, detections)
    matched = {detection for _, detection in match_pairs(labels, detected, MIN_IOU)}
    own = areas(detected)
    covered = intersections(labels, detected).max(0, initial=0.0) >= MIN_COVERED * own
    return [
        one
        for number, one in enumerate(detections)
        if number not in matched and own[number] > 0 and not covered[number]
    ]


def count_captures(photographs: Iterable[Photograph], detections: Iterable[Sequence[DetectedFace]]) -> list[Capture]:
    """Count labelled and detected faces by height (`HEIGHTS`); smaller faces are not counted."""
    tables = np.zeros((len(HEIGHTS) - 1, 3), int)
    for photograph, detected in zip(photographs, detections, strict=True):
        for face in photograph.faces:
            tables[:, 0] += _stratum(face.bbox)
        # Matched detections count in the stratum of the label, so that both observers use the same one.
        for label, _ in match_pairs(*_boxes(photograph, detected), MIN_IOU):
            tables[:, 1:] += _stratum(photograph.faces[label].bbox)[:, None]
        for one in unlabelled_detections(photograph, detected):
            tables[:, 1] += _stratum(one.bbox)
    return [Capture(*map(int, row)) for row in tables]


def estimate_hidden(tables: Iterable[Capture]) -> HiddenEstimate | None:
    """Estimate the number of faces that both observers missed: Chapman's estimator, summed over height strata.

    The total is (n1 + 1)(n2 + 1) / (m + 1) - 1 (Chapman 1951; variance by Seber 1970); the interval assumes a
    log-normal number of unseen faces (Chao, Biometrics 43, 1987). The estimator assumes independent errors. In fact
    faces that are hard for annotators are hard for networks, too, so the true number is higher.

    Returns:
        None if the two have no face in common in some stratum: the number cannot be estimated then.
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
        return HiddenEstimate(0.0, 0.0, NORMAL_95 * math.sqrt(variance))
    spread = math.exp(NORMAL_95 * math.sqrt(math.log(1 + variance / unseen**2)))
    return HiddenEstimate(unseen, unseen / spread, unseen * spread)


def write_unlabelled(
    photographs: Photographs,
    detections: Sequence[Sequence[DetectedFace]] | None,
    treat: bool,
    list_file: Path,
    treat_file: Path,
) -> None:
    """Write the unlabelled faces: a list for annotators, and the faces to treat in addition to the labelled ones.

    Args:
        photographs: The source photographs.
        detections: Result of `detect_faces`, or None if no detector was run.
        treat: Whether unlabelled faces are to be treated.
        list_file: COCO file of all unlabelled faces to write. Its `info` holds the counts by height.
        treat_file: COCO file of the faces to treat to write (`facade.dataset.extra_boxes`).
    """
    none: list[list[DetectedFace]] = [[] for _ in photographs]
    counts = None
    unlabelled = none
    if detections is not None:
        unlabelled = [unlabelled_detections(*pair) for pair in zip(photographs, detections, strict=True)]
        counts = [asdict(one) for one in count_captures(photographs, detections)]
    write_json(list_file, as_coco(photographs, unlabelled) | {"info": {"captures": counts}})
    write_json(treat_file, as_coco(photographs, unlabelled if treat else none))


def read_unlabelled(list_file: Path, treat_file: Path) -> Unlabelled | None:
    """Read the files of `write_unlabelled`; None if no detector was run.

    Raises:
        FacadeError: A file is missing, or was not written by `write_unlabelled`.
    """
    content, treated = read_json(list_file), read_json(treat_file)
    try:
        if content["info"]["captures"] is None:
            return None
        return Unlabelled(
            found=len(content["annotations"]),
            # Derived from the faces that were treated, not from the parameter, which may have changed since.
            treated=content["annotations"] == treated["annotations"],
            captures=[Capture(**one) for one in content["info"]["captures"]],
        )
    except (KeyError, TypeError):
        raise FacadeError(f"{list_file} was not written by the stage unlabelled. Run `dvc repro unlabelled`.") from None


def as_coco(photographs: Photographs, faces: Iterable[Sequence[DetectedFace]]) -> dict[str, Any]:
    """Detected faces as the content of a COCO file for annotators: photographs with any, boxes and scores."""
    return coco_content(
        {},
        (
            (number, photograph, map(_annotation, found))
            for (number, photograph), found in zip(photographs.items(), faces, strict=True)
            if found
        ),
    )


def _annotation(face: DetectedFace) -> dict[str, Any]:
    annotation = coco_annotation(
        [round(value, 2) for value in face.bbox],
        keypoints=[(round(float(x), 2), round(float(y), 2)) for x, y in face.keypoints],
        area_digits=2,
        score=round(face.score, 4),
    )
    if not np.isfinite(face.keypoints).all():  # how COCO writes landmarks that are not labelled
        annotation |= {"keypoints": [0] * 15, "num_keypoints": 0}
    return annotation


def _boxes(photograph: Photograph, detections: Sequence[DetectedFace]) -> tuple[np.ndarray, np.ndarray]:
    size = photograph.width, photograph.height
    labels = clipped_xyxy([face.bbox for face in photograph.faces], *size)
    return labels, clipped_xyxy([one.bbox for one in detections], *size)


def _stratum(box: Box) -> np.ndarray:
    return np.array([low <= box[3] < high for low, high in pairwise(HEIGHTS)], int)
