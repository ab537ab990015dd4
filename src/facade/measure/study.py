"""All that is measured from: the golden set's labels, and what every run of every arm found in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from facade.errors import FacadeError
from facade.measure.bootstrap import Draws, draw
from facade.measure.operating import Outcome, at_threshold, frozen_threshold
from facade.measure.runs import Results, check_truth, read_runs
from facade.params import Evaluate
from facade.seeds import generator

# Fewer events than this tell nothing of how events differ.
FEWEST_EVENTS = 5


@dataclass(frozen=True)
class Study:
    """The golden set and the arms.

    Attributes:
        truth: Content of the golden set's COCO file.
        seeds: Of the runs, the same in every arm.
        results: By arm, the detections of each run in the golden set.
        outcomes: By arm, each run at its operating threshold.
        draws: What the bootstrap drew, the same for every arm.
    """

    truth: dict[str, Any]
    seeds: list[int]
    results: dict[str, list[Results]]
    outcomes: dict[str, list[Outcome]]
    draws: Draws

    @property
    def scored(self) -> list[dict[str, Any]]:
        """The annotations of the faces to judge, in their order."""
        return [face for face in self.truth["annotations"] if not face["iscrowd"]]


def read_study(
    truth: dict[str, Any], calibration: Mapping[str, dict[str, Any]], detections: Mapping[str, Path], params: Evaluate
) -> Study:
    """Read what every run found, and fix its operating threshold on the calibration part.

    Args:
        truth: Content of the golden set's COCO file.
        calibration: Content of the COCO file of each arm's calibration photographs.
        detections: `detections/<arm>` of each arm.
        params: How many draws, of what, and the overlap from which a detection is right.

    Raises:
        FacadeError: Something cannot be scored, runs are missing, or there are too few events to draw from.
    """
    check_truth(truth)
    seeds, results = read_runs(truth, {name: folder / "golden" for name, folder in detections.items()})
    outcomes = {}
    for name, own in results.items():
        _, calibrated = read_runs(calibration[name], {name: detections[name] / "calibration"})
        thresholds = [frozen_threshold(calibration[name], run, params.iou) for run in calibrated[name]]
        outcomes[name] = [at_threshold(truth, run, at, params.iou) for run, at in zip(own, thresholds, strict=True)]
    images = sorted(truth["images"], key=lambda image: image["id"])
    events = None
    if params.resample == "events":
        events = [event_of(image) for image in images]
        if len(set(events)) < FEWEST_EVENTS:
            raise FacadeError(
                f"evaluate.resample is events, and the golden set has {len(set(events))}: with fewer than "
                f"{FEWEST_EVENTS} nothing is known of how events differ. Use photographs, or more events."
            )
    draws = draw(len(images), len(seeds), params.draws, generator("bootstrap", *seeds), events)
    return Study(truth, seeds, results, outcomes, draws)


def event_of(image: dict[str, Any]) -> str:
    """The event of a photograph: the first folder of its name."""
    return PurePosixPath(image["file_name"]).parts[0]
