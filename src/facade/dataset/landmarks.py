"""Landmarks for labelled faces that have none, taken from the detection with the highest IoU."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.records import Face
from facade.retinaface import DetectedFace, retinaface

# Confidence threshold of detections, 0 to 1. Lower than facexlib's own 0.8: detections are matched to labelled faces,
# so a false positive costs nothing.
MIN_SCORE = 0.5
# Minimum IoU between a detection and the labelled face that it belongs to.
MIN_IOU = 0.5
# Photographs are upscaled by this factor for RetinaFace, which detects faces from 16 pixels up: data sets label smaller
# ones. Of WIDER FACE's faces between 8 and 16 pixels, three of four gain landmarks; without upscaling, one of three.
UPSCALE = 2.0


def add_landmarks(pixels: np.ndarray, faces: tuple[Face, ...], weights: Path) -> tuple[tuple[Face, ...], int]:
    """Add landmarks to the faces of a photograph that have none.

    Args:
        pixels: The photograph, (H, W, 3) uint8, BGR, upright.
        faces: Its labelled faces.
        weights: facexlib's RetinaFace. Loaded once per process.

    Returns:
        The faces, with landmarks in pixels where RetinaFace detects the face; and the number of faces that gained them.

    Raises:
        FacadeError: facexlib cannot load the weights.
    """
    if all(face.keypoints is not None for face in faces):
        return faces, 0
    return assign_landmarks(
        faces, retinaface(weights).detect(pixels, MIN_SCORE, UPSCALE), pixels.shape[1], pixels.shape[0]
    )


def assign_landmarks(
    faces: tuple[Face, ...], detections: list[DetectedFace], width: int, height: int
) -> tuple[tuple[Face, ...], int]:
    """Assign landmarks of detections to labelled faces, matched one to one by descending IoU.

    A face that has landmarks keeps them, and its matching detection is assigned to no other face.

    Args:
        faces: Labelled faces.
        detections: Detections in the same photograph.
        width: Of the photograph, pixels.
        height: Of the photograph, pixels.

    Returns:
        The faces; and the number of faces that gained landmarks.
    """
    labels = clipped_xyxy([face.bbox for face in faces], width, height)
    detected = clipped_xyxy([one.bbox for one in detections], width, height)
    enriched = list(faces)
    gained = 0
    for number, detection in match_pairs(labels, detected, MIN_IOU):
        if faces[number].keypoints is None:
            points = tuple((round(float(x), 2), round(float(y), 2)) for x, y in detections[detection].keypoints)
            enriched[number] = replace(faces[number], keypoints=points)
            gained += 1
    return tuple(enriched), gained
