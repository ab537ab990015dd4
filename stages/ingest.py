"""Ingest photographs and labels, and split off the golden set.   python stages/ingest.py   (dvc repro ingest)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.dataset.ingest import ingest as ingest_data_set
from facade.files import write_json
from facade.misses.ledger import read_ledger
from facade.misses.training_part import write_training_part
from facade.params import Params
from facade.stage import stage


@stage
def ingest(params: Params) -> None:
    counts = ingest_data_set(
        params.ingest,
        params.codec,
        train=Path("data/train"),
        golden=Path("data/golden"),
        quarantine=Path("data/quarantine.csv"),
    )
    misses = write_training_part(read_ledger(), Photographs("data/golden"), params.ingest, Path("data/misses"))
    write_json(Path("metrics/ingest.json"), counts | {"misses": misses})
