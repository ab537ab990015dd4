"""The comparisons that the experiment is made for: each anonymized arm against raw, and blur against pseudonyms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from facade.errors import FacadeError
from facade.files import read_json
from facade.measure.average_precision import check_results
from facade.measure.bootstrap import Difference, Draws, Resampled, difference, draw, resample
from facade.measure.verdict import Verdict, judge
from facade.measure.weighted import OVERLAPS, matched_run
from facade.params import Evaluate
from facade.seeds import generator

# First arm against second; a loss of the first is negative.
COMPARISONS = (("pseudo", "raw"), ("blur", "raw"), ("blur", "pseudo"))
# Which of COCO's overlaps each metric is the mean over.
METRICS = {"AP50": slice(0, 1), "AP": slice(0, len(OVERLAPS))}


@dataclass(frozen=True)
class Comparison:
    """One arm against another, in one metric.

    Attributes:
        first: Name of the one arm.
        second: Name of the other.
        metric: A key of `METRICS`.
        difference: First minus second.
        verdict: At the margin.
    """

    first: str
    second: str
    metric: str
    difference: Difference
    verdict: Verdict


def compare(truth: dict[str, Any], folders: dict[str, Path], params: Evaluate) -> list[Comparison]:
    """Compare the arms that there are, in every metric, with the same draws of photographs and seeds for all.

    Args:
        truth: Content of the golden set's COCO file.
        folders: `detections/<arm>` of each arm.
        params: Margin, alpha, and how the bootstrap draws.

    Raises:
        FacadeError: The arms have not the same seeds, or detections cannot be scored.
    """
    seeds, results = read_runs(truth, folders)
    images = sorted(truth["images"], key=lambda image: image["id"])
    events = [PurePosixPath(image["file_name"]).parts[0] for image in images] if params.resample == "events" else None
    draws = draw(len(images), len(seeds), params.draws, generator("bootstrap", *seeds), events)
    arms = {name: resample([matched_run(truth, run) for run in own], draws) for name, own in results.items()}
    pairs = [pair for pair in COMPARISONS if set(pair) <= set(arms)]
    return [difference_of(arms, pair, metric, draws, params, len(pairs)) for pair in pairs for metric in METRICS]


def difference_of(
    arms: dict[str, Resampled], pair: tuple[str, str], metric: str, draws: Draws, params: Evaluate, comparisons: int
) -> Comparison:
    """One comparison of two arms, judged as one of several."""
    seen = difference(arms[pair[0]], arms[pair[1]], draws, METRICS[metric])
    return Comparison(*pair, metric, seen, judge(seen, params.margin, params.alpha, comparisons))


def read_runs(
    truth: dict[str, Any], folders: dict[str, Path]
) -> tuple[list[str], dict[str, list[list[dict[str, Any]]]]]:
    """Names of the seeds, and the detections of each arm's runs, in the order of the seeds.

    Raises:
        FacadeError: The arms have not the same seeds, or detections cannot be scored.
    """
    files = {name: sorted(folder.glob("seed-*.json"), key=_seed) for name, folder in folders.items()}
    names = {name: [path.stem for path in paths] for name, paths in files.items()}
    first = next(iter(names.values()))
    for name, seeds in names.items():
        if seeds != first or not seeds:
            raise FacadeError(
                f"{folders[name]} holds the runs {', '.join(seeds) or 'of no seed'}, another arm {', '.join(first)}. "
                "Arms are compared seed by seed: `dvc repro` makes the runs that are missing."
            )
    runs: dict[str, list[list[dict[str, Any]]]] = {}
    for name, paths in files.items():
        runs[name] = [read_json(path) for path in paths]
        for results in runs[name]:
            check_results(truth, results)
    return first, runs


def _seed(path: Path) -> int:
    return int(path.stem.removeprefix("seed-"))


def verdicts(compared: Sequence[Comparison], params: Evaluate) -> dict[str, Any]:
    """The comparisons for metrics/golden.json: the metric that decides with its verdict, the others with intervals."""
    told: dict[str, Any] = {"metric": params.metric, "margin": params.margin, "alpha": params.alpha}
    for one in compared:
        entry = told.setdefault(f"{one.first}_against_{one.second}", {})
        if one.metric == params.metric:
            entry["answer"] = one.verdict.answer
            if one.verdict.answer == "inconclusive":
                entry["photographs_to_decide"] = _count(one.verdict.photographs)
                entry["seeds_to_decide"] = _count(one.verdict.seeds)
        entry[one.metric] = _digits(one.difference.seen)
        entry[f"{one.metric}_low"], entry[f"{one.metric}_high"] = _digits(one.verdict.low), _digits(one.verdict.high)
    return told


def _count(number: int | None) -> int | str:
    return "no number would" if number is None else number


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
