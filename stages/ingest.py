"""Take in photographs and labels; keep the golden set apart.   python stages/ingest.py   (dvc repro ingest)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.dataset.ingest import ingest as take_in
from facade.files import write_json
from facade.misses.join import write_training_part
from facade.misses.ledger import read_ledger
from facade.params import Params
from facade.stage import stage


@stage
def ingest(params: Params) -> None:
    counts = take_in(
        params.ingest,
        params.codec,
        train=Path("data/train"),
        golden=Path("data/golden"),
        quarantine=Path("data/quarantine.csv"),
    )
    misses = write_training_part(read_ledger(), Photographs("data/golden"), params.ingest, Path("data/misses"))
    write_json(Path("metrics/ingest.json"), counts | {"misses": misses})
