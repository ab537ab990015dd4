"""Replace every labelled face by a synthetic one.   python stages/synthesize.py   (dvc repro synthesize)"""

from pathlib import Path

from facade.anonymize import treat
from facade.anonymize.pseudonym import ReplaceFaces
from facade.dataset import Photographs
from facade.files import write_json
from facade.params import Params
from facade.sources.bank import FaceBank
from facade.sources.diffusion import DiffusionFaces
from facade.sources.procedural import ProceduralHeads
from facade.sources.source import FaceSource
from facade.stage import stage


def source(params: Params) -> FaceSource:
    wanted = params.synthesize
    if wanted.source == "bank":
        return FaceBank(wanted.bank, wanted.bank_weights, wanted.bank_recognition)
    if wanted.source == "diffusion":
        return DiffusionFaces(wanted.diffusion)
    return ProceduralHeads(wanted.cover)


@stage
def synthesize(params: Params) -> None:
    replace = ReplaceFaces(params.synthesize, source(params))
    counts = treat(Photographs("data/train"), replace, Path("data/pseudo"), params.codec, "synthesize")
    write_json(Path("metrics/synthesize.json"), dict(sorted(counts.items())))
