"""Anonymize a video: detect faces segment by segment, track people over the whole length, then treat the segments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from facade.anonymize.treat import HoldsFaces
from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.names import printable
from facade.dataset.orientation import Stored
from facade.dataset.records import SmoothedFace
from facade.detector.infer import BATCH
from facade.errors import FacadeError
from facade.files import read_json, sha256_of, write_json, write_text
from facade.footage.clip import Clip, read_clip
from facade.footage.encode import concatenate, write_segment
from facade.footage.extensions import CONTAINERS
from facade.footage.job import Job, Settings, exempt_mask, job_id, labelled_photograph, source_id
from facade.footage.masks import changed_mask, masks_path, run_lengths
from facade.footage.record import FaceTable, Record
from facade.footage.segments import Segment, cut, read_faces, write_faces
from facade.footage.smoothing import smooth
from facade.footage.sound import check_audio
from facade.footage.tracks import Track, track
from facade.footage.video import Frame, read_frames
from facade.networks.protocol import BOX_COLUMNS
from facade.parallel import ordered_map
from facade.storage import AnyPath, atomic_file, remove_tree

# Pixels of a batch of frames, which a worker holds in memory: eight frames of 720p, or four of 1080p.
BATCH_PIXELS = 8_300_000
# Minimum IoU of a person's boxes in consecutive frames for an exemption to carry over.
STEADY_IOU = 0.5


@dataclass(frozen=True)
class _DetectSegment:
    """Detects faces in a segment, in a worker. The result is stored for a run that resumes."""

    job: Job
    clip: Clip
    settings: Settings

    def __call__(self, segment: Segment) -> AnyPath:
        path = self.job.partial / f"faces-{segment.first:08d}.npz"
        if not path.is_file():
            found: list[np.ndarray] = []
            size = (0, 0)
            for batch in _batches(read_frames(self.clip, segment.first, segment.last)):
                size = batch[0].pixels.shape[1::-1]
                images = [frame.pixels for frame in batch]
                found += self.settings.faces(self.job.name, segment.first + len(found), images, in_video=True)
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

    job: Job
    clip: Clip
    settings: Settings
    source: str

    def __call__(self, faces: SegmentFaces) -> AnyPath:
        path = self.job.partial / f"pictures-{faces.first:08d}.nut"
        if not path.is_file() or (self.settings.masks and not _masks(path).is_file()):
            smoothed = faces.smoothed or (None,) * len(faces.boxes)
            by_frame = iter(zip(faces.boxes, faces.people, smoothed, strict=True))
            masks = []

            def treat(frame: Frame) -> np.ndarray:
                photograph = labelled_photograph(self.source, frame.pixels, *next(by_frame))
                treated = self.settings.treatment(frame.pixels, photograph).pixels
                if self.settings.masks:
                    masks.append(run_lengths(changed_mask(frame.pixels, treated)))
                return treated

            frames = read_frames(self.clip, faces.first, faces.first + len(faces.boxes))
            write_segment(path, self.clip, frames, treat)
            if self.settings.masks:
                write_json(_masks(path), masks)
        return path


def anonymize_video(job: Job, settings: Settings, workers: int | None = None, segment: int | None = None) -> Record:
    """Treat the faces of a video, and write it: same frames, same timestamps, upright, without metadata.

    Unfinished work is stored next to the target. The next run resumes from it.

    Args:
        job: The file.
        settings: How it is anonymized.
        workers: Processes; all cores by default. The result does not depend on it.
        segment: Frames of a work item; None for the usual number (`facade.footage.segments.cut`).

    Raises:
        FacadeError: It cannot be read to its end.
    """
    clip = read_clip(job.source, settings.max_megapixels)
    sha256 = sha256_of(job.source)
    source = source_id(sha256)
    key = job_id(job, source, settings)
    _resume_or_clear(job.partial, key)
    frame_count = len(clip.pts)
    settings.check_count(job.name, frame_count)
    settings = settings.for_file(job.name, Stored(clip.stored, clip.orientation), video=True)
    notes = list(clip.notes)
    if settings.audio:
        notes += check_audio(clip, CONTAINERS[job.target.suffix.lower()])
    segments = cut(frame_count, clip.key_frames, segment)
    folders = [path for path in (job.source.parent, job.target.parent) if isinstance(path, Path)]
    # Both passes fork their workers from one server, which imports what they need once.
    preload = (*settings.box_source.preload, type(settings.treatment).__module__, __name__)
    detections, size = _detect(job, clip, settings, segments, workers, preload, folders)
    tracks = track(detections, settings.min_score, settings.max_gap)
    kept = _exempt_frames(tracks, settings, job, size)
    treated = [part for one, keep in zip(tracks, kept, strict=True) if (part := _without(one, keep)) is not None]
    if size[0] % 2 or size[1] % 2:
        notes.append("A side of odd length was padded to an even one, by repeating its last line.")
    record = Record(
        kind="video",
        source={"file": job.name, "bytes": job.source.stat().st_size, "sha256": sha256},
        pictures=frame_count,
        size=size,
        detector=settings.detector,
        treatment=settings.method,
        faces=_table(tracks, [~keep for keep in kept], settings.labeled),
        exempt=_table(tracks, kept, settings.labeled),
        notes=notes,
        job=key,
    )
    if settings.records_only and not settings.masks:
        record.write_to(job.record)
        remove_tree(job.partial)
        return record
    faces = _by_segment(treated, segments, isinstance(settings.treatment, HoldsFaces))
    treat = _TreatSegment(job, clip, settings, source)
    label = printable(f"treat {job.target.name}")
    written = list(ordered_map(treat, faces, label, workers, preload, folders, one_by_one=True))
    if settings.masks:
        write_json(masks_path(job.target), [mask for path in written for mask in read_json(_masks(path))])
    if settings.records_only:
        record.write_to(job.record)
    else:
        with atomic_file(job.target) as temporary:
            concatenate(temporary, written, clip, settings.audio)
            record = record.with_result(sha256_of(temporary))
            record.write_to(job.record)
    remove_tree(job.partial)
    return record


def _detect(
    job: Job,
    clip: Clip,
    settings: Settings,
    segments: Sequence[Segment],
    workers: int | None,
    preload: Sequence[str],
    folders: Sequence[Path],
) -> tuple[list[np.ndarray], tuple[int, int]]:
    """For each frame (n, 5 + K) boxes, scores and further columns; width and height of the frames."""
    detections: list[np.ndarray] = []
    size = (0, 0)
    work = _DetectSegment(job, clip, settings)
    label = printable(f"detect {job.target.name}")
    for path in ordered_map(work, segments, label, workers, preload, folders, one_by_one=True):
        own_size, frames = read_faces(path)
        if size not in ((0, 0), own_size):
            raise FacadeError(f"{job.source} changes its frame size. Cut it there.")
        size = own_size
        detections += frames
    if len(detections) != len(clip.pts):
        raise FacadeError(f"{job.partial} is not what Facade wrote. Delete it, and run again.")
    return detections, size


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    """Frames in batches of at most `BATCH`, and of at most `BATCH_PIXELS` pixels if that is more than one frame."""
    for frame in frames:
        count = min(max(BATCH_PIXELS // (frame.pixels.size // 3), 1), BATCH)
        yield [frame, *islice(frames, count - 1)]


def _resume_or_clear(partial: AnyPath, key: str) -> None:
    """Keep the unfinished work of the same job; remove that of another source or other settings."""
    marker = partial / "job.txt"
    if not (marker.is_file() and marker.read_text() == key):
        remove_tree(partial)
        write_text(marker, key)


def _exempt_frames(tracks: Sequence[Track], settings: Settings, job: Job, size: tuple[int, int]) -> list[np.ndarray]:
    """For each track, the frames in which the person is exempt, (N,) bool.

    An exemption carries over from the frame of its box to neighboring frames as long as the person is detected without
    a gap at nearly the same position. Then it stops: a track that lost a person may have continued with another.
    """
    kept = [np.zeros(len(one.frames), bool) for one in tracks]
    if settings.exempt is None:
        return kept
    for name, frame in settings.exempt.boxes:
        rows = [(index, int(row)) for index, one in enumerate(tracks) for row in np.flatnonzero(one.frames == frame)]
        detected = [(index, row) for index, row in rows if not np.isnan(tracks[index].scores[row])]
        if name != job.name or not detected:
            continue
        boxes = np.array([tracks[index].boxes[row] for index, row in detected])
        for (index, row), exempt in zip(detected, exempt_mask(settings, name, frame, boxes, size), strict=True):
            if exempt:
                kept[index] |= _steady_frames(tracks[index], row, size)
    return kept


def _steady_frames(one: Track, row: int, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the frames around one in which the person is detected without a gap, and hardly moves in between."""
    steady = np.zeros(len(one.frames), bool)
    steady[row] = True
    for step in (-1, 1):
        now = row
        while 0 <= now + step < len(steady):
            near = match_pairs(
                clipped_xyxy([one.boxes[now]], *size), clipped_xyxy([one.boxes[now + step]], *size), STEADY_IOU
            )
            if np.isnan(one.scores[now + step]) or abs(one.frames[now + step] - one.frames[now]) > 1 or not near:
                break
            now += step
            steady[now] = True
    return steady


