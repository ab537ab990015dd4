"""Replace every face by a synthetic one.   python stages/synthesize.py   (dvc repro synthesize)"""

from pathlib import Path

from facade.anonymize import treat
from facade.anonymize.pseudonyms import build_pseudonyms
from facade.dataset import Photographs
from facade.dataset.extra_boxes import read_extra_boxes
from facade.files import write_json
from facade.params import Params
from facade.stage import stage


@stage
def synthesize(params: Params) -> None:
    photographs = Photographs("data/train")
    built = build_pseudonyms(params.synthesize, photographs.synthetic)
    counts = treat(
        photographs,
        built.treatment,
        Path("data/pseudo"),
        params.codec,
        "synthesize",
        extra_boxes=read_extra_boxes(Path("data/extra-boxes.json")),
        known_misses=Photographs("data/misses/pseudo"),
        resume_key=built.cache_key,
    )
    write_json(Path("metrics/synthesize.json"), dict(sorted(counts.items())))
