"""What is known of weights: license, score threshold, input size, fitness. It belongs to the bytes, not to a name."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facade.errors import FacadeError

# The metadata property of Facade's own exports: JSON with the keys min_score, size, fit_for_real_people and card.
METADATA_KEY = "facade"


@dataclass(frozen=True)
class DetectorCard:
    """What is known of the weights of a detector.

    Attributes:
        name: The network.
        license: Of the weights; "" if unknown.
        min_score: Score threshold to use it at, 0 to 1; None if it was not measured.
        size: Longest side to which pictures are resized first, pixels; None: they keep their size.
        fit_for_real_people: Whether it may anonymize real people; None if nobody has said so.
        text: The model card of an export; "" if there is none.
    """

    name: str
    license: str = ""
    min_score: float | None = None
    size: int | None = None
    fit_for_real_people: bool | None = None
    text: str = ""


# By sha256. Thresholds: `python benchmarks/detectors.py` (docs/detectors.md): the lowest with at most one false box a
# photograph, on every fourth of 1,179 validation photographs of WIDER FACE whose longest side is 640 pixels.
KNOWN: dict[str, DetectorCard] = {}


def read_card(file: Path, metadata: dict[str, str]) -> DetectorCard | None:
    """The card in the metadata of an ONNX file that Facade exported; None if it has none.

    Args:
        file: The file.
        metadata: Its `metadata_props`.

    Raises:
        FacadeError: The card is damaged.
    """
    if METADATA_KEY not in metadata:
        return None
    try:
        content = json.loads(metadata[METADATA_KEY])
        min_score, size, fit = (content.get(key) for key in ("min_score", "size", "fit_for_real_people"))
        text = content.get("card") or ""
    except (ValueError, AttributeError):
        raise FacadeError(f"{file}: its metadata `{METADATA_KEY}` is no JSON object. Export it again.") from None
    valid_score = min_score is None or (_is_number(min_score) and 0 < min_score < 1)
    valid_size = size is None or (_is_number(size) and size == int(size) and size > 0)
    if not (valid_score and valid_size and fit in (None, True, False)):
        raise FacadeError(
            f"{file}: its metadata `{METADATA_KEY}` has min_score {min_score!r}, size {size!r} and fit_for_real_people "
            f"{fit!r}, which are not what an export writes. Export it again."
        )
    return DetectorCard(
        name=file.stem,
        min_score=None if min_score is None else float(min_score),
        size=None if size is None else int(size),
        fit_for_real_people=fit,
        text=text if isinstance(text, str) else json.dumps(text),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
