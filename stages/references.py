"""Detect faces in the golden set with other people's detectors, for comparison.   (dvc repro references)"""

from pathlib import Path

from facade.dataset import Photographs
from facade.files import write_empty_directory
from facade.params import Params
from facade.reference_detections import detect_references
from facade.stage import stage


@stage
def references(params: Params) -> None:
    into = Path("detections/references")
    if not params.evaluate.references:
        write_empty_directory(into)  # evaluate.references is empty
        return
    detect_references(Photographs("data/golden"), params.evaluate.references, into)
