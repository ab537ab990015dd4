"""Blur every face of the training photographs.   python stages/blur.py   (dvc repro blur)"""

from pathlib import Path

from facade.anonymize import treat
from facade.anonymize.blur_faces import build_blur
from facade.dataset import Photographs
from facade.dataset.extra_boxes import read_extra_boxes
from facade.params import Params
from facade.stage import stage


@stage
def blur(params: Params) -> None:
    built = build_blur(params.blur, in_place=True)
    treat(
        Photographs("data/train"),
        built.treatment,
        Path("data/blur"),
        params.codec,
        "blur",
        extra_boxes=read_extra_boxes(Path("data/extra-boxes.json")),
        known_misses=Photographs("data/misses/blur"),
        resume_key=built.cache_key,
    )
