"""Re-encode the untreated photographs: the raw arm.   python stages/raw.py   (dvc repro raw)"""

from pathlib import Path

from facade.anonymize import leave_faces, treat
from facade.dataset import Photographs
from facade.files import write_empty_directory
from facade.params import Params
from facade.stage import stage


@stage
def raw(params: Params) -> None:
    into = Path("data/raw")
    if params.arms.raw:
        treat(Photographs("data/train"), leave_faces, into, params.codec, "raw", resume_key="raw")
    else:
        write_empty_directory(into)
