"""Detect faces in the golden set with an arm's models.   python stages/detect.py blur   (dvc repro detect@blur)"""

from pathlib import Path

from facade.detections import detect_arm
from facade.params import Params
from facade.stage import arm, stage


@stage
def detect(params: Params) -> None:
    name = arm()
    detect_arm(
        models=Path("models") / name,
        photographs=Path("data/golden"),
        into=Path("detections") / name,
        detector=params.detector,
        train=params.train,
        detect=params.detect,
    )
