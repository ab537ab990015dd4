"""The labels of an external data set, with a count of everything in them that is not a face."""

from collections.abc import Mapping
from dataclasses import dataclass

from facade.dataset.records import Labelled


@dataclass(frozen=True)
class LeftOut:
    """A file of a data set that is not read, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Labels:
    """What a reader returns.

    Attributes:
        layout: Name of the layout, for messages.
        photographs: In the order of the label files.
        categories: Number of annotations of each category. Together they are all annotations in the label files:
            faces, faces without a box, and everything else.
        faces: Names of the categories that are faces.
        left_out: Files that hold no labels of photographs, or labels that are read from another file.
    """

    layout: str
    photographs: tuple[Labelled, ...]
    categories: Mapping[str, int]
    faces: frozenset[str]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def annotations(self) -> int:
        """Number of annotations of any category."""
        return sum(self.categories.values())

    @property
    def others(self) -> int:
        """Number of annotations of other categories than faces."""
        return sum(count for name, count in self.categories.items() if name not in self.faces)
