"""Train the start that all runs share, on drawn people alone, if detector.weights is drawn.   (dvc repro pretrain)"""

from pathlib import Path

from facade.demo.pretraining import write_drawn
from facade.detector.train import train_arm
from facade.off import switch_off
from facade.params import Params
from facade.stage import stage


@stage
def pretrain(params: Params) -> None:
    into, work = Path("models/start"), Path(".work/pretrain")
    if params.detector.weights != "drawn":
        switch_off(into, "detector.weights is not drawn")
        return
    drawn, own = work / "start", params.pretrain
    write_drawn(own, params.codec, params.ingest.min_face, drawn)
    # One run. Its own seed, so that train.seeds may change; its own calibration part would teach nobody anything.
    train = params.train.model_copy(update={"seeds": (own.seed,), "epochs": own.epochs, "val_interval": 0})
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