def _without(one: Track, exempt: np.ndarray) -> Track | None:
    """A track without its exempt frames; None if no frame is left."""
    if exempt.all():
        return None
    return one.select(~exempt)


def _by_segment(tracks: Sequence[Track], segments: Sequence[Segment], with_smoothed: bool) -> list[SegmentFaces]:
    frame_count = segments[-1].last
    boxes: list[list[np.ndarray]] = [[] for _ in range(frame_count)]
    people: list[list[int]] = [[] for _ in range(frame_count)]
    smoothed: list[list[SmoothedFace]] = [[] for _ in range(frame_count)]
    width = max((one.columns.shape[1] for one in tracks), default=0)
    for index, one in enumerate(tracks):
        columns = np.full((len(one.frames), width), np.nan)
        columns[:, : one.columns.shape[1]] = one.columns
        for frame, row in zip(one.frames, np.column_stack([one.boxes, one.scores, columns]), strict=True):
            boxes[frame].append(row)
            people[frame].append(index)
        if with_smoothed:
            for frame, face in zip(one.frames, smooth(one), strict=True):
                smoothed[frame].append(face)
    return [
        SegmentFaces(
            one.first,
            tuple(np.array(rows).reshape(-1, BOX_COLUMNS + width) for rows in boxes[one.first : one.last]),
            tuple(np.array(rows, int) for rows in people[one.first : one.last]),
            tuple(smoothed[one.first : one.last]) if with_smoothed else None,
        )
        for one in segments
    ]


def _masks(segment: AnyPath) -> AnyPath:
    """Where the masks of a segment are kept until all segments are done."""
    return segment.with_name(f"{segment.name}.masks.json")


def _table(tracks: Sequence[Track], chosen: Sequence[np.ndarray], labeled: bool) -> FaceTable:
    """Frames of tracks as rows of a record, by frame and track.

    Args:
        tracks: All tracks.
        chosen: For each track, which of its frames, (N,) bool.
        labeled: Whether the boxes come from labels.
    """
    if not tracks:
        return FaceTable(tracks=np.zeros(0, int), labeled=labeled)
    frames = np.concatenate([one.frames[keep] for one, keep in zip(tracks, chosen, strict=True)])
    numbers = np.concatenate([np.full(int(keep.sum()), index) for index, keep in enumerate(chosen)])
    boxes = np.concatenate([one.boxes[keep] for one, keep in zip(tracks, chosen, strict=True)])
    scores = np.concatenate([one.scores[keep] for one, keep in zip(tracks, chosen, strict=True)])
    order = np.lexsort([numbers, frames])
    return FaceTable(frames[order].tolist(), boxes[order], scores[order], numbers[order], labeled)
