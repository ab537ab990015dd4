"""An anonymization job and its settings."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facade.anonymize.treat import Treatment
from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.orientation import Stored
from facade.dataset.records import Face, Photograph, SmoothedFace
from facade.footage.box_sources import BoxSource
from facade.footage.face_columns import complete_rows, keypoints_of
from facade.footage.labelled_boxes import LabelledBoxes
from facade.networks.protocol import BOX_COLUMNS
from facade.params import Codec
from facade.storage import AnyPath

# Minimum IoU of a face and an exempt box for the face to stay untreated.
EXEMPT_IOU = 0.5


@dataclass(frozen=True)
class Settings:
    """How footage is anonymized.

    Attributes:
        box_source: Gives the boxes of faces.
        min_score: Score threshold of a face.
        treatment: How a face is anonymized.
        exempt: Faces that stay untreated, or None.
        max_gap: See `facade.footage.tracks.track`.
        audio: Whether the sound of a video is copied.
        codec: JPEG settings of photographs.
        max_megapixels: Larger images are refused.
        key: Identifies all of these, so that an interrupted job resumes only under the same settings.
        detector: What gives the boxes, for records.
        method: How faces are treated, for records.
        masks: Whether masks of the changed pixels are written next to the outputs.
        records_only: Whether records are written, and no anonymized files.
    """

    box_source: BoxSource
    min_score: float
    treatment: Treatment
    exempt: LabelledBoxes | None
    max_gap: int
    audio: bool
    codec: Codec
    max_megapixels: float
    key: str = ""
    detector: Mapping[str, Any] = field(default_factory=dict)
    method: Mapping[str, Any] = field(default_factory=dict)
    masks: bool = False
    records_only: bool = False

    @property
    def labeled(self) -> bool:
        """Whether boxes come from a file of labels."""
        return isinstance(self.box_source, LabelledBoxes)

    def faces(self, name: str, first: int, images: Sequence[np.ndarray], in_video: bool = False) -> list[np.ndarray]:
        """Faces as `BoxSource.faces` gives them, with all that the treatment takes from a face (`complete_rows`)."""
        rows = self.box_source.faces(name, first, images)
        return [
            complete_rows(self.treatment, *both, self.min_score, in_video) for both in zip(images, rows, strict=True)
        ]

    @property
    def has_labels(self) -> bool:
        """Whether boxes of a COCO file are used, of faces or of exempt faces."""
        return isinstance(self.box_source, LabelledBoxes) or self.exempt is not None

    def settled(self, pictures: Iterable[tuple[str, Stored]]) -> "Settings":
        """These settings, with labelled and exempt boxes that know what boxes of turned photographs refer to.

        Args:
            pictures: Names of photographs, and how they are stored.

        Raises:
            FacadeError: Photographs contradict each other; see `LabelledBoxes.settled`.
        """
        listed, source, exempt = list(pictures), self.box_source, self.exempt
        if isinstance(source, LabelledBoxes):
            source = source.settled(listed)
        return replace(self, box_source=source, exempt=None if exempt is None else exempt.settled(listed))

    def for_file(self, name: str, stored: Stored, video: bool = False) -> "Settings":
        """These settings with labelled and exempt boxes moved to where the faces of a file are seen.

        Args:
            name: See `Job.name`.
            stored: How its pictures are stored.
            video: Whether the file is a video.

        Raises:
            FacadeError: Boxes do not fit the file; see `LabelledBoxes.placed`.
        """
        source, exempt = self.box_source, self.exempt
        if isinstance(source, LabelledBoxes):
            source = source.placed(name, stored, video)
        if exempt is not None:
            exempt = exempt.placed(name, stored, video)
        return replace(self, box_source=source, exempt=exempt)

    def check_streams(self, name: str, count: int) -> None:
        """Refuse a video whose streams a COCO file of boxes does not list, or not by their names (`stream_names`).

        Args:
            name: See `Job.name`.
            count: Number of its video streams.

        Raises:
            FacadeError: It is one.
        """
        for boxes in (self.box_source, self.exempt):
            if isinstance(boxes, LabelledBoxes):
                boxes.check_streams(name, stream_names(name, count))
        if isinstance(self.box_source, LabelledBoxes) and count > 1:
            self.box_source.check_names(stream_names(name, count))

    def check_photograph(self, name: str) -> None:
        """Refuse a photograph that a COCO file of boxes does not list, or lists with several frames.

        Raises:
            FacadeError: It is one.
        """
        if isinstance(self.box_source, LabelledBoxes):
            self.box_source.check_names([name])
        self.check_count(name, 1)

    def check_count(self, name: str, count: int) -> None:
        """Refuse boxes of frames that a file does not have.

        Raises:
            FacadeError: There is such a box.
        """
        for boxes in (self.box_source, self.exempt):
            if isinstance(boxes, LabelledBoxes):
                boxes.check_count(name, count)


@dataclass(frozen=True)
class Job:
    """A file to anonymize.

    Attributes:
        source: The file, or object in storage.
        name: Its path relative to the folder that is anonymized, with forward slashes.
        target: The file to write.
    """

    source: AnyPath
    name: str
    target: AnyPath

    @property
    def record(self) -> AnyPath:
        """The record to write (`facade.footage.record`)."""
        return self.target.with_name(f"{self.target.name}.json")

    @property
    def partial(self) -> AnyPath:
        """Folder of unfinished work on a video: boxes, and anonymized segments; no raw frames."""
        return self.target.with_name(f".{self.target.name}.partial")


def stream_names(name: str, count: int) -> list[str]:
    """Names of a video's streams in files of boxes: that of the file; `in.mp4/0`, `in.mp4/1` if it has several.

    Args:
        name: See `Job.name`.
        count: Number of its video streams.
    """
    return [name] if count == 1 else [f"{name}/{number}" for number in range(count)]


def source_id(sha256: str) -> str:
    """16 hexadecimal digits of the hash of a file's content, from which its pseudonyms are derived, besides the key."""
    return sha256[:16]


