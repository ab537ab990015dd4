"""Landmarks for labelled faces that have none: those of the detection that overlaps the face best."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from facade.dataset.iou import corners, pairs
from facade.dataset.records import Face
from facade.retinaface import Found, retinaface

# A detection is this sure at the least, 0 to 1. Lower than facexlib's own .8: what it is held against is a labelled
# face, so that a wrong detection costs nothing.
SURE = 0.5
# A detection belongs to a face from this overlap (IoU) on.
OVERLAP = 0.5
# Photographs are enlarged by this before RetinaFace sees them: it knows faces from 16 pixels up, and data sets label
# smaller ones. Of WIDER FACE's faces between 8 and 16 pixels, three of four gain landmarks; one of three without it.
FACTOR = 2.0


def add_landmarks(pixels: np.ndarray, faces: tuple[Face, ...], weights: Path) -> tuple[tuple[Face, ...], int]:
    """Give landmarks to the faces of a photograph that have none.

    Args:
        pixels: The photograph, (H, W, 3) uint8, BGR, upright.
        faces: Its labelled faces.
        weights: facexlib's RetinaFace. Loaded once in a process.

    Returns:
        The faces, with landmarks in pixels where RetinaFace found the face; how many gained them.

    Raises:
        FacadeError: The weights are not what facexlib loads.
    """
    if all(face.keypoints is not None for face in faces):
        return faces, 0
    return matched(faces, retinaface(weights).faces(pixels, SURE, FACTOR), pixels.shape[1], pixels.shape[0])


def matched(faces: tuple[Face, ...], found: list[Found], width: int, height: int) -> tuple[tuple[Face, ...], int]:
    """Landmarks of detections to the faces that they overlap best, the best pair first.

    A face that has landmarks keeps them, and the detection that is its own goes to no other.

    Args:
        faces: Labelled faces.
        found: Detections in the same photograph.
        width: Of the photograph, pixels.
        height: Of the photograph, pixels.

    Returns:
        The faces; how many gained landmarks.
    """
    ours = corners([face.bbox for face in faces], width, height)
    theirs = corners([one.bbox for one in found], width, height)
    enriched = list(faces)
    gained = 0
    for number, detection in pairs(ours, theirs, OVERLAP):
        if faces[number].keypoints is None:
            points = tuple((round(float(x), 2), round(float(y), 2)) for x, y in found[detection].keypoints)
            enriched[number] = replace(faces[number], keypoints=points)
            gained += 1
    return tuple(enriched), gained
