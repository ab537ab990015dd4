"""Detect unlabelled faces in the training photographs.   python stages/unlabelled.py   (dvc repro unlabelled)"""

from pathlib import Path

from facade.audit.unlabelled import detect_faces, write_unlabelled
from facade.dataset import Photographs
from facade.params import Params
from facade.retinaface import retinaface_weights
from facade.stage import stage


@stage
def unlabelled(params: Params) -> None:
    photographs, settings = Photographs("data/train"), params.audit
    detections = None
    if settings.detector is not None:
        path = None if settings.detector == "publisher" else Path(settings.detector)
        detections = detect_faces(photographs, retinaface_weights(path, "audit.detector"), settings.min_score)
    files = Path("data/unlabelled.json"), Path("data/extra-boxes.json")
    write_unlabelled(photographs, detections, settings.treat_unlabelled, *files)
