"""Look for faces that nobody labelled.   python stages/unlabelled.py   (dvc repro unlabelled)"""

from pathlib import Path

from facade.audit.unlabelled import as_coco, captures, look, without_label
from facade.dataset import Photographs
from facade.files import write_json
from facade.params import Params
from facade.retinaface import retinaface_weights
from facade.stage import stage


@stage
def unlabelled(params: Params) -> None:
    photographs, wanted = Photographs("data/train"), params.audit
    if wanted.detector is None:
        nothing = as_coco(photographs, [[] for _ in photographs])
        write_json(Path("data/unlabelled.json"), nothing | {"info": {"measured": False}})
        write_json(Path("data/also-treat.json"), nothing)
        return
    given = None if wanted.detector == "publisher" else Path(wanted.detector)
    found = look(photographs, retinaface_weights(given, "audit.detector"), wanted.sure)
    new = [without_label(photograph, faces) for photograph, faces in zip(photographs, found, strict=True)]
    counts = [vars(one) for one in captures(photographs, found)]
    write_json(Path("data/unlabelled.json"), as_coco(photographs, new) | {"info": {"measured": True, "seen": counts}})
    also = new if wanted.treat_unlabelled else [[] for _ in photographs]
    write_json(Path("data/also-treat.json"), as_coco(photographs, also))
