"""Which picture labels refer to: as viewers show it (upright), or as its pixels are stored before EXIF rotates it.

Tools differ. Label files seldom say so, and often say the size of one picture with boxes for the other (Label Studio).
So the convention is inferred for each label file, from its photographs that decide it: a quarter turn swaps width and
height, which the labels may give; and no face has its center outside the picture. The convention then also holds for
photographs that decide nothing themselves: half turns, mirror images, squares. Where nothing decides, photographs that
EXIF rotates are refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from facade.dataset.pixels import BadPhotographError, read_layout, upright_points
from facade.dataset.records import Face, Frame, Labelled

# EXIF orientations that mirror a picture.
MIRRORED = (2, 4, 5, 7)
# What ingest.label_orientation says.
LabelOrientation = Literal["infer", "upright", "stored"]
# Share of the photographs whose boxes must be impossible under a convention before boxes overrule the given size.
# Under a wrong convention, a fifth of the area or more is impossible; label errors are rarer.
MIN_IMPOSSIBLE = 0.05
# How many times as many photographs must be impossible under one convention as under the other.
MIN_RATIO = 4


@dataclass(frozen=True)
class Stored:
    """How a picture is stored.

    Attributes:
        size: Width and height of its pixels, before rotation.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
    """

    size: tuple[int, int]
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as viewers show it."""
        return self.size[::-1] if self.orientation >= 5 else self.size

    def frame(self, frame: Frame) -> tuple[int, int]:
        """Width and height of the picture that labels refer to."""
        return self.size if frame == "stored" else self.upright


def read_stored(path: Path) -> Stored | None:
    """How a picture is stored, from its header; None if it cannot be read, which decoding it reports."""
    try:
        if not path.is_file():  # a pipe would wait for ever
            return None
        with path.open("rb") as content:
            return Stored(*read_layout(content))
    except (BadPhotographError, OSError):
        return None


def with_frames(photographs: Iterable[Labelled], setting: LabelOrientation) -> list[Labelled]:
    """The photographs with the picture that their labels refer to, or refused where it is ambiguous.

    Reads the headers of all files.

    Args:
        photographs: As a reader returns them.
        setting: infer; or the convention, if the user knows it.
    """
    listed = list(photographs)
    if setting != "infer":
        return [replace(one, frame=setting) for one in listed]
    rotated: dict[str, list[tuple[int, Stored]]] = {}
    for index, one in enumerate(listed):
        if one.faces and not one.refused:
            stored = read_stored(one.folder / one.name)
            if stored is not None and stored.orientation != 1:
                rotated.setdefault(one.labels, []).append((index, stored))
    for members in rotated.values():
        frames = infer_frames([(listed[index], stored) for index, stored in members])
        for (index, stored), frame in zip(members, frames, strict=True):
            if frame is not None:
                listed[index] = replace(listed[index], frame=frame)
            else:
                listed[index] = replace(listed[index], refused=_undecided(listed[index], stored))
    return listed


def infer_frames(members: Sequence[tuple[Labelled, Stored]]) -> list[Frame | None]:
    """The picture that the labels of one file refer to, for photographs that EXIF rotates; None where it is unknown."""
    groups: dict[Frame | None, list[int]] = {}
    decided: dict[int, Frame | None] = {}
    for index, (labelled, stored) in enumerate(members):
        if stored.size != stored.upright:
            given: Frame | None = None
            if labelled.size is not None and not labelled.relative:
                sizes: dict[tuple[int, int], Frame] = {stored.size: "stored", stored.upright: "upright"}
                given = sizes.get(labelled.size)
            groups.setdefault(given, []).append(index)
    conflicts = False
    for given, indices in groups.items():
        frame, is_conflict = _decide(given, [members[index] for index in indices])
        conflicts |= is_conflict
        if frame is not None or is_conflict:
            decided |= dict.fromkeys(indices, frame)
    agreed = {frame for frame in decided.values() if frame is not None}
    common = agreed.pop() if len(agreed) == 1 and not conflicts else None
    return [decided.get(index, common) for index in range(len(members))]


def _decide(given: Frame | None, members: list[tuple[Labelled, Stored]]) -> tuple[Frame | None, bool]:
    """The frame of photographs whose labels give the same size; and whether their boxes contradict each other."""
    upright_impossible = stored_impossible = 0
    for labelled, stored in members:
        if labelled.relative:
            continue  # shares fit into any picture
        as_upright, as_stored = (_outside(labelled.faces, size) for size in (stored.upright, stored.size))
        upright_impossible += as_upright > 0 and as_stored == 0
        stored_impossible += as_stored > 0 and as_upright == 0
    low, high = sorted((upright_impossible, stored_impossible))
    if high < max(1, MIN_IMPOSSIBLE * len(members)):
        return given, False
    if high < MIN_RATIO * low:
        return None, True
    return ("stored" if upright_impossible > stored_impossible else "upright"), False


def _outside(faces: Iterable[Face], size: tuple[int, int]) -> int:
    """Number of boxes whose center lies outside a picture."""
    centers = [(face.bbox[0] + face.bbox[2] / 2, face.bbox[1] + face.bbox[3] / 2) for face in faces]
    return sum(not (0 <= x <= size[0] and 0 <= y <= size[1]) for x, y in centers)


def _undecided(labelled: Labelled, stored: Stored) -> str:
    return (
        f"EXIF rotates it (orientation {stored.orientation}), and nothing in {labelled.labels or 'its labels'} tells "
        "whether boxes refer to it as stored or as seen: set ingest.label_orientation"
    )


def upright_faces(labelled: Labelled, stored: Stored) -> tuple[Face, ...]:
    """The faces of a photograph in pixels of the upright picture.

    Args:
        labelled: Its labels, with the picture that they refer to.
        stored: How the picture is stored.

    Raises:
        ValueError: The labels give the size of another picture.
    """
    width, height = stored.upright
    if labelled.size not in (None, stored.size, stored.upright):
        raise ValueError(
            f"its labels refer to {labelled.size[0]}x{labelled.size[1]} pixels, but it has {width}x{height}"
        )
    faces = labelled.faces
    if labelled.relative:
        faces = tuple(_scaled(face, stored.frame(labelled.frame)) for face in faces)
    if labelled.frame == "upright" or stored.orientation == 1:
        return faces
    return tuple(_turned(face, stored) for face in faces)


def _scaled(face: Face, size: tuple[int, int]) -> Face:
    """A face in pixels, from one in shares of the picture's width and height."""
    (width, height), (x, y, w, h) = size, face.bbox
    points = face.keypoints
    if points is not None:
        points = tuple((px * width, py * height) for px, py in points)
    return replace(face, bbox=(x * width, y * height, w * width, h * height), keypoints=points)


def _turned(face: Face, stored: Stored) -> Face:
    x, y, w, h = face.bbox
    corners = upright_points(np.array([(x, y), (x + w, y + h)]), stored.size, stored.orientation)
    low, high = corners.min(0), corners.max(0)
    points = None
    if face.keypoints is not None:
        points = tuple((float(px), float(py)) for px, py in upright_landmarks(np.array(face.keypoints), stored))
    box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    return replace(face, bbox=box, keypoints=points)


def upright_landmarks(points: np.ndarray, stored: Stored) -> np.ndarray:
    """Five landmarks of a stored picture on the upright one, (5, 2) float, x y in pixels."""
    turned = upright_points(points, stored.size, stored.orientation)
    # A rotation keeps the order of left and right landmarks; a mirror image swaps them.
    return turned[[1, 0, 2, 4, 3]] if stored.orientation in MIRRORED else turned
