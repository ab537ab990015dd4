"""Slices: the comparisons on faces of one size, attribute, position or event at a time."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from facade.measure.bootstrap import draw_bootstrap, resample
from facade.measure.compare import METRICS, NOT_MEASURED, RECALL, Comparison, available_pairs, compare_resampled
from facade.measure.golden_evaluation import GoldenEvaluation, event_of
from facade.measure.operating_point import resampled_recall
from facade.measure.verdict import MIN_UNITS
from facade.measure.weighted import match_run
from facade.params import Evaluate
from facade.seeds import generator

# With fewer faces a slice shows noise, so it is not compared. Its photographs must number MIN_UNITS, too.
MIN_FACES = 25
TOO_FEW = "too few faces"
# This many bootstrap samples give a standard error to within 5 %, and there are many slices.
MAX_SAMPLES = 200
# Bin edges of the height, pixels of the golden photograph, and of the number of faces in a photograph.
HEIGHTS = (0, 16, 32, 64, 128, float("inf"))
CROWDS = (1, 2, 6, 21, float("inf"))
# A face is near the border if its center is closer to a side than this fraction of the width or height.
BORDER = 0.15
# The values of WIDER FACE's attributes, in the order of their numbers.
ATTRIBUTES = {
    "blur": ("clear", "normal", "heavy"),
    "expression": ("typical", "exaggerated"),
    "illumination": ("normal", "extreme"),
    "occlusion": ("none", "partial", "heavy"),
    "pose": ("typical", "atypical"),
}


@dataclass(frozen=True)
class Slice:
    """A subset of the golden faces.

    Attributes:
        group: The attribute, for example "occlusion".
        name: Its value, for example "heavy".
        faces: Annotation ids, including ignored faces.
    """

    group: str
    name: str
    faces: frozenset[int]


@dataclass(frozen=True)
class SliceResult:
    """A slice, its number of faces to score, and its comparisons: none where the faces are too few."""

    group: str
    name: str
    faces: int
    compared: tuple[Comparison, ...]


def golden_slices(truth: dict[str, Any]) -> Iterator[Slice]:
    """The slices that the labels of a golden set allow; a face is in at most one slice of a group."""
    images = {image["id"]: image for image in truth["images"]}
    faces = truth["annotations"]
    counts = dict.fromkeys(images, 0)
    for face in faces:
        counts[face["image_id"]] += 1
    for low, high in pairwise(HEIGHTS):
        name = f"{low:g} to {high:g} px" if high < HEIGHTS[-1] else f"from {low:g} px"
        yield Slice("height", name, _ids(face for face in faces if low <= face["bbox"][3] < high))
    for key, words in ATTRIBUTES.items():
        for value, word in enumerate(words):
            yield Slice(key, word, _ids(face for face in faces if face.get(key) == value))
    for domain in sorted({image.get("domain", "") for image in images.values()} - {""}):
        own = _ids(face for face in faces if images[face["image_id"]].get("domain") == domain)
        yield Slice("domain", domain, own)
    for low, high in pairwise(CROWDS):
        name = f"{low:g} to {high - 1:g}" if high - 1 > low else f"{low:g}"
        name = name if high < CROWDS[-1] else f"from {low:g}"
        yield Slice("faces in photo", name, _ids(face for face in faces if low <= counts[face["image_id"]] < high))
    for name in ("inside", "near the border", "cut by the border"):
        yield Slice("place", name, _ids(face for face in faces if _position(face, images[face["image_id"]]) == name))
    events = {number: event_of(image) for number, image in images.items()}
    if len(set(events.values())) < len(events):
        for event in sorted(set(events.values())):
            yield Slice("event", event, _ids(face for face in faces if events[face["image_id"]] == event))


def _ids(faces: Iterator[dict[str, Any]]) -> frozenset[int]:
    return frozenset(face["id"] for face in faces)


def _position(face: dict[str, Any], image: dict[str, Any]) -> str:
    x, y, w, h = face["bbox"]
    if x <= 0 or y <= 0 or x + w >= image["width"] or y + h >= image["height"]:
        return "cut by the border"
    across, down = (x + w / 2) / image["width"], (y + h / 2) / image["height"]
    return "near the border" if min(across, 1 - across, down, 1 - down) < BORDER else "inside"


def compare_slices(evaluation: GoldenEvaluation, params: Evaluate) -> list[SliceResult]:
    """Compare the arms on every slice in AP50 and in recall; faces of other slices are ignored.

    A detection that matches no face at all is a false positive in every slice. Limits are those of a single comparison:
    there are many slices, and for one in twenty the true difference is outside its limits by chance.

    Args:
        evaluation: The golden set and the arms.
        params: Margin and alpha.
    """
    faces, seeds, whole = evaluation.faces, evaluation.seeds, evaluation.bootstrap
    by_photograph = draw_bootstrap(
        len(evaluation.truth["images"]), len(seeds), MAX_SAMPLES, generator("slices", *seeds)
    )
    shortened = replace(
        whole,
        photograph_counts=whole.photograph_counts[:MAX_SAMPLES],
        seed_indices=whole.seed_indices[:MAX_SAMPLES],
    )
    results = []
    for part in golden_slices(evaluation.truth):
        in_slice = np.array([face["id"] in part.faces for face in evaluation.scored_faces])
        count = int(in_slice.sum())
        if count == 0:
            continue
        compared: list[Comparison] = []
        # With whole events resampled, a single event has no variance: its photographs are resampled instead.
        bootstrap = by_photograph if part.group == "event" else shortened
        mask = faces.mask(part.faces)
        units = bootstrap.units_with(faces.photograph[mask & ~faces.ignored])
        if count >= MIN_FACES and units >= MIN_UNITS:
            precision = {
                name: resample([match_run(faces, run, (0.5,), mask) for run in own], bootstrap)
                for name, own in evaluation.detections.items()
            }
            recall = {
                name: resampled_recall(faces, own, bootstrap, in_slice) for name, own in evaluation.points.items()
            }
            for pair in available_pairs(list(evaluation.results)):
                compared.append(compare_resampled(precision, pair, "AP50", METRICS["AP50"], bootstrap, params, units))
                compared.append(compare_resampled(recall, pair, RECALL, slice(None), bootstrap, params, units))
        results.append(SliceResult(part.group, part.name, count, tuple(compared)))
    return results


def slices_table(slices: Sequence[SliceResult]) -> str:
    """The slices as CSV: group, slice, faces, metric, comparison, difference, lower and upper limit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "slice", "faces", "metric", "comparison", "difference", "low", "high"])
    for part in slices:
        head = [part.group, part.name, part.faces]
        if not part.compared:
            writer.writerow([*head, TOO_FEW, "", "", "", ""])
        for one in part.compared:
            values = (one.difference.estimate, one.decision.low, one.decision.high)
            cells = [f"{value:.4f}" if math.isfinite(value) else NOT_MEASURED for value in values]
            writer.writerow([*head, one.metric, f"{one.first} minus {one.second}", *cells])
    return text.getvalue()
