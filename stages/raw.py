"""Photographs whose faces are as they were: the raw arm, and controls.   python stages/raw.py   (dvc repro raw)"""

from pathlib import Path

from facade.anonymize import keep, treat
from facade.anonymize.controls import Recode, drop_photographs
from facade.dataset import Photographs
from facade.off import switch_off
from facade.params import Params
from facade.stage import stage


@stage
def raw(params: Params) -> None:
    photographs, arms = Photographs("data/train"), params.arms
    if arms.raw:
        treat(photographs, keep, Path("data/raw"), params.codec, "raw", key="raw")
    else:
        switch_off(Path("data/raw"), "arms.raw is false")
    if arms.recode:
        treat(photographs, Recode(params.codec), Path("data/recode"), params.codec, "recode", key="recode")
    else:
        switch_off(Path("data/recode"), "arms.recode is false")
    if arms.drop:
        drop_photographs(Photographs("data/raw"), Path("data/drop"), arms, params.evaluate.calibration)
    else:
        switch_off(Path("data/drop"), "arms.drop is false")
