"""Blur every face of the training photographs.   python stages/blur.py   (dvc repro blur)

The control `decoy` is made here, too: it blurs other places in the same way.
"""

from pathlib import Path

from facade.anonymize import BlurFaces, treat
from facade.anonymize.controls import BlurDecoys
from facade.dataset import Photographs
from facade.dataset.extra_boxes import read_extra_boxes
from facade.off import switch_off
from facade.params import Params
from facade.stage import stage


@stage
def blur(params: Params) -> None:
    photographs = Photographs("data/train")
    also = read_extra_boxes(Path("data/also-treat.json"))
    treat(
        photographs,
        BlurFaces(params.blur).in_place,
        Path("data/blur"),
        params.codec,
        "blur",
        also,
        Photographs("data/misses/blur"),
        key=f"blur {params.blur!r}",
    )
    if params.arms.decoy:
        counts = treat(
            photographs,
            BlurDecoys(params.blur),
            Path("data/decoy"),
            params.codec,
            "decoy",
            key=f"decoy {params.blur!r}",
        )
        print(f"decoy: {counts['decoys']} places blurred, {counts['no_place']} faces for which there was none")
    else:
        switch_off(Path("data/decoy"), "arms.decoy is false")
