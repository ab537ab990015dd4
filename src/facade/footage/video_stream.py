"""Work on one stream of a video: find its faces by segment, track people over its length, then treat the segments."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from facade.anonymize.treat import HoldsFaces
from facade.dataset.names import printable
from facade.dataset.records import SmoothedFace
from facade.detector.infer import BATCH
from facade.errors import FacadeError
from facade.files import write_json
from facade.footage.clip import Clip
from facade.footage.encode import write_segment
from facade.footage.exemptions import exempt_frames, without
from facade.footage.job import Job, Settings, labelled_photograph
from facade.footage.masks import changed_mask, run_lengths
from facade.footage.record import FaceTable
from facade.footage.segments import Segment, read_faces, write_faces
from facade.footage.smoothing import smooth
from facade.footage.tracks import Track, track
from facade.footage.video import Frame, read_frames
from facade.networks.protocol import BOX_COLUMNS
from facade.parallel import ordered_map
from facade.storage import AnyPath

# Pixels of a batch of frames, which a worker holds in memory: eight frames of 720p, or four of 1080p.
BATCH_PIXELS = 8_300_000


@dataclass(frozen=True)
class VideoStream:
    """A video stream to anonymize.

    Attributes:
        job: The file.
        name: Of the stream in files of boxes (`facade.footage.job.stream_names`).
        clip: The stream.
        settings: How it is anonymized; labelled boxes are where the faces of this stream are seen.
        segments: What it is cut into.
    """

    job: Job
    name: str
    clip: Clip
    settings: Settings
    segments: Sequence[Segment]

    def work_file(self, kind: str, first: int, ending: str) -> AnyPath:
        """Where the result for a segment is kept until the video is finished; `first` is its first frame."""
        return self.job.partial / f"{kind}-{self.clip.stream}-{first:08d}.{ending}"


@dataclass(frozen=True)
class People:
    """The people in a video stream.

    Attributes:
        size: Width and height of the upright frames, pixels.
        tracks: One for each person.
        exempt: For each track, the frames in which the person stays untreated, (N,) bool.
        first: Number of the first person: numbers are unique in the file, so that nobody shares a pseudonym.
    """

    size: tuple[int, int]
    tracks: Sequence[Track]
    exempt: Sequence[np.ndarray]
    first: int

    def table(self, exempt: bool, labeled: bool, stream: int | None) -> FaceTable:
        """Faces as rows of a record, by frame and track.

        Args:
            exempt: Whether those that stay untreated, or those that are treated.
            labeled: Whether the boxes come from labels.
            stream: Number of the stream, if the file has several.
        """
        if not self.tracks:
            none = np.zeros(0, int)
            return FaceTable(tracks=none, labeled=labeled, streams=None if stream is None else none)
        both = [(one, kept if exempt else ~kept) for one, kept in zip(self.tracks, self.exempt, strict=True)]
        frames = np.concatenate([one.frames[rows] for one, rows in both])
        numbers = np.concatenate([np.full(int(rows.sum()), self.first + index) for index, (_, rows) in enumerate(both)])
        boxes = np.concatenate([one.boxes[rows] for one, rows in both])
        scores = np.concatenate([one.scores[rows] for one, rows in both])
        order = np.lexsort([numbers, frames])
        streams = None if stream is None else np.full(len(order), stream)
        return FaceTable(frames[order].tolist(), boxes[order], scores[order], numbers[order], labeled, streams)


@dataclass(frozen=True)
class SegmentWorkers:
    """The processes that work on segments.

    Attributes:
        count: Number of processes; None for all cores.
        preload: Modules that they need: both passes fork their workers from one server, which imports them once.
        folders: Folders that they read and write.
    """

    count: int | None
    preload: Sequence[str]
    folders: Sequence[Path]

    def map(self, work: Callable[[Any], AnyPath], segments: Sequence[Any], label: str) -> Iterator[AnyPath]:
        """The files that segments become, in order."""
        label = printable(label)
        return ordered_map(work, segments, label, self.count, self.preload, self.folders, one_by_one=True)


@dataclass(frozen=True)
class _DetectSegment:
    """Detects faces in a segment, in a worker. The result is stored for a run that resumes."""

    stream: VideoStream

    def __call__(self, segment: Segment) -> AnyPath:
        path = self.stream.work_file("faces", segment.first, "npz")
        if not path.is_file():
            found: list[np.ndarray] = []
            size = (0, 0)
            settings = self.stream.settings
            for batch in _batches(read_frames(self.stream.clip, segment.first, segment.last)):
                size = batch[0].pixels.shape[1::-1]
                images = [frame.pixels for frame in batch]
                found += settings.faces(self.stream.name, segment.first + len(found), images, in_video=True)
            write_faces(path, size, found)
        return path


@dataclass(frozen=True)
class SegmentFaces:
    """Faces to treat in a segment.

    Attributes:
        first: Index of the first frame.
        boxes: For each frame (n, 5 + K) float: x y w h in pixels, score, and the columns of the track.
        people: For each frame (n,) int, index of the track.
        smoothed: For each frame the n faces as pseudonyms are rendered; None for treatments that need boxes alone.
    """

    first: int
    boxes: tuple[np.ndarray, ...]
    people: tuple[np.ndarray, ...]
    smoothed: tuple[list[SmoothedFace], ...] | None


@dataclass(frozen=True)
class _TreatSegment:
    """Treats the faces of a segment, and encodes it, in a worker."""

    stream: VideoStream
    source: str

    def __call__(self, faces: SegmentFaces) -> AnyPath:
        path, settings = self.stream.work_file("pictures", faces.first, "nut"), self.stream.settings
        if not path.is_file() or (settings.masks and not segment_masks(path).is_file()):
            smoothed = faces.smoothed or (None,) * len(faces.boxes)
            by_frame = iter(zip(faces.boxes, faces.people, smoothed, strict=True))
            masks = []

            def treat(frame: Frame) -> np.ndarray:
                photograph = labelled_photograph(self.source, frame.pixels, *next(by_frame))
                treated = settings.treatment(frame.pixels, photograph).pixels
                if settings.masks:
                    masks.append(run_lengths(changed_mask(frame.pixels, treated)))
                return treated

            frames = read_frames(self.stream.clip, faces.first, faces.first + len(faces.boxes))
            write_segment(path, self.stream.clip, frames, treat)
            if settings.masks:
                write_json(segment_masks(path), masks)
        return path


def find_people(stream: VideoStream, first: int, workers: SegmentWorkers) -> People:
    """Detect the faces of a stream, and join them to tracks.

    Args:
        stream: The stream.
        first: Number of the first person.
        workers: Where segments are worked on.

    Raises:
        FacadeError: A frame cannot be decoded.
    """
    detections: list[np.ndarray] = []
    size = (0, 0)
    label = f"detect {stream.job.target.name}"
    for path in workers.map(_DetectSegment(stream), stream.segments, label):
        own_size, frames = read_faces(path)
        if size not in ((0, 0), own_size):
            raise FacadeError(f"{stream.job.source} changes its frame size. Cut it there.")
        size = own_size
        detections += frames
    if len(detections) != len(stream.clip.pts):
        raise FacadeError(f"{stream.job.partial} is not what Facade wrote. Delete it, and run again.")
    tracks = track(detections, stream.settings.min_score, stream.settings.max_gap)
    return People(size, tracks, exempt_frames(tracks, stream.settings, stream.name, size), first)


def treat_faces(stream: VideoStream, people: People, source: str, workers: SegmentWorkers) -> list[AnyPath]:
    """Treat the faces of a stream, and encode it; the anonymized segments, in order.

    Args:
        stream: The stream.
        people: From `find_people`.
        source: Identifies the file; pseudonyms are derived from it, besides the key.
        workers: Where segments are worked on.
    """
    faces = _by_segment(people, stream.segments, isinstance(stream.settings.treatment, HoldsFaces))
    return list(workers.map(_TreatSegment(stream, source), faces, f"treat {stream.job.target.name}"))


def segment_masks(segment: AnyPath) -> AnyPath:
    """Where the masks of a segment are kept until all segments are done."""
    return segment.with_name(f"{segment.name}.masks.json")


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    """Frames in batches of at most `BATCH`, and of at most `BATCH_PIXELS` pixels if that is more than one frame."""
    for frame in frames:
        count = min(max(BATCH_PIXELS // (frame.pixels.size // 3), 1), BATCH)
        yield [frame, *islice(frames, count - 1)]


def _by_segment(people: People, segments: Sequence[Segment], with_smoothed: bool) -> list[SegmentFaces]:
    """The faces to treat, by segment."""
    frame_count = segments[-1].last
    kept = [without(*both) for both in zip(people.tracks, people.exempt, strict=True)]
    tracks = [one for one in kept if one is not None]
    boxes: list[list[np.ndarray]] = [[] for _ in range(frame_count)]
    numbers: list[list[int]] = [[] for _ in range(frame_count)]
    smoothed: list[list[SmoothedFace]] = [[] for _ in range(frame_count)]
    width = max((one.columns.shape[1] for one in tracks), default=0)
    for index, one in enumerate(tracks):
        columns = np.full((len(one.frames), width), np.nan)
        columns[:, : one.columns.shape[1]] = one.columns
        for frame, row in zip(one.frames, np.column_stack([one.boxes, one.scores, columns]), strict=True):
            boxes[frame].append(row)
            numbers[frame].append(people.first + index)
        if with_smoothed:
            for frame, face in zip(one.frames, smooth(one), strict=True):
                smoothed[frame].append(face)
    return [
        SegmentFaces(
            one.first,
            tuple(np.array(rows).reshape(-1, BOX_COLUMNS + width) for rows in boxes[one.first : one.last]),
            tuple(np.array(rows, int) for rows in numbers[one.first : one.last]),
            tuple(smoothed[one.first : one.last]) if with_smoothed else None,
        )
        for one in segments
    ]