def job_id(job: Job, source: str, settings: Settings) -> str:
    """16 hexadecimal digits of the hash of a file's name, its content and the settings."""
    return hashlib.sha256(f"{job.name}\0{source} {settings.key}".encode(errors="surrogateescape")).hexdigest()[:16]


def exempt_mask(settings: Settings, name: str, frame: int, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which boxes of a frame belong to exempt faces, (n,) bool.

    Args:
        settings: How footage is anonymized.
        name: See `Job.name`.
        frame: Index of the frame in the file.
        boxes: (n, 4) float, x y w h in pixels.
        size: Width and height of the frame, pixels.
    """
    kept = np.zeros(len(boxes), bool)
    if settings.exempt is None:
        return kept
    exempt = settings.exempt.boxes.get((name, frame), np.zeros((0, 4)))
    for index, _ in match_pairs(clipped_xyxy(list(boxes), *size), clipped_xyxy(list(exempt), *size), EXEMPT_IOU):
        kept[index] = True
    return kept


def labelled_photograph(
    name: str,
    pixels: np.ndarray,
    boxes: np.ndarray,
    people: np.ndarray | None = None,
    smoothed: Sequence[SmoothedFace] | None = None,
) -> Photograph:
    """A frame with its faces, as treatments take it.

    Args:
        name: Pseudonyms are derived from it, besides the key.
        pixels: (H, W, 3) uint8.
        boxes: (n, 4) float, x y w h in pixels; or rows with score and landmarks, as `Settings.faces` gives them. Boxes
            outside the frame, which a track may have, are dropped.
        people: (n,) int, index of the person (track) in a video; None for photographs.
        smoothed: The faces smoothed along their tracks; None for photographs.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = clipped_xyxy(list(boxes[:, :4]), width, height).T
    inside = (right > left) & (bottom > top)
    faces = tuple(
        Face(
            tuple(map(float, row[:4])),  # type: ignore[arg-type]
            keypoints_of(row[BOX_COLUMNS:]),
            person=None if people is None else int(people[number]),
            smoothed=None if smoothed is None else smoothed[number],
        )
        for number, row in enumerate(boxes)
        if inside[number]
    )
    return Photograph(name, width, height, faces)
