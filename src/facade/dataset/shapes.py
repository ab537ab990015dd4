"""Labelled shapes of a photograph, before it is known which categories are faces."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import cos, radians, sin

from facade.dataset.records import Box, Face

# The category of shapes that nobody named.
UNNAMED = "(no label)"
# The category of shapes that annotation tools mark as not visible.
OUTSIDE = "(outside)"


@dataclass(frozen=True)
class Shape:
    """A shape: the name of its category, and its box; None if it has none, as points and brush strokes."""

    category: str
    box: Box | None


def face_boxes(shapes: Sequence[Shape], faces: Collection[str], word: str) -> tuple[tuple[Face, ...], tuple[str, ...]]:
    """The faces of a photograph; and those without a box, as messages name them.

    Args:
        shapes: Of the photograph.
        faces: Names of the categories that are faces.
        word: What the tool calls a shape.
    """
    kept = [(number, shape.box) for number, shape in enumerate(shapes, 1) if shape.category in faces]
    boxes = tuple(Face(box) for _, box in kept if box is not None)
    return boxes, tuple(f"{word} {number}" for number, box in kept if box is None)


def box_of_ellipse(x: float, y: float, across: float, down: float, degrees: float) -> Box:
    """The upright box around an ellipse, in the unit of its numbers.

    Args:
        x: Of its center.
        y: Of its center.
        across: Half its width before it is rotated.
        down: Half its height before it is rotated.
        degrees: Rotation about the center, clockwise.
    """
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    wide = ((across * cosine) ** 2 + (down * sine) ** 2) ** 0.5
    high = ((across * sine) ** 2 + (down * cosine) ** 2) ** 0.5
    return x - wide, y - high, 2 * wide, 2 * high
