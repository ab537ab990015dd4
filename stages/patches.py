"""Put background patches on copies of the golden photographs.   python stages/patches.py   (dvc repro patches)"""

from pathlib import Path

from facade.anonymize.golden_patches import write_patches
from facade.dataset import Photographs
from facade.params import Params
from facade.stage import stage


@stage
def patches(params: Params) -> None:
    write_patches(Photographs("data/golden"), Path("data/patches"), params.patches, params.codec)
