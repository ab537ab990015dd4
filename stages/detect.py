"""Detect faces with an arm's models: in the golden set, the arm's calibration photographs, untreated ones, and patches.

python stages/detect.py blur   (dvc repro detect@blur)
"""

from pathlib import Path

from facade.dataset import Photographs
from facade.detections import DetectionPart, calibration_part, detect_arm
from facade.files import is_empty_directory, write_empty_directory
from facade.membership_scores import PART, membership_part, reduce_to_scores
from facade.params import MAIN_ARMS, Params
from facade.stage import arm_argument, stage


@stage
def detect(params: Params) -> None:
    name = arm_argument([*MAIN_ARMS, *params.arms.extra])
    models, into = Path("models") / name, Path("detections") / name
    if is_empty_directory(models):  # arms.raw is false
        write_empty_directory(into)
        return
    untreated = membership_part(Photographs("data/train"), params.evaluate.calibration)
    parts = {
        PART: untreated,
        "golden": DetectionPart(Path("data/golden")),
        "calibration": calibration_part(Path("data") / name, params.evaluate.calibration),
    }
    if not is_empty_directory(Path("data/patches")):
        parts["patches"] = DetectionPart(Path("data/patches"))
    detect_arm(
        models=models,
        parts=parts,
        into=into,
        detector=params.detector,
        train=params.train,
        detect=params.detect,
    )
    reduce_to_scores(untreated, into, Path("models/start"), params, Path(".work/membership") / name)
