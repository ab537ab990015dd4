"""Blur every labelled face of the training photographs.   python stages/blur.py   (dvc repro blur)"""

from pathlib import Path

from facade.anonymize import BlurFaces, treat
from facade.dataset import Photographs
from facade.params import Params
from facade.stage import stage


@stage
def blur(params: Params) -> None:
    treat(Photographs("data/train"), BlurFaces(params.blur), Path("data/blur"), params.codec, "blur")
