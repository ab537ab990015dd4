"""The control: photographs as they are, encoded once more as in every arm.   python stages/raw.py   (dvc repro raw)"""

from pathlib import Path

from facade.anonymize import keep, treat
from facade.dataset import Photographs
from facade.params import Params
from facade.stage import stage


@stage
def raw(params: Params) -> None:
    treat(Photographs("data/train"), keep, Path("data/raw"), params.codec, "raw")
