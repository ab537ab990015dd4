"""Train the detector on one arm, one run per seed.   python stages/train.py blur   (dvc repro train-blur)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.detector.train import initial_weights, train_arm
from facade.files import is_empty_directory, write_empty_directory, write_text
from facade.gate import require_passed_gate
from facade.params import MAIN_ARMS, Params
from facade.stage import arm_argument, stage


@stage
def train(params: Params) -> None:
    name = arm_argument([*MAIN_ARMS, *params.arms.extra])
    data, models = Path("data") / name, Path("models") / name
    curves, validation = Path("plots/training") / f"{name}.csv", Path("plots/calibration") / f"{name}.csv"
    if is_empty_directory(data):  # arms.raw is false
        write_empty_directory(models)
        write_text(curves, "epoch,loss\n")
        write_text(validation, "epoch,AP50\n")
        return
    if name != "raw":
        require_passed_gate(name, Photographs(data))
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
        start=initial_weights(params.detector, Path("models/start")),
    )
