"""Options of the command line, turned into the settings of anonymization jobs."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import facade.networks
from facade.anonymize.factory import METHODS, build_treatment
from facade.anonymize.treat import HoldsFaces
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.footage.box_sources import BoxSource, open_boxes
from facade.footage.job import Settings
from facade.footage.labelled_boxes import LabelledBoxes, read_boxes
from facade.networks.landmarks import WEIGHTS
from facade.params import Attribute, Blur, Params, Synthesize

# Percent by which the treated area is wider and higher than a detected box. A detection's box is not a label's: with
# 15 instead, a face is left in more photographs (docs/footage.md).
DETECTED_WIDEN = 30.0
# What pseudonyms in footage take from the person by default. Training photographs keep less (`synthesize.keep`), so
# that nobody can be recognized; in footage a pseudonym that keeps no pose would look away from where the person looks.
KEEP: tuple[str, ...] = get_args(Attribute)
# The detector that comes with Facade (docs/detector-card.md).
DEFAULT_DETECTOR = Path(facade.networks.__file__).parent / "weights/facade-pseudonyms.onnx"


def open_box_source(
    detectors: Sequence[str], min_score: float | None, size: int | None, tiles: bool, device: str, boxes: Path | None,
    synthetic: bool, params: Params,
) -> tuple[BoxSource, float]:  # fmt: skip
    """The source of face boxes, and the score threshold of a face.

    Args:
        detectors: See `facade.footage.box_sources.open_boxes`; none for `DEFAULT_DETECTOR`.
        min_score: None for the threshold that was measured for the detector.
        size: Longest side that images are resized to, pixels; None for the detector's own.
        tiles: Whether large images are searched in tiles, too.
        device: "auto", "cpu" or "cuda".
        boxes: A COCO file to use instead of a detector, or None.
        synthetic: Whether no real people are shown.
        params: All of params.yaml.

    Raises:
        FacadeError: A file or a threshold is missing; or the detector has seen rendered faces alone, and real people
            may be shown.
    """
    if boxes is not None:
        if detectors:
            raise FacadeError("--boxes and --detector exclude each other. Name one of them.")
        return read_boxes(boxes), 1.0
    source, threshold = open_boxes(detectors or [str(DEFAULT_DETECTOR)], min_score, size, tiles, device, params)
    if source.rendered_only is not None and not synthetic:
        raise FacadeError(
            f"the detector {source.rendered_only} was trained on rendered photographs alone, such as the demo's, and "
            "misses most real faces. Name another, as in --detector yunet.onnx, or add --synthetic if no real people "
            "are shown."
        )
    return source, threshold


def build_settings(
    box_source: BoxSource, min_score: float, exempt: Path | None, method: str | None, widen: float | None,
    key: str | None, keep: Sequence[str] | None, max_gap: int, audio: bool,
    synthetic: bool, masks: bool, records_only: bool, params: Params,
) -> Settings:  # fmt: skip
    """Settings of all jobs, with a key that changes with each of them.

    Args:
        box_source: From `open_box_source`.
        min_score: From `open_box_source`.
        exempt: COCO file of faces that stay untreated, or None.
        method: One of `METHODS`; None for `blur.method`.
        widen: Percent by which the treated area is wider and higher than a box; None: `DETECTED_WIDEN` for boxes of a
            detector, `blur.widen` for labelled boxes.
        key: Name of the secret of pseudonyms; None for `synthesize.key`.
        keep: What pseudonyms take from the person, of `KEEP`; None for all of it.
        max_gap: See `facade.footage.tracks.track`.
        audio: Whether sound is copied.
        synthetic: Whether the footage shows no real people, so that pseudonyms may come from the public key.
        masks: Whether masks of the changed pixels are written.
        records_only: Whether records are written, and no anonymized files.
        params: All of params.yaml.

    Raises:
        FacadeError: The method is unknown, or something that it needs is missing.
    """
    chosen = method or params.blur.method
    if chosen not in METHODS:
        raise FacadeError(f"--method is {method}; choose one of {', '.join(METHODS)}.")
    if widen is None:
        widen = params.blur.widen if isinstance(box_source, LabelledBoxes) else max(DETECTED_WIDEN, params.blur.widen)
    blur = params.blur.model_copy(update={"widen": widen})
    synthesize = _synthesize(params.synthesize, key, KEEP if keep is None else keep)
    params = params.model_copy(update={"blur": blur, "synthesize": synthesize})
    built = build_treatment(chosen, params, synthetic=synthetic)
    kept = None if exempt is None else read_boxes(exempt)
    parts = (
        chosen, blur, synthesize, params.codec, max_gap, audio, min_score, box_source.key, kept and kept.key, masks,
        records_only,
    )  # fmt: skip
    digest = hashlib.sha256(repr(parts).encode())
    if isinstance(built.treatment, HoldsFaces):
        digest.update(sha256_of(WEIGHTS).encode())
    if built.cache_key is not None:
        digest.update(built.cache_key.encode())
    return Settings(
        box_source,
        min_score,
        built.treatment,
        kept,
        max_gap,
        audio,
        params.codec,
        params.ingest.max_megapixels,
        digest.hexdigest(),
        {**box_source.description, "min_score": min_score},
        _description(chosen, blur, synthesize) | {"max_gap": max_gap, "audio": audio},
        masks,
        records_only,
    )


def _synthesize(given: Synthesize, key: str | None, keep: Sequence[str]) -> Synthesize:
    if unknown := sorted(set(keep) - set(KEEP)):
        raise FacadeError(f"--keep has {', '.join(unknown)}; choose from {', '.join(KEEP)}, or none.")
    coarse = tuple(name for name in given.coarse if name in keep)
    return given.model_copy(update={"keep": tuple(keep), "coarse": coarse, "key": given.key if key is None else key})


def _description(method: str, blur: Blur, synthesize: Synthesize) -> dict[str, Any]:
    """A treatment in records: its method and strength. The secret behind pseudonyms is not part of it."""
    if method == "pseudonym":
        names = ("source", "key", "keep", "coarse", "cover")
        return {"method": method, **synthesize.model_dump(mode="json", include=set(names))}
    strength = {"gaussian": ("sigma",), "pixelate": ("cells",), "solid": ()}[method]
    return {"method": method, **blur.model_dump(mode="json", include={*strength, "shape", "widen", "feather"})}
