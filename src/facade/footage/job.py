"""What is to be done with a file, and what was done."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from facade.anonymize.treat import Treatment
from facade.dataset.iou import corners, pairs
from facade.dataset.records import Face, Photograph
from facade.files import sha256_of, write_json
from facade.footage.box_sources import Finder, Given
from facade.params import Codec
from facade.storage import Place

# Overlap (IoU) from which a face is the one of a box that is to be kept.
EXEMPT = 0.5
# Detections that a report lists, the least sure first.
LISTED = 20


@dataclass(frozen=True)
class Settings:
    """How footage is anonymized.

    Attributes:
        finder: Says where faces are.
        sure: Score from which a detection is a face.
        treatment: What is done to a face.
        exempt: Faces that are kept, or None.
        bridge: See `facade.footage.tracks.track`.
        audio: Whether the sound of a video is kept.
        codec: JPEG settings of photographs.
        max_megapixels: Larger pictures are refused.
        key: Names all of these: what a run that was interrupted had begun goes on under the same settings alone.
    """

    finder: Finder
    sure: float
    treatment: Treatment
    exempt: Given | None
    bridge: int
    audio: bool
    codec: Codec
    max_megapixels: float
    key: str = ""

    def check_named(self, name: str) -> None:
        """Refuse a photograph that given boxes say nothing of, or of which they give several pictures.

        Raises:
            FacadeError: It is one.
        """
        if isinstance(self.finder, Given):
            self.finder.check([name])
        self.check_count(name, 1)

    def check_count(self, name: str, count: int) -> None:
        """Refuse given boxes of pictures that a file does not have.

        Raises:
            FacadeError: There is one.
        """
        for boxes in (self.finder, self.exempt):
            if isinstance(boxes, Given):
                boxes.check_count(name, count)


@dataclass(frozen=True)
class Job:
    """A file to anonymize.

    Attributes:
        source: The file, or object in storage.
        name: What it is called below the folder that was given, with forward slashes.
        target: The file to write.
    """

    source: Place
    name: str
    target: Place

    @property
    def report(self) -> Place:
        """The file that tells what was done."""
        return self.target.with_name(f"{self.target.name}.json")

    @property
    def partial(self) -> Place:
        """Where unfinished work on a video lies: boxes, and pictures that are anonymized already; nothing raw."""
        return self.target.with_name(f".{self.target.name}.partial")


@dataclass(frozen=True)
class Report:
    """What was done with a file.

    Attributes:
        kind: "photograph", "shard" of photographs, or "video".
        pictures: Photographs, or frames.
        faces: Treated, over all pictures.
        tracks: People that a video was found to show; None for photographs.
        bridged: Treated faces that were not detected, but bridged between detections.
        exempt: Faces that were kept as they are.
        least_sure: The least sure detections that were treated: picture, box and score.
        notes: What a person should know.
        job: Names the source and the settings.
        sha256: Of the file that was written.
    """

    kind: str
    pictures: int
    faces: int
    tracks: int | None
    bridged: int
    exempt: int
    least_sure: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)
    job: str = ""
    sha256: str = ""

    def write_to(self, job: Job) -> None:
        """Write it as JSON, before the file appears: a file that it does not describe is never taken for done."""
        write_json(job.report, asdict(self))


def source_id(path: Place) -> str:
    """16 hexadecimal digits of a file's content: what pseudonyms in it come from, besides the key."""
    return sha256_of(path)[:16]


def job_id(job: Job, source: str, settings: Settings) -> str:
    """16 hexadecimal digits of a file, its content and the settings."""
    return hashlib.sha256(f"{job.name}\0{source} {settings.key}".encode()).hexdigest()[:16]


def is_exempt(settings: Settings, name: str, picture: int, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which boxes of a picture are those of faces that are to be kept, (n,) bool.

    Args:
        settings: How footage is anonymized.
        name: Of the file, as finders know it.
        picture: Number of the picture in it.
        boxes: (n, 4) float, x y w h in pixels.
        size: Width and height of the picture.
    """
    kept = np.zeros(len(boxes), bool)
    if settings.exempt is None:
        return kept
    theirs = settings.exempt.boxes.get((name, picture), np.zeros((0, 4)))
    for ours, _ in pairs(corners(list(boxes), *size), corners(list(theirs), *size), EXEMPT):
        kept[ours] = True
    return kept


def photograph_of(name: str, pixels: np.ndarray, boxes: np.ndarray, people: np.ndarray | None = None) -> Photograph:
    """A picture as treatments take one.

    Args:
        name: What pseudonyms come from, besides the key.
        pixels: (H, W, 3) uint8.
        boxes: (n, 4) float, x y w h in pixels. Those beside the picture, which a track may have, are left out.
        people: (n,) int, who they are in a video.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = corners(list(boxes), width, height).T
    there = (right > left) & (bottom > top)
    faces = tuple(
        Face(tuple(map(float, box)), person=None if people is None else int(people[number]))  # type: ignore[arg-type]
        for number, box in enumerate(boxes)
        if there[number]
    )
    return Photograph(name, width, height, faces)


Detected = tuple[Any, np.ndarray, float]  # number or name of the picture, box, score


def least_sure_of(found: Iterable[Detected]) -> list[Detected]:
    """Those of detections that a report lists."""
    return sorted(found, key=lambda one: (one[2], one[0]))[:LISTED]


def least_sure(found: Iterable[Detected]) -> list[dict[str, Any]]:
    """The least sure of detections, for a report."""
    return [
        {"picture": picture, "bbox": [round(float(value), 2) for value in box], "score": round(score, 4)}
        for picture, box, score in least_sure_of(found)
    ]
