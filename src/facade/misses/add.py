"""Record a miss that a person reports: a photograph, and the boxes of the missed faces."""

from collections.abc import Sequence
from pathlib import Path

from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.names import neutral_name
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Box, Face, Labelled, Photograph
from facade.dataset.source_photograph import open_photograph
from facade.errors import FacadeError
from facade.misses.harvest import (
    ArmAnonymizer,
    GoldenHashes,
    NewEntry,
    detect_misses,
    merge_reviews,
    with_unlabelled_faces,
)
from facade.misses.ledger import SAME_FACE_IOU, Entry, KnownMiss, Ledger, merge_faces
from facade.misses.runs import CalibratedRuns
from facade.params import Params


def report_misses(
    path: Path,
    boxes: Sequence[Box],
    ledger: Ledger,
    runs: CalibratedRuns,
    golden: GoldenHashes,
    anonymizer: ArmAnonymizer,
    params: Params,
) -> NewEntry:
    """Record reported misses in a photograph.

    Every detection of the models in the photograph is treated, too. It is an unreviewed label, so it is neither trained
    on nor scored. A face that neither the person nor a model finds would stay untreated, so all missed faces must be
    named.

    Args:
        path: The photograph.
        boxes: The missed faces, x y w h in pixels of the upright photograph.
        ledger: The known misses; a photograph that is already in it keeps its reviews.
        runs: Models that detect the other faces.
        golden: Hashes of the golden set.
        anonymizer: Makes the files that the ledger may hold.
        params: All of params.yaml.

    Raises:
        FacadeError: The photograph cannot be read, is golden, or could not be anonymized; or a box has no area in it.
    """
    faces = tuple(Face(box) for box in boxes)
    labelled = Labelled(path.name, path.parent, None, faces)
    try:
        opened = open_photograph(path.parent.resolve(), labelled, params.ingest)
        golden.refuse(opened.pixels)
        height, width = opened.pixels.shape[:2]
        name = neutral_name(path.name, opened.content)
        existing = next((entry for entry in ledger.entries if entry.photograph.file == name), None)
        all_faces, known = merge_faces(existing, opened.faces)
        photograph = Photograph(name, width, height, all_faces)
        missed, detections = detect_misses(opened.pixels, photograph, [runs], params.evaluate.iou, share=0)
        to_treat = with_unlabelled_faces(photograph, detections)
        size = width, height
        merged, reported = (clipped_xyxy([face.bbox for face in some], *size) for some in (all_faces, opened.faces))
        new = {index: missed.get(index, KnownMiss()) for index, _ in match_pairs(merged, reported, SAME_FACE_IOU)}
        entry = Entry(to_treat, merge_reviews(known, new), {})
        recorded = NewEntry(entry, anonymizer(opened.pixels, to_treat))
    except BadPhotographError as error:
        raise FacadeError(f"{path} is not recorded: {error}.") from None
    if opened.dropped:
        raise FacadeError(f"{path} is not recorded: a box has no area in it.")
    return recorded
