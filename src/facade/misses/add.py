"""A miss that a person reports: a photograph, and where the face is."""

from collections.abc import Sequence
from pathlib import Path

from facade.dataset.ingest import open_photograph
from facade.dataset.iou import corners, pairs
from facade.dataset.names import neutral_name
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Box, Face, Labelled, Photograph
from facade.errors import FacadeError
from facade.misses.harvest import Anonymizer, Golden, Kept, Runs, missed_faces, said, with_unlabelled
from facade.misses.ledger import SAME, Entry, Ledger, Miss, joined
from facade.params import Params


def reported(
    path: Path, boxes: Sequence[Box], ledger: Ledger, runs: Runs, golden: Golden, anonymizer: Anonymizer, params: Params
) -> Kept:
    """Take a reported miss.

    Whatever the models take for a face in the photograph is treated, too, and is a label nobody has looked at: it is
    neither trained on nor scored. Faces that neither the person nor a model names would stay as they are; name all.

    Args:
        path: The photograph.
        boxes: The missed faces, x y w h in pixels of the upright photograph.
        ledger: What is known: a photograph that comes again keeps what was said of it.
        runs: Models that look for the other faces.
        golden: What golden photographs look like.
        anonymizer: Makes of the photograph what the ledger may hold.
        params: All of params.yaml.

    Raises:
        FacadeError: The photograph cannot be read, is golden, could not be anonymized; or a box has no area in it.
    """
    faces = tuple(Face(box) for box in boxes)
    labelled = Labelled(path.name, path.parent, None, faces)
    try:
        opened = open_photograph(path.parent.resolve(), labelled, params.ingest)
        golden.refuse(opened.pixels)
        height, width = opened.pixels.shape[:2]
        name = neutral_name(path.name, opened.content)
        before = next((entry for entry in ledger.entries if entry.photograph.file == name), None)
        all_faces, known = joined(before, opened.faces)
        photograph = Photograph(name, width, height, all_faces)
        missed, seen = missed_faces(opened.pixels, photograph, [runs], params.evaluate.iou, share=0)
        everybody = with_unlabelled(photograph, seen)
        size = width, height
        ours, theirs = (corners([face.bbox for face in some], *size) for some in (all_faces, opened.faces))
        told = {number: missed.get(number, Miss()) for number, _ in pairs(ours, theirs, SAME)}
        kept = Kept(Entry(everybody, said(known, told), {}), anonymizer(opened.pixels, everybody))
    except BadPhotographError as error:
        raise FacadeError(f"{path} is not recorded: {error}.") from None
    if opened.dropped:
        raise FacadeError(f"{path} is not recorded: a box has no area in it.")
    return kept
