"""Train the detector on one arm, a run for each seed.   python stages/train.py blur   (dvc repro train-blur)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.detector.train import start_of, train_arm
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
    kept = name in MAIN_ARMS
    curves = Path("plots/training") / f"{name}.csv" if kept else models / "training.csv"
    validation = Path("plots/calibration") / f"{name}.csv" if kept else models / "calibration.csv"
    if pass_on(data, models):
        if kept:
            write_text(curves, "epoch,loss\n")
            write_text(validation, "epoch,AP50\n")
        return
    if name in ANONYMIZED:
        refuse_unless_passed(name, Photographs(data))
    train_arm(
        data=data,
        models=models,
        curves=curves,
        validation=validation,
        detector=params.detector,
        train=params.train,
        detect=params.detect,
        calibration=params.evaluate.calibration,
        work=Path(".work/train"),
        start=start_of(params.detector, Path("models/start")),
    )
