"""The inputs of all metrics: the labels of the golden set, and the detections of every run of every arm on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from facade.errors import FacadeError
from facade.measure.arrays import Detections, GroundTruth, detection_arrays, ground_truth_arrays
from facade.measure.average_precision import average_precision
from facade.measure.bootstrap import BootstrapSamples, draw_bootstrap
from facade.measure.coco_results import Results, check_truth, read_runs
from facade.measure.operating_point import OperatingPoint, calibrate_threshold, evaluate_at_threshold
from facade.measure.verdict import MIN_UNITS
from facade.params import Evaluate
from facade.seeds import generator


@dataclass(frozen=True)
class GoldenEvaluation:
    """The golden set and what the runs of all arms detect in it.

    Attributes:
        truth: Content of the golden set's COCO file.
        faces: The same as arrays.
        seeds: Seeds of the runs, the same in every arm.
        results: By arm, the detections of each run on the golden set, as COCO results.
        detections: The same as arrays.
        points: By arm, each run at its operating threshold.
        bootstrap: The bootstrap samples, the same for every arm.
        calibration_ap50: By arm, AP50 of each run on the arm's own calibration photographs; None where they show no
            face.
    """

    truth: dict[str, Any]
    faces: GroundTruth
    seeds: list[int]
    results: dict[str, list[Results]]
    detections: dict[str, list[Detections]]
    points: dict[str, list[OperatingPoint]]
    bootstrap: BootstrapSamples
    calibration_ap50: dict[str, list[float | None]] = field(default_factory=dict)

    @property
    def calibrated(self) -> bool:
        """Whether every run has an operating threshold."""
        return all(point.threshold is not None for own in self.points.values() for point in own)

    @property
    def scored_faces(self) -> list[dict[str, Any]]:
        """The annotations of the faces to score, in their order."""
        return [face for face in self.truth["annotations"] if not face["iscrowd"]]


def read_evaluation(
    truth: dict[str, Any], calibration: Mapping[str, dict[str, Any]], detections: Mapping[str, Path], params: Evaluate
) -> GoldenEvaluation:
    """Read the detections of every run, and calibrate its operating threshold.

    Args:
        truth: Content of the golden set's COCO file.
        calibration: Content of the COCO file of each arm's calibration photographs.
        detections: `detections/<arm>` of each arm.
        params: Number and unit of the bootstrap samples, and the IoU threshold for a true positive.

    Raises:
        FacadeError: Detections cannot be scored, runs are missing, or there are too few events to resample.
    """
    check_truth(truth)
    seeds, results = read_runs(truth, {name: folder / "golden" for name, folder in detections.items()})
    faces, points, arrays = ground_truth_arrays(truth), {}, {}
    calibration_ap50: dict[str, list[float | None]] = {}
    for name, own in results.items():
        arrays[name] = [detection_arrays(truth, run) for run in own]
        labels = calibration[name]
        calibration_seeds, calibration_runs = read_runs(labels, {name: detections[name] / "calibration"})
        if calibration_seeds != seeds:
            raise FacadeError(
                f"{detections[name]} has calibration runs of the seeds {calibration_seeds}, but golden runs of "
                f"{seeds}. Run `dvc repro`."
            )
        has_faces = any(not face["iscrowd"] for face in labels["annotations"])
        calibration_ap50[name] = [
            average_precision(labels, run)["AP50"] if has_faces else None for run in calibration_runs[name]
        ]
        thresholds = [
            calibrate_threshold(ground_truth_arrays(labels), detection_arrays(labels, run), params.iou)
            for run in calibration_runs[name]
        ]
        points[name] = [
            evaluate_at_threshold(faces, run, threshold, params.iou)
            for run, threshold in zip(arrays[name], thresholds, strict=True)
        ]
    images = sorted(truth["images"], key=lambda image: image["id"])
    events = None
    if params.resample == "events":
        events = [event_of(image) for image in images]
        if len(set(events)) < MIN_UNITS:
            raise FacadeError(
                f"evaluate.resample is events, but the golden set has only {len(set(events))}: the variance between "
                f"events cannot be estimated from fewer than {MIN_UNITS}. Use photographs, or more events."
            )
    bootstrap = draw_bootstrap(
        len(images), len(seeds), params.bootstrap_samples, generator("bootstrap", *seeds), events
    )
    return GoldenEvaluation(truth, faces, seeds, results, arrays, points, bootstrap, calibration_ap50)


def event_of(image: dict[str, Any]) -> str:
    """The event of a photograph: the first folder of its file name."""
    return PurePosixPath(image["file_name"]).parts[0]
