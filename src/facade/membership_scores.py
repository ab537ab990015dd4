"""How confident the detectors of an arm are in untreated faces that they were trained on, and of others."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from facade.dataset import Photographs
from facade.dataset.calibration import calibration_files
from facade.detections import DetectionPart, detect_arm
from facade.files import is_empty_directory, read_json, scratch_directory, write_json
from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.precision_recall import closest_detections
from facade.params import Params

# Name of the part in `detect_arm`.
PART = "membership"
# Photographs to query of either kind: an AUC of .5 then has an interval of some .03 to either side.
MAX_PHOTOGRAPHS = 1000
# Members for each non-member: more of one kind alone hardly narrow an interval.
MEMBERS_PER_OTHER = 3
# A detection with at least this IoU is one of the face.
IOU = 0.5


def query_files(files: Iterable[str], percent: float) -> list[str]:
    """Names of the photographs to query, the same for all arms: calibration photographs, and some of the others.

    Args:
        files: Names of all training photographs.
        percent: `evaluate.calibration`.

    Returns:
        Sorted. Empty without calibration photographs: then none is known not to be a member.
    """
    names = sorted(files, key=lambda file: hashlib.sha256(f"membership {file}".encode()).digest())
    held_out = calibration_files(names, percent)
    others = [file for file in names if file in held_out][:MAX_PHOTOGRAPHS]
    members = [file for file in names if file not in held_out]
    return sorted([*others, *members[: min(MAX_PHOTOGRAPHS, MEMBERS_PER_OTHER * len(others))]])


def membership_part(train: Photographs, percent: float) -> DetectionPart:
    """The untreated photographs that every arm's detectors are run on, with their labels.

    Args:
        train: The untreated training photographs.
        percent: `evaluate.calibration`.
    """
    content = train.content()
    files = frozenset(query_files((image["file_name"] for image in content["images"]), percent))
    images = [image for image in content["images"] if image["file_name"] in files]
    kept = {image["id"] for image in images}
    faces = [face for face in content["annotations"] if face["image_id"] in kept]
    return DetectionPart(train.root, files, {**content, "images": images, "annotations": faces})


def reduce_to_scores(part: DetectionPart, detections: Path, start: Path, params: Params, work: Path) -> None:
    """Replace the detections of an arm in untreated photographs by what membership inference needs of them.

    Args:
        part: From `membership_part`.
        detections: `detections/<arm>`, with the part. Its folder `membership/` becomes the file `membership.json`.
            `photographs`: names. `face_photograph`: of each face the index of its photograph. `heights`: of each face,
            pixels. `scores`: by run, of each face the highest score of a detection of it. `start_scores`: the same of
            the initial weights, which have seen none of the photographs; empty where there are none.
        start: `models/start`.
        params: All of params.yaml.
        work: Folder for what is needed meanwhile.

    Raises:
        FacadeError: The initial weights are missing.
        ValueError: The part has no labels.
    """
    if part.labels is None:
        raise ValueError("the part has no labels; membership_part makes one that has")
    truth = ground_truth_arrays(part.labels)
    start_scores: dict[str, list[float]] = {}
    if not is_empty_directory(start):  # detector.weights is not drawn
        train = params.train.model_copy(update={"seeds": (params.pretrain.seed,)})
        with scratch_directory(work) as scratch:
            detect_arm(start, {PART: part}, scratch / "start", params.detector, train, params.detect)
            start_scores = _best_scores(part.labels, scratch / "start" / PART)
    scores = _best_scores(part.labels, detections / PART)
    write_json(
        detections / f"{PART}.json",
        {
            # GroundTruth numbers photographs by id.
            "photographs": [one["file_name"] for one in sorted(part.labels["images"], key=lambda one: one["id"])],
            "face_photograph": truth.photograph[~truth.ignored].tolist(),
            "heights": truth.boxes[~truth.ignored, 3].round(2).tolist(),
            "scores": scores,
            "start_scores": start_scores,
        },
    )
    shutil.rmtree(detections / PART)


def _best_scores(labels: dict[str, Any], folder: Path) -> dict[str, list[float]]:
    """By run, of each face the highest score of a detection of it; 0 where there is none."""
    truth = ground_truth_arrays(labels)
    scores = {}
    for path in sorted(folder.glob("seed-*.json"), key=lambda path: int(path.stem.removeprefix("seed-"))):
        best = closest_detections(truth, detection_arrays(labels, read_json(path)), IOU)[1]
        scores[path.stem] = np.round(best[~truth.ignored], 6).tolist()
    return scores
