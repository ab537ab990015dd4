"""Where a loss falls: the comparisons again, on faces of one size, one attribute or one event at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from facade.measure.bootstrap import draw, resample
from facade.measure.compare import COMPARISONS, Comparison, difference_of, read_runs
from facade.measure.weighted import matched_run
from facade.params import Evaluate
from facade.seeds import generator

# Faces below which a slice shows noise, and says so instead.
FEWEST = 25
# Bounds of the heights, pixels of the golden photograph.
HEIGHTS = (0, 16, 32, 64, 128, float("inf"))
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
        holds: Says of an annotation whether it is one of them.
    """

    group: str
    name: str
    holds: Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Sliced:
    """What a slice shows: how many faces it has, and the comparisons, none where they are too few."""

    group: str
    name: str
    faces: int
    compared: tuple[Comparison, ...]


def slices_of(truth: dict[str, Any]) -> Iterator[Slice]:
    """The slices that the labels of a golden set allow, each with a face in it."""
    for low, high in pairwise(HEIGHTS):
        name = f"{low:g} to {high:g} px" if high < HEIGHTS[-1] else f"from {low:g} px"
        yield Slice("height", name, partial(_is_high, low, high))
    for key, words in ATTRIBUTES.items():
        for value, word in enumerate(words):
            yield Slice(key, word, partial(_is_labelled, key, value))
    events = {image["id"]: PurePosixPath(image["file_name"]).parts[0] for image in truth["images"]}
    if len(set(events.values())) < len(events):
        for event in sorted(set(events.values())):
            yield Slice("event", event, partial(_is_of, {image for image in events if events[image] == event}))


def _is_high(low: float, high: float, face: dict[str, Any]) -> bool:
    return bool(low <= face["bbox"][3] < high)


def _is_labelled(key: str, value: int, face: dict[str, Any]) -> bool:
    return bool(face.get(key) == value)


def _is_of(images: set[int], face: dict[str, Any]) -> bool:
    return face["image_id"] in images


def compare_slices(truth: dict[str, Any], folders: dict[str, Path], params: Evaluate) -> list[Sliced]:
    """Compare the arms on every slice in AP50, faces of other slices being neither right nor wrong.

    A detection that finds no face at all is wrong in every slice. Limits are those of one comparison: there are many
    slices, and one in twenty lies beside its limits by chance.

    Args:
        truth: Content of the golden set's COCO file.
        folders: `detections/<arm>` of each arm.
        params: Margin, alpha, and how many draws.
    """
    seeds, results = read_runs(truth, folders)
    draws = draw(len(truth["images"]), len(seeds), params.draws, generator("slices", *seeds))
    pairs = [pair for pair in COMPARISONS if set(pair) <= set(results)]
    sliced = []
    for part in slices_of(truth):
        faces = sum(part.holds(face) and not face["iscrowd"] for face in truth["annotations"])
        if faces == 0:
            continue
        compared: tuple[Comparison, ...] = ()
        if faces >= FEWEST:
            arms = {
                name: resample([matched_run(truth, run, (0.5,), part.holds) for run in own], draws)
                for name, own in results.items()
            }
            compared = tuple(difference_of(arms, pair, "AP50", draws, params, 1) for pair in pairs)
        sliced.append(Sliced(part.group, part.name, faces, compared))
    return sliced


def table(sliced: list[Sliced]) -> str:
    """The slices as CSV: group, slice, faces, comparison, difference in AP50, lower and upper limit."""
    rows = ["group,slice,faces,comparison,AP50,low,high"]
    for part in sliced:
        head = f"{part.group},{part.name},{part.faces}"
        if not part.compared:
            rows.append(f"{head},too few faces,,,")
        for one in part.compared:
            verdict = one.verdict
            numbers = f"{one.difference.seen:.4f},{verdict.low:.4f},{verdict.high:.4f}"
            rows.append(f"{head},{one.first} minus {one.second},{numbers}")
    return "\n".join(rows) + "\n"
