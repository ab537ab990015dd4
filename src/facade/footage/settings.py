"""What the command line asks for, as settings that jobs are done by."""

import hashlib
from pathlib import Path

from facade.anonymize.replace_faces import ReplaceFaces
from facade.errors import FacadeError
from facade.footage.box_sources import UNSURE, Finder, given, operating_threshold, trained
from facade.footage.job import Settings
from facade.footage.method import METHODS, treatment
from facade.params import Params
from facade.sources.from_params import key_of


def finder_of(
    models: Path, seed: int | None, score: float | None, size: int | None, boxes: Path | None, params: Params
) -> tuple[Finder, float]:
    """Who says where faces are, and from which score on one is a face.

    Args:
        models: The arm's models.
        seed: Which of them; None for the first.
        score: None for the operating threshold.
        size: Longest side that pictures are resized to; None for that of the training.
        boxes: A COCO file in place of a detector, or None.
        params: All of params.yaml.

    Raises:
        FacadeError: Models, threshold or boxes are missing.
    """
    if boxes is not None:
        return given(boxes), 1.0
    sure = operating_threshold(models) if score is None else score
    return trained(models, seed, UNSURE * sure, size, params.detect), sure


def settings_of(
    finder: Finder, sure: float, exempt: Path | None, method: str | None, bridge: int, audio: bool,
    shows_nobody: bool, params: Params,
) -> Settings:  # fmt: skip
    """Settings, with a key that changes with each of them.

    Args:
        finder: From `finder_of`.
        sure: From `finder_of`.
        exempt: COCO file of faces that are kept, or None.
        method: One of `METHODS`; None for `blur.method`.
        bridge: See `facade.footage.tracks.track`.
        audio: Whether sound is kept.
        shows_nobody: Whether nobody in the footage is real.
        params: All of params.yaml.

    Raises:
        FacadeError: There is no such method, or what it needs is missing.
    """
    chosen = method or params.blur.method
    if chosen not in METHODS:
        raise FacadeError(f"--method is {method}, and there are {', '.join(METHODS)}.")
    made = treatment(params, chosen, shows_nobody)
    kept = None if exempt is None else given(exempt)
    parts = (chosen, params.blur, params.synthesize, params.codec, bridge, audio, sure, finder.key, kept and kept.key)
    key = hashlib.sha256(repr(parts).encode())
    if isinstance(made, ReplaceFaces):
        key.update(key_of(params.synthesize, made.key).encode())
    return Settings(
        finder, sure, made, kept, bridge, audio, params.codec, params.ingest.max_megapixels, key.hexdigest()
    )
