"""Replace every labelled face by a synthetic one.   python stages/synthesize.py   (dvc repro synthesize)"""

from pathlib import Path

from facade.anonymize import treat
from facade.anonymize.pseudonym import ReplaceFaces
from facade.dataset import Photographs
from facade.heads.bank import FaceBank
from facade.heads.source import ProceduralHeads
from facade.params import Params
from facade.stage import stage


@stage
def synthesize(params: Params) -> None:
    wanted = params.synthesize
    source = FaceBank(wanted.bank, wanted.bank_weights) if wanted.source == "bank" else ProceduralHeads()
    treat(Photographs("data/train"), ReplaceFaces(wanted, source), Path("data/pseudo"), params.codec, "synthesize")
