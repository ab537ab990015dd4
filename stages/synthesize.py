"""Replace every face by a synthetic one.   python stages/synthesize.py   (dvc repro synthesize)"""

from pathlib import Path

from facade.anonymize import treat
from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Photographs
from facade.dataset.extra_boxes import read_extra_boxes
from facade.files import write_json
from facade.params import Params
from facade.secret_key import read_key
from facade.sources.from_params import key_of, source_of
from facade.stage import stage


@stage
def synthesize(params: Params) -> None:
    photographs, wanted = Photographs("data/train"), params.synthesize
    secret = read_key(wanted.key, photographs.synthetic)
    replace = ReplaceFaces(wanted, source_of(wanted), secret)
    also = read_extra_boxes(Path("data/also-treat.json"))
    counts = treat(
        photographs,
        replace,
        Path("data/pseudo"),
        params.codec,
        "synthesize",
        also,
        Photographs("data/misses/pseudo"),
        key=key_of(wanted, secret),
    )
    write_json(Path("metrics/synthesize.json"), dict(sorted(counts.items())))
