"""The detectors whose misses are recorded: the runs of an arm, or detectors that the user names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facade.dataset import Photographs
from facade.dataset.calibration import calibration_labels
from facade.errors import FacadeError
from facade.footage.box_sources import BoxSource, DetectedBoxes, NetworkBoxes, detector_boxes, open_boxes
from facade.gate import data_hash
from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.coco_results import read_runs
from facade.measure.operating_point import calibrate_threshold
from facade.params import Params


@dataclass(frozen=True)
class CalibratedRuns:
    """Detectors that count together, each with its operating threshold.

    Attributes:
        name: Of the arm that they were trained on; or of the detector.
        version: 16 hexadecimal digits of the hash of the training data; or of the detector's file.
        seeds: Of the runs; 0 for a detector that the user named.
        detectors: One for each run.
        thresholds: Operating threshold of each run.
    """

    name: str
    version: str
    seeds: tuple[int, ...]
    detectors: tuple[BoxSource, ...]
    thresholds: tuple[float, ...]


def calibrated_runs(arm: str, params: Params) -> CalibratedRuns:
    """The detectors of an arm, each with the operating threshold from the calibration photographs.

    Raises:
        FacadeError: They are missing, or were not calibrated.
    """
    data, detections = Path("data") / arm, Path("detections") / arm
    photographs = Photographs(data)
    labels = calibration_labels(photographs.content(), params.evaluate.calibration)
    seeds, results = read_runs(labels, {arm: detections / "calibration"})
    thresholds = []
    for run in results[arm]:
        threshold = calibrate_threshold(ground_truth_arrays(labels), detection_arrays(labels, run), params.evaluate.iou)
        if threshold is None:
            raise FacadeError(
                f"the runs of {arm} have no operating threshold: evaluate.calibration is 0, or its part holds no face."
            )
        thresholds.append(threshold)
    models = Path("models") / arm
    detectors = [detector_boxes(models, seed, params.detect.min_score, None, params.detect) for seed in seeds]
    return CalibratedRuns(arm, data_hash(photographs), tuple(seeds), tuple(detectors), tuple(thresholds))


def named_runs(
    detectors: Sequence[str], min_score: float | None, size: int | None, tiles: bool, params: Params
) -> CalibratedRuns:
    """A detector as `facade anonymize` would use it, as a single run; several are joined.

    Args:
        detectors: As `facade.footage.box_sources.open_boxes` takes them.
        min_score: Score threshold of a face; None for the one that the weights were measured with.
        size: Longest side that pictures are resized to, pixels; None for the detector's own.
        tiles: Whether large pictures are also searched in tiles.
        params: All of params.yaml.

    Raises:
        FacadeError: A detector is missing or damaged, or has no threshold.
    """
    source, threshold = open_boxes(detectors, min_score, size, tiles, "auto", params)
    if isinstance(source, NetworkBoxes):
        names, hashes = [one.network for one in source.detectors], [one.sha256 for one in source.detectors]
    elif isinstance(source, DetectedBoxes):
        names, hashes = [f"{source.weights.parent.name}/{source.weights.name}"], [source.sha256]
    else:
        raise TypeError(f"{type(source).__name__} is no detector")
    sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    return CalibratedRuns(" + ".join(names), sha256[:16], (0,), (source,), (threshold,))
