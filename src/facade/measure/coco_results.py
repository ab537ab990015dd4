"""Read and check the detections that the detect stage wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facade.errors import FacadeError
from facade.files import read_json
from facade.params import stage_of

# COCO results of one run.
Results = list[dict[str, Any]]


def read_runs(truth: dict[str, Any], folders: Mapping[str, Path]) -> tuple[list[int], dict[str, list[Results]]]:
    """The seeds, and the detections of each arm's runs in the order of the seeds.

    Args:
        truth: Content of the COCO file of the photographs.
        folders: `detections/<arm>/<part>` of each arm.

    Raises:
        FacadeError: An arm has no run, the arms have different seeds, or detections cannot be scored.
    """
    files = {name: sorted(folder.glob("seed-*.json"), key=_seed) for name, folder in folders.items()}
    seeds = {name: [_seed(path) for path in paths] for name, paths in files.items()}
    first = next(iter(seeds.values()))
    for name, own in seeds.items():
        if not own:
            raise FacadeError(f"{folders[name]} holds no detections. Run `dvc repro {stage_of('detect', name)}`.")
        if own != first:
            raise FacadeError(
                f"{folders[name]} holds runs of the seeds {own}, another arm of {first}. Arms are compared seed by "
                "seed: run `dvc repro` for the missing runs."
            )
    runs = {name: [read_json(path) for path in paths] for name, paths in files.items()}
    for name, own_runs in runs.items():
        for path, results in zip(files[name], own_runs, strict=True):
            check_results(truth, results, str(path))
    return first, runs


def _seed(path: Path) -> int:
    return int(path.stem.removeprefix("seed-"))


def check_truth(truth: dict[str, Any]) -> None:
    """Reject labels on which nothing can be measured.

    Raises:
        FacadeError: Two photographs have the same id, or there is no face to score.
    """
    ids = [image["id"] for image in truth["images"]]
    if len(set(ids)) < len(ids):
        duplicates = sorted({number for number in ids if ids.count(number) > 1})
        raise FacadeError(f"the golden set has several photographs with id {duplicates[0]}. Run `dvc repro ingest`.")
    if not any(not annotation["iscrowd"] for annotation in truth["annotations"]):
        raise FacadeError("the golden set has no face to score: nothing can be measured on it.")


def check_results(truth: dict[str, Any], results: Results, name: str = "the detections") -> None:
    """Reject results that cannot be scored.

    Raises:
        FacadeError: A result has no finite score or box, or refers to an unknown photograph.
    """
    known = {image["id"] for image in truth["images"]}
    if _all_valid(known, results):
        return
    for number, result in enumerate(results):
        try:
            finite = np.isfinite([result["score"], *result["bbox"]]).all() and len(result["bbox"]) == 4
            image = result["image_id"]
        except (KeyError, TypeError, ValueError):
            raise FacadeError(f"{name}, number {number}, is not a COCO result: {str(result)[:120]}.") from None
        if not finite:
            raise FacadeError(f"{name}, number {number}, has a score or box that is not finite: {result}.")
        if image not in known:
            raise FacadeError(f"{name}, number {number}, refers to photograph {image}, which is not in the data set.")


def _all_valid(known: set[int], results: Results) -> bool:
    """Whether all results can be scored: a fast check of the whole list, which nearly always passes."""
    try:
        numbers = np.array([(result["score"], *result["bbox"]) for result in results], float).reshape(-1, 5)
        return bool(np.isfinite(numbers).all()) and {result["image_id"] for result in results} <= known
    except (KeyError, TypeError, ValueError):
        return False
