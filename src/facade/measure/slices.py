"""Where a loss falls: the comparisons again, on faces of one size, one attribute, one place or one event at a time."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from facade.measure.bootstrap import draw, resample
from facade.measure.compare import METRICS, NOT_MEASURED, RECALL, Comparison, difference_of, pairs_of
from facade.measure.golden_evaluation import Study, event_of
from facade.measure.operating_point import resampled_recall
from facade.measure.verdict import FEWEST_UNITS
from facade.measure.weighted import matched_run
from facade.params import Evaluate
from facade.seeds import generator

# Faces below which a slice shows noise, and says so instead; they lie in several photographs, too.
FEWEST = 25
TOO_FEW = "too few faces"
# So many draws tell an error to within five percent of it, and there are many slices.
MOST_DRAWS = 200
# Bounds of the heights, pixels of the golden photograph, and of how many faces a photograph has.
HEIGHTS = (0, 16, 32, 64, 128, float("inf"))
CROWDS = (1, 2, 6, 21, float("inf"))
# A face whose middle lies in this share of the width or height from a side is near the border.
BORDER = 0.15
# What WIDER FACE's numbers mean.
ATTRIBUTES = {
    "blur": ("clear", "normal", "heavy"),
    "expression": ("typical", "exaggerated"),
    "illumination": ("normal", "extreme"),
    "occlusion": ("none", "partial", "heavy"),
    "pose": ("typical", "atypical"),
}


@dataclass(frozen=True)
class Slice:
    """Some of the golden faces.

    Attributes:
        group: What they are told apart by, for example "occlusion".
        name: Which of its values, for example "heavy".
        faces: Ids of their annotations, the ignored ones too.
    """

    group: str
    name: str
    faces: frozenset[int]


@dataclass(frozen=True)
class Sliced:
    """What a slice shows: how many faces to judge it has, and the comparisons, none where they are too few."""

    group: str
    name: str
    faces: int
    compared: tuple[Comparison, ...]


def slices_of(truth: dict[str, Any]) -> Iterator[Slice]:
    """The slices that the labels of a golden set allow; each face is in one of a group at most."""
    images = {image["id"]: image for image in truth["images"]}
    faces = truth["annotations"]
    crowd = dict.fromkeys(images, 0)
    for face in faces:
        crowd[face["image_id"]] += 1
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
        yield Slice("faces in photo", name, _ids(face for face in faces if low <= crowd[face["image_id"]] < high))
    for place in ("inside", "near the border", "cut by the border"):
        yield Slice("place", place, _ids(face for face in faces if _place(face, images[face["image_id"]]) == place))
    events = {number: event_of(image) for number, image in images.items()}
    if len(set(events.values())) < len(events):
        for event in sorted(set(events.values())):
            yield Slice("event", event, _ids(face for face in faces if events[face["image_id"]] == event))


def _ids(faces: Iterator[dict[str, Any]]) -> frozenset[int]:
    return frozenset(face["id"] for face in faces)


def _place(face: dict[str, Any], image: dict[str, Any]) -> str:
    x, y, w, h = face["bbox"]
    if x <= 0 or y <= 0 or x + w >= image["width"] or y + h >= image["height"]:
        return "cut by the border"
    across, down = (x + w / 2) / image["width"], (y + h / 2) / image["height"]
    return "near the border" if min(across, 1 - across, down, 1 - down) < BORDER else "inside"


def compare_slices(study: Study, params: Evaluate) -> list[Sliced]:
    """Compare the arms on every slice in AP50 and in recall, faces of other slices being neither right nor wrong.

    A detection that finds no face at all is wrong in every slice. Limits are those of one comparison: there are many
    slices, and one in twenty lies beside its limits by chance.

    Args:
        study: The golden set and the arms.
        params: Margin and alpha.
    """
    photographs = len(study.truth["images"])
    by_photograph = draw(photographs, len(study.seeds), MOST_DRAWS, generator("slices", *study.seeds))
    study_draws = replace(
        study.draws, photographs=study.draws.photographs[:MOST_DRAWS], seeds=study.draws.seeds[:MOST_DRAWS]
    )
    sliced = []
    for part in slices_of(study.truth):
        counted = np.array([face["id"] in part.faces for face in study.scored])
        faces = int(counted.sum())
        if faces == 0:
            continue
        compared: list[Comparison] = []
        # An event is one draw where events are drawn: within it only photographs can tell.
        draws = by_photograph if part.group == "event" else study_draws
        judged = study.faces.among(part.faces) & ~study.faces.ignored
        units = draws.carrying(study.faces.photograph[judged])
        if faces >= FEWEST and units >= FEWEST_UNITS:
            own_faces = study.faces.among(part.faces)
            precision = {
                name: resample([matched_run(study.faces, run, (0.5,), own_faces) for run in own], draws)
                for name, own in study.found.items()
            }
            recall = {name: resampled_recall(study.faces, own, draws, counted) for name, own in study.outcomes.items()}
            for pair in pairs_of(list(study.results)):
                compared.append(difference_of(precision, pair, "AP50", METRICS["AP50"], draws, params, units))
                compared.append(difference_of(recall, pair, RECALL, slice(None), draws, params, units))
        sliced.append(Sliced(part.group, part.name, faces, tuple(compared)))
    return sliced


def table(sliced: Sequence[Sliced]) -> str:
    """The slices as CSV: group, slice, faces, metric, comparison, difference, lower and upper limit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "slice", "faces", "metric", "comparison", "difference", "low", "high"])
    for part in sliced:
        head = [part.group, part.name, part.faces]
        if not part.compared:
            writer.writerow([*head, TOO_FEW, "", "", "", ""])
        for one in part.compared:
            numbers = (one.difference.seen, one.verdict.low, one.verdict.high)
            told = [f"{value:.4f}" if math.isfinite(value) else NOT_MEASURED for value in numbers]
            writer.writerow([*head, one.metric, f"{one.first} minus {one.second}", *told])
    return text.getvalue()
