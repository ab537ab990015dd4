"""All that is measured from: the golden set's labels, and what every run of every arm found in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from facade.errors import FacadeError
from facade.measure.arrays import Faces, Found, detection_arrays, ground_truth_arrays
from facade.measure.average_precision import average_precision
from facade.measure.bootstrap import Draws, draw
from facade.measure.coco_results import Results, check_truth, read_runs
from facade.measure.operating_point import Outcome, at_threshold, frozen_threshold
from facade.measure.verdict import FEWEST_UNITS
from facade.params import Evaluate
from facade.seeds import generator


@dataclass(frozen=True)
class Study:
    """The golden set and the arms.

    Attributes:
        truth: Content of the golden set's COCO file.
        faces: The same as arrays.
        seeds: Of the runs, the same in every arm.
        results: By arm, the detections of each run in the golden set, as COCO results.
        found: The same as arrays.
        outcomes: By arm, each run at its operating threshold.
        draws: What the bootstrap drew, the same for every arm.
        own: By arm, AP50 of each run on the arm's own calibration photographs; None where they show no face.
    """

    truth: dict[str, Any]
    faces: Faces
    seeds: list[int]
    results: dict[str, list[Results]]
    found: dict[str, list[Found]]
    outcomes: dict[str, list[Outcome]]
    draws: Draws
    own: dict[str, list[float | None]] = field(default_factory=dict)

    @property
    def calibrated(self) -> bool:
        """Whether every run has an operating threshold."""
        return all(outcome.threshold is not None for own in self.outcomes.values() for outcome in own)

    @property
    def scored(self) -> list[dict[str, Any]]:
        """The annotations of the faces to judge, in their order."""
        return [face for face in self.truth["annotations"] if not face["iscrowd"]]


def read_evaluation(
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
    faces, outcomes, found = ground_truth_arrays(truth), {}, {}
    domain: dict[str, list[float | None]] = {}
    for name, own in results.items():
        found[name] = [detection_arrays(truth, run) for run in own]
        labels = calibration[name]
        known, calibrated = read_runs(labels, {name: detections[name] / "calibration"})
        if known != seeds:
            raise FacadeError(
                f"{detections[name]} has other seeds for calibration, {known}, than {seeds}. `dvc repro`."
            )
        judged = any(not face["iscrowd"] for face in labels["annotations"])
        domain[name] = [average_precision(labels, run)["AP50"] if judged else None for run in calibrated[name]]
        thresholds = [
            frozen_threshold(ground_truth_arrays(labels), detection_arrays(labels, run), params.iou)
            for run in calibrated[name]
        ]
        outcomes[name] = [
            at_threshold(faces, run, at, params.iou) for run, at in zip(found[name], thresholds, strict=True)
        ]
    images = sorted(truth["images"], key=lambda image: image["id"])
    events = None
    if params.resample == "events":
        events = [event_of(image) for image in images]
        if len(set(events)) < FEWEST_UNITS:
            raise FacadeError(
                f"evaluate.resample is events, and the golden set has {len(set(events))}: with fewer than "
                f"{FEWEST_UNITS} nothing is known of how events differ. Use photographs, or more events."
            )
    draws = draw(len(images), len(seeds), params.draws, generator("bootstrap", *seeds), events)
    return Study(truth, faces, seeds, results, found, outcomes, draws, domain)


def event_of(image: dict[str, Any]) -> str:
    """The event of a photograph: the first folder of its name."""
    return PurePosixPath(image["file_name"]).parts[0]
