"""Faces that detectors hide, by score threshold.   python benchmarks/detectors.py FILE... --photographs DATA

DATA is a data set in WIDER FACE's or COCO's layout. A face counts as hidden if the treated ellipses, inscribed in
detected boxes of 1.3 times their size, cover 90 % of the ellipse inscribed in its label. A false box matches no label.
Faces and boxes count from 16 pixels of height on.
The threshold of a row is the lowest with at most --false-boxes false boxes a photograph, unless --min-score names one.

--join   also the union of all files, each at its own threshold
--mosaic pastes photographs into large pictures of 2560 x 1920 pixels, in memory only, and adds rows with tiles
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from printing import print_header, print_table

from facade.dataset import Face
from facade.dataset.iou import areas, clipped_xyxy, intersections, iou_matrix
from facade.dataset.layouts import read_labels
from facade.dataset.records import Labelled
from facade.dataset.source_photograph import open_photograph
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.networks import joined
from facade.networks.joined import JoinedDetector
from facade.networks.open_detector import open_detector
from facade.networks.protocol import FaceDetector
from facade.networks.tiled import TiledDetector
from facade.parallel import ordered_map
from facade.params import Params
from facade.seeds import generator

# Detections with a lower score are not looked at.
LOWEST = 0.02
# Minimum height of a face and of a false box, pixels.
MIN_HEIGHT = 16
# Side of a treated ellipse over the side of the detected box, and the share of a label's ellipse that it must cover.
WIDEN, MIN_COVERED = 1.3, 0.9
# A detection matches a label by its IoU, or by its own share inside of the label.
MIN_IOU, MIN_INSIDE = 0.3, 0.5
# Points at which coverage is measured.
POINTS = 400
# Photographs of a mosaic: columns, rows, and the side of a cell in pixels.
COLUMNS, ROWS, CELL = 4, 3, 640
BOOTSTRAP_SAMPLES = 2000


@dataclass(frozen=True)
class Outcome:
    """One photograph under one detector.

    Attributes:
        hidden_from: For each face the highest threshold at which it is hidden; -1 if it never is.
        false_scores: Scores of the false boxes.
    """

    hidden_from: list[float]
    false_scores: list[float]


@dataclass(frozen=True)
class Row:
    """A detector at a threshold, over all photographs."""

    detector: str
    threshold: float
    hidden: float
    hidden_low: float
    hidden_high: float
    photographs_that_show_a_face: float
    false_boxes: float


def outcome(rows: np.ndarray, faces: Sequence[Face], width: int, height: int) -> Outcome:
    """Compare the detections in a photograph with its labels.

    Args:
        rows: (N, 5) or (N, 15) float, see `FaceDetector.detect`.
        faces: All labels.
        width: Of the photograph, pixels.
        height: Of the photograph, pixels.
    """
    counted = [face for face in faces if face.bbox[3] >= MIN_HEIGHT and not _is_ignored(face)]
    detected, labels = (clipped_xyxy(list(boxes), width, height) for boxes in (rows[:, :4], [f.bbox for f in faces]))
    matched = iou_matrix(labels, detected).max(0, initial=0) >= MIN_IOU
    inside = intersections(labels, detected).max(0, initial=0) >= MIN_INSIDE * np.maximum(areas(detected), 1e-9)
    large = rows[:, 3] >= MIN_HEIGHT  # labels of smaller faces are incomplete
    return Outcome([_hidden_from(face, rows) for face in counted], rows[large & ~matched & ~inside, 4].tolist())


def _is_ignored(face: Face) -> bool:
    return face.ignore or bool(face.attributes.get("invalid"))


def _hidden_from(face: Face, rows: np.ndarray) -> float:
    x, y, w, h = face.bbox
    number = np.arange(POINTS) + 0.5
    radius, angle = np.sqrt(number / POINTS) / 2, np.pi * (1 + 5**0.5) * number  # sunflower: evenly over the ellipse
    points = np.column_stack([x + w / 2 + w * radius * np.cos(angle), y + h / 2 + h * radius * np.sin(angle)])
    covered = np.zeros(POINTS, bool)
    for left, top, width, height, score in rows[np.argsort(-rows[:, 4], kind="stable"), :5]:
        half = np.array([width, height]) * WIDEN / 2
        covered |= (((points - [left + width / 2, top + height / 2]) / half) ** 2).sum(1) <= 1
        if covered.mean() >= MIN_COVERED:
            return float(score)
    return -1.0


def lowest_threshold(outcomes: Iterable[Outcome], false_boxes: float) -> float:
    """The lowest threshold, in steps of .01, with at most so many false boxes a photograph."""
    outcomes = list(outcomes)
    scores = np.concatenate([one.false_scores for one in outcomes])
    steps = np.arange(round(100 * LOWEST), 100) / 100
    allowed = [step for step in steps if (scores >= step).sum() <= false_boxes * len(outcomes)]
    return float(allowed[0]) if allowed else 1.0


def summarize(name: str, outcomes: Sequence[Outcome], threshold: float) -> Row:
    """A row of the table, with a 95 % bootstrap interval over photographs."""
    hidden = np.array([sum(score >= threshold for score in one.hidden_from) for one in outcomes])
    faces = np.array([len(one.hidden_from) for one in outcomes])
    false = sum(score >= threshold for one in outcomes for score in one.false_scores)
    counts = generator("detectors").multinomial(len(faces), np.full(len(faces), 1 / len(faces)), BOOTSTRAP_SAMPLES)
    low, high = np.percentile((counts @ hidden) / np.maximum(counts @ faces, 1), (2.5, 97.5))
    with_faces = faces > 0
    shown = float((hidden < faces)[with_faces].mean())
    return Row(name, threshold, float(hidden.sum() / faces.sum()), low, high, shown, false / len(outcomes))


@dataclass(frozen=True)
class Sample:
    """Photographs, one by one or as mosaics.

    Attributes:
        root: The data set.
        items: Photographs of one picture each.
    """

    root: Path
    items: tuple[tuple[Labelled, ...], ...]

    def read(self, item: tuple[Labelled, ...]) -> tuple[np.ndarray, list[Face]]:
        """A picture, (H, W, 3) uint8, and its labels."""
        opened = [open_photograph(self.root, one, Params().ingest) for one in item]
        if len(opened) == 1:
            return opened[0].pixels, list(opened[0].faces)
        canvas, faces = np.full((ROWS * CELL, COLUMNS * CELL, 3), 127, np.uint8), []
        for number, one in enumerate(opened):
            top, left = number // COLUMNS * CELL, number % COLUMNS * CELL
            part = one.pixels[:CELL, :CELL]
            canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
            for face in one.faces:
                x, y, w, h = face.bbox
                faces.append(Face((x + left, y + top, w, h), ignore=face.ignore, attributes=face.attributes))
        return canvas, faces


@dataclass(frozen=True)
class _Measure:
    sample: Sample
    build: Callable[[], FaceDetector]

    def __call__(self, item: tuple[Labelled, ...]) -> Outcome:
        if self.build not in _built:
            _built[self.build] = self.build()
        pixels, faces = self.sample.read(item)
        rows = _built[self.build].detect(pixels, LOWEST)
        return outcome(rows, faces, pixels.shape[1], pixels.shape[0])


_built: dict[Callable[[], FaceDetector], FaceDetector] = {}


def _build(files: tuple[Path, ...], thresholds: tuple[float, ...], size: int | None, tile: int | None) -> FaceDetector:
    opened: list[FaceDetector] = []
    for file in files:
        detector = open_detector(file, size=size)
        opened.append(detector if tile is None else TiledDetector(detector, tile))
    return opened[0] if len(opened) == 1 else JoinedDetector(opened, thresholds)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="detectors (docs/detectors.md)")
    parser.add_argument("--photographs", type=Path, required=True, metavar="DATA", help="a data set with labels")
    parser.add_argument("--split", default="golden", help="train or golden (WIDER FACE's val)")
    parser.add_argument("--every", type=int, default=4, help="take every so manieth photograph")
    parser.add_argument("--size", type=int, action="append", help="longest side for detection; may be repeated")
    parser.add_argument("--false-boxes", type=float, default=1.0, help="at most so many a photograph")
    parser.add_argument("--min-score", type=float, help="threshold of all rows, instead of the lowest allowed")
    parser.add_argument("--join", action="store_true", help="the union of all files, too")
    parser.add_argument("--join-iou", type=float, default=joined.NMS, help="IoU of duplicates in the union")
    parser.add_argument("--mosaic", action="store_true", help="large pictures, with and without tiles")
    parser.add_argument("--workers", type=int, help="processes; default: all cores")
    parser.add_argument("--json", type=Path, help="write the rows here, too")
    arguments = parser.parse_args()
    joined.NMS = arguments.join_iou
    labelled = [one for one in read_labels(arguments.photographs).photographs if one.split in (None, arguments.split)]
    chosen = labelled[:: arguments.every]
    step = COLUMNS * ROWS if arguments.mosaic else 1
    items = tuple(tuple(chosen[start : start + step]) for start in range(0, len(chosen) - step + 1, step))
    sample = Sample(arguments.photographs, items)
    print_header("Faces hidden by detectors", photographs=len(chosen), false_boxes=arguments.false_boxes)
    per_picture = arguments.false_boxes * step
    rows: list[Row] = []
    thresholds: dict[Path, float] = {}

    def measure(name: str, build: Callable[[], FaceDetector]) -> float:
        outcomes = list(ordered_map(_Measure(sample, build), items, name, arguments.workers))
        threshold = arguments.min_score or lowest_threshold(outcomes, per_picture)
        rows.append(summarize(name, outcomes, threshold))
        return threshold

    for file in arguments.files:
        for size in arguments.size or [None]:
            for tile in (None, size or 640) if arguments.mosaic else (None,):
                name = file.stem + (f", {size} px" if size else "") + (f", tiles of {tile} px" if tile else "")
                thresholds[file] = measure(name, partial(_build, (file,), (), size, tile))
    if arguments.join:
        files = tuple(arguments.files)
        build = partial(_build, files, tuple(thresholds[file] for file in files), None, None)
        measure(" + ".join(file.stem for file in files), build)
    print_table(
        ("detector", "threshold", "faces hidden (95 %)", "photographs that show one", "false boxes a photograph"),
        [
            (
                one.detector,
                f"{one.threshold:.2f}",
                f"{100 * one.hidden:.1f} % ({100 * one.hidden_low:.1f} to {100 * one.hidden_high:.1f})",
                f"{100 * one.photographs_that_show_a_face:.1f} %",
                f"{one.false_boxes / step:.2f}",
            )
            for one in rows
        ],
    )
    for file in arguments.files:
        print(f"{file.name}: sha256 {sha256_of(file)}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except FacadeError as error:
        raise SystemExit(f"detectors.py: {error}") from None
