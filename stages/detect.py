"""Detect faces with an arm's models: in the golden set, in the arm's calibration photographs, and in the patches.

python stages/detect.py blur   (dvc repro detect@blur)
"""

from pathlib import Path

from facade.detections import Part, calibration_part, detect_arm
from facade.off import is_off, pass_on
from facade.params import Params
from facade.stage import arm, stage


@stage
def detect(params: Params) -> None:
    name = arm()
    models, into = Path("models") / name, Path("detections") / name
    if pass_on(models, into):
        return
    parts = {
        "golden": Part(Path("data/golden")),
        "calibration": calibration_part(Path("data") / name, params.evaluate.calibration),
    }
    if not is_off(Path("data/patches")):
        parts["patches"] = Part(Path("data/patches"))
    detect_arm(
        models=models,
        parts=parts,
        into=into,
        detector=params.detector,
        train=params.train,
        detect=params.detect,
    )
