"""Look for faces that nobody labelled.   python stages/unlabelled.py   (dvc repro unlabelled)"""

from pathlib import Path

from facade.audit.unlabelled import look, write_unlabelled
from facade.dataset import Photographs
from facade.params import Params
from facade.retinaface import retinaface_weights
from facade.stage import stage


@stage
def unlabelled(params: Params) -> None:
    photographs, wanted = Photographs("data/train"), params.audit
    found = None
    if wanted.detector is not None:
        given = None if wanted.detector == "publisher" else Path(wanted.detector)
        found = look(photographs, retinaface_weights(given, "audit.detector"), wanted.sure)
    files = Path("data/unlabelled.json"), Path("data/also-treat.json")
    write_unlabelled(photographs, found, wanted.treat_unlabelled, *files)
