"""Pretrain the detector on drawn people, as initial weights of all runs, if detector.weights is drawn.

python stages/pretrain.py   (dvc repro pretrain)
"""

from pathlib import Path

from facade.demo.pretraining import write_pretraining_set
from facade.detector.train import train_arm
from facade.files import write_empty_directory
from facade.params import Params
from facade.stage import stage


@stage
def pretrain(params: Params) -> None:
    into, work = Path("models/start"), Path(".work/pretrain")
    if params.detector.weights != "drawn":
        write_empty_directory(into)  # detector.weights is not drawn
        return
    drawn, settings = work / "start", params.pretrain
    write_pretraining_set(settings, params.codec, params.ingest.min_face, drawn)
    # A single run with a seed of its own, so that train.seeds may change; without a calibration part.
    train = params.train.model_copy(update={"seeds": (settings.seed,), "epochs": settings.epochs, "val_interval": 0})
    detector = params.detector.model_copy(update={"weights": None})
    train_arm(
        data=drawn,
        models=into,
        curves=work / "curves.csv",
        validation=work / "validation.csv",
        detector=detector,
        train=train,
        detect=params.detect,
        calibration=0,
        work=Path(".work/train"),
    )
