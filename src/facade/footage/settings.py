"""Options of the command line, turned into the settings of anonymization jobs."""

import hashlib
from pathlib import Path

from facade.anonymize.factory import METHODS, build_treatment
from facade.errors import FacadeError
from facade.footage.box_sources import (
    LOW_CONFIDENCE,
    BoxSource,
    detector_boxes,
    open_boxes,
    operating_threshold,
    read_boxes,
)
from facade.footage.job import Settings
from facade.params import Params


def open_box_source(
    models: Path,
    seed: int | None,
    min_score: float | None,
    size: int | None,
    boxes: Path | None,
    detector: Path | None,
    params: Params,
) -> tuple[BoxSource, float]:
    """The source of face boxes, and the score threshold of a face.

    Args:
        models: The arm's models.
        seed: Of the run; None for the first.
        min_score: None for the operating threshold.
        size: Longest side that images are resized to, pixels; None for that of the training.
        boxes: A COCO file to use instead of a detector, or None.
        detector: A face detector in a file of its own, or None for the arm's.
        params: All of params.yaml.

    Raises:
        FacadeError: Models, threshold or boxes are missing.
    """
    if boxes is not None:
        return read_boxes(boxes), 1.0
    if detector is not None:
        return open_boxes([str(detector)], min_score, size, tiles=False, device="cpu", params=params, seed=seed)
    threshold = operating_threshold(models) if min_score is None else min_score
    return detector_boxes(models, seed, LOW_CONFIDENCE * threshold, size, params.detect), threshold


def build_settings(
    box_source: BoxSource, min_score: float, exempt: Path | None, method: str | None, max_gap: int, audio: bool,
    synthetic: bool, params: Params,
) -> Settings:  # fmt: skip
    """Settings of all jobs, with a key that changes with each of them.

    Args:
        box_source: From `open_box_source`.
        min_score: From `open_box_source`.
        exempt: COCO file of faces that stay untreated, or None.
        method: One of `METHODS`; None for `blur.method`.
        max_gap: See `facade.footage.tracks.track`.
        audio: Whether sound is copied.
        synthetic: Whether the footage shows no real people, so that pseudonyms may come from the public key.
        params: All of params.yaml.

    Raises:
        FacadeError: The method is unknown, or something that it needs is missing.
    """
    chosen = method or params.blur.method
    if chosen not in METHODS:
        raise FacadeError(f"--method is {method}; choose one of {', '.join(METHODS)}.")
    built = build_treatment(chosen, params, synthetic=synthetic)
    kept = None if exempt is None else read_boxes(exempt)
    parts = (
        chosen, params.blur, params.synthesize, params.codec, max_gap, audio, min_score, box_source.key,
        kept and kept.key,
    )  # fmt: skip
    key = hashlib.sha256(repr(parts).encode())
    if built.cache_key is not None:
        key.update(built.cache_key.encode())
    return Settings(
        box_source,
        min_score,
        built.treatment,
        kept,
        max_gap,
        audio,
        params.codec,
        params.ingest.max_megapixels,
        key.hexdigest(),
    )
