"""Train the detector on one arm, a run for each seed.   python stages/train.py blur   (dvc repro train-blur)"""

from pathlib import Path

from facade.detector.train import train_arm
from facade.params import Params
from facade.stage import arm, stage


@stage
def train(params: Params) -> None:
    name = arm()
    train_arm(
        data=Path("data") / name,
        models=Path("models") / name,
        curves=Path("plots/training") / f"{name}.csv",
        detector=params.detector,
        train=params.train,
        detect=params.detect,
        work=Path(".work/train"),
    )
