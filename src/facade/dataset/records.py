"""Records of labelled photographs and faces."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

# The attributes of WIDER FACE, in the order of its label files.
ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Split = Literal["train", "golden"]
# The picture that labels refer to: as viewers show it, or as its pixels are stored, before EXIF rotates it.
Frame = Literal["upright", "stored"]


@dataclass(frozen=True)
class SmoothedFace:
    """How a face is seen in one frame of a video, smoothed along the person's track. Pseudonyms are rendered into it.

    Attributes:
        bbox: x, y, width, height, in pixels of the upright frame.
        keypoints: Landmarks as in `Face`; None if the track has none.
        appearance: Light, skin tone and sharpness, as `facade.anonymize.appearance` writes them; None if not measured.
    """

    bbox: Box
    keypoints: tuple[Point, ...] | None
    appearance: tuple[float, ...] | None


@dataclass(frozen=True)
class Face:
    """One labelled face.

    Attributes:
        bbox: x, y, width, height, in pixels of the upright photograph.
        keypoints: Left eye, right eye, nose tip, left and right corner of the mouth, from the viewer's perspective
            ("left" is the smaller x of an upright face), x y in pixels; None if the data set has none.
        ignore: Too small or too poor to evaluate: neither trained on nor scored, but anonymized like all others.
        attributes: WIDER FACE attributes by name; empty if the data set has none.
        index: Index among the labels of its photograph in the original data set, counted from 0, by which official
            evaluations identify faces. None if no evaluation uses it.
        person: Identity within a video, constant over its frames. None if every face of a photograph is a person of its
            own.
        cut: Whether the border of the original photograph truncates the face. The box may no longer touch the border
            after a lens simulation.
        smoothed: In a video, the same face smoothed along its track; `bbox` and `keypoints` stay as detected, and what
            they cover is erased, too. None in photographs.
    """

    bbox: Box
    keypoints: tuple[Point, ...] | None = None
    ignore: bool = False
    attributes: Mapping[str, int] = field(default_factory=dict)
    index: int | None = None
    person: int | None = None
    cut: bool = False
    smoothed: SmoothedFace | None = None


@dataclass(frozen=True)
class Photograph:
    """A photograph of a data set in Facade's own layout.

    Attributes:
        file: Path below the data set's `images/`, with forward slashes.
        width: Pixels.
        height: Pixels.
        faces: In label order; the number of a face is its index here.
        domain: Camera that took the photograph or was simulated; "" if unknown.
    """

    file: str
    width: int
    height: int
    faces: tuple[Face, ...]
    domain: str = ""


def without_landmarks(photograph: Photograph) -> Photograph:
    """A photograph whose faces have boxes and attributes only."""
    return replace(photograph, faces=tuple(replace(face, keypoints=None) for face in photograph.faces))


@dataclass(frozen=True)
class Labelled:
    """A photograph as listed in the labels of an external data set, before its pixels are read.

    Attributes:
        name: File name from the labels, relative to `folder`. Untrusted.
        folder: Image folder of the data set.
        split: Its split; None if the data set has no splits.
        faces: As labelled; boxes may be invalid.
        size: Width and height in pixels that the labels refer to, if given.
        domain: Camera that took it, if given; else "".
        labels: Label file or folder that it comes from, for messages. All of its labels follow one convention.
        relative: Whether boxes and landmarks are shares of the picture's width and height, not pixels.
        frame: The picture that the labels refer to (`orientation.py`).
        without_box: Each annotation of a face without a box, as messages name it.
        refused: Why the photograph cannot be used, known before its pixels are read; else "".
        stored_as: Its name as a golden photograph; "" for `names.stored_name`.
    """

    name: str
    folder: Path
    split: Split | None
    faces: tuple[Face, ...]
    size: tuple[int, int] | None = None
    domain: str = ""
    labels: str = ""
    relative: bool = False
    frame: Frame = "upright"
    without_box: tuple[str, ...] = ()
    refused: str = ""
    stored_as: str = ""


def touches_border(bbox: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box touches the border of a photograph of shape (height, width, ...), pixels."""
    return bbox[0] <= 0 or bbox[1] <= 0 or bbox[0] + bbox[2] >= shape[1] or bbox[1] + bbox[3] >= shape[0]
