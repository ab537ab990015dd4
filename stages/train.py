"""Train the detector on one arm, a run for each seed.   python stages/train.py blur   (dvc repro train-blur)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.detector.train import train_arm
from facade.files import write_text
from facade.gate import refuse_unless_passed
from facade.off import pass_on
from facade.params import Params
from facade.stage import ANONYMIZED, MAIN_ARMS, arm, stage


@stage
def train(params: Params) -> None:
    name = arm()
    data, models = Path("data") / name, Path("models") / name
    # Curves of the controls stay with their models: they are off as a rule.
    curves = Path("plots/training") / f"{name}.csv" if name in MAIN_ARMS else models / "training.csv"
    if pass_on(data, models):
        if name in MAIN_ARMS:
            write_text(curves, "epoch,loss\n")
        return
    if name in ANONYMIZED:
        refuse_unless_passed(name, Photographs(data))
    train_arm(
        data=data,
        models=models,
        curves=curves,
        detector=params.detector,
        train=params.train,
        detect=params.detect,
        calibration=params.evaluate.calibration,
        work=Path(".work/train"),
    )
