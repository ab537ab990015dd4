"""What is known of a labelled photograph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# The attributes of WIDER FACE, in the order in which its label files give them.
ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Split = Literal["train", "golden"]


@dataclass(frozen=True)
class Face:
    """One labelled face.

    Attributes:
        bbox: x, y, width, height, in pixels of the upright photograph.
        keypoints: Left eye, right eye, nose tip, left and right corner of the mouth, as seen in the picture
            ("left" is the smaller x of an upright face), x y in pixels; None where the data set has none.
        ignore: Too small or too poor to judge: neither trained on nor scored, yet anonymized like all others.
        attributes: WIDER FACE's own, by name; empty where the data set has none.
        index: Place among the labels of its photograph in the data set that it came from, counted from 0: official
            evaluations name faces by it. None where no evaluation does.
        person: Who it is among the people of a video, whose frames are one photograph after the other. None where each
            face of a photograph is a person of its own.
        cut: What is left of a larger face that the border of the photograph cut, though its box may lie inside by now:
            a lens has moved the border, too.
    """

    bbox: Box
    keypoints: tuple[Point, ...] | None = None
    ignore: bool = False
    attributes: Mapping[str, int] = field(default_factory=dict)
    index: int | None = None
    person: int | None = None
    cut: bool = False


@dataclass(frozen=True)
class Photograph:
    """A photograph of a data set that Facade wrote.

    Attributes:
        file: Path below the data set's `images/`, with forward slashes.
        width: Pixels.
        height: Pixels.
        faces: In the order of the labels; a face's number is its place here.
        domain: Which camera it is by, or looks to be; "" where nobody says.
    """

    file: str
    width: int
    height: int
    faces: tuple[Face, ...]
    domain: str = ""


@dataclass(frozen=True)
class Labelled:
    """A photograph as somebody's data set names it, before anybody has looked at its pixels.

    Attributes:
        name: The name that the labels give, relative to `folder`. Not to be trusted.
        folder: Where the data set keeps its pictures.
        split: Which part it belongs to; None where the data set has no parts.
        faces: As labelled; boxes may be impossible.
        size: Width and height in pixels that the labels were made for, where they say so.
        domain: Which camera it is by, where they say so; else "".
    """

    name: str
    folder: Path
    split: Split | None
    faces: tuple[Face, ...]
    size: tuple[int, int] | None = None
    domain: str = ""


def touches_border(bbox: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box reaches the border of a photograph of some height and width, pixels."""
    return bbox[0] <= 0 or bbox[1] <= 0 or bbox[0] + bbox[2] >= shape[1] or bbox[1] + bbox[3] >= shape[0]
