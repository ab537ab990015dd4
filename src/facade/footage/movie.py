"""A video, anonymized: faces found stretch by stretch, joined to people over its whole length, then treated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from facade.dataset.iou import corners, pairs
from facade.detector.infer import BATCH
from facade.errors import FacadeError
from facade.files import read_json, sha256_of, write_json, write_text
from facade.footage.encode import check_sound, join, write_stretch
from facade.footage.job import (
    Job,
    Report,
    Settings,
    is_exempt,
    job_id,
    least_sure,
    photograph_of,
    source_id,
)
from facade.footage.tracks import Track, track
from facade.footage.video import Clip, Frame, read_clip, read_frames
from facade.parallel import in_order
from facade.storage import Place, remove, whole_file

# Frames of a stretch: what one worker does at a time, and what is lost when it is interrupted.
STRETCH = 240
# Overlap (IoU) of a person's boxes in one frame and the next, from which it is surely the same person.
STEADY = 0.5


@dataclass(frozen=True)
class _Find:
    """Look for faces in a stretch; what was found is kept for a run that goes on from here."""

    job: Job
    clip: Clip
    settings: Settings
    stretch: int

    def __call__(self, first: int) -> Place:
        path = self.job.partial / f"faces-{first:08d}.json"
        if not path.is_file():
            frames = read_frames(self.clip, first, min(first + self.stretch, len(self.clip.times)))
            found: list[list[list[float]]] = []
            size = (0, 0)
            for batch in _batches(frames):
                size = batch[0].pixels.shape[1::-1]
                faces = self.settings.finder.find(self.job.name, first + len(found), [one.pixels for one in batch])
                found += [rows.tolist() for rows in faces]
            write_json(path, {"size": size, "found": found})
        return path


@dataclass(frozen=True)
class Stretch:
    """Where faces of a stretch are treated: frame by frame, boxes (n, 4) and who they are (n,)."""

    first: int
    boxes: tuple[np.ndarray, ...]
    people: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class _Treat:
    """Treat the faces of a stretch, and encode it."""

    job: Job
    clip: Clip
    settings: Settings
    source: str

    def __call__(self, where: Stretch) -> Place:
        path = self.job.partial / f"pictures-{where.first:08d}.nut"
        if not path.is_file():
            treatments = iter(zip(where.boxes, where.people, strict=True))

            def treated(frame: Frame) -> np.ndarray:
                boxes, people = next(treatments)
                return self.settings.treatment(
                    frame.pixels, photograph_of(self.source, frame.pixels, boxes, people)
                ).pixels

            frames = read_frames(self.clip, where.first, where.first + len(where.boxes))
            write_stretch(path, self.clip, frames, treated)
        return path


def anonymize_video(job: Job, settings: Settings, workers: int | None = None, stretch: int = STRETCH) -> Report:
    """Treat the faces of a video, and write it: the same pictures at the same times, upright, no metadata.

    What is done is kept beside the target until all is: the next run goes on from there.

    Args:
        job: The file.
        settings: How.
        workers: Processes; all cores by default. The result does not depend on it.
        stretch: Frames that a worker does at a time.

    Raises:
        FacadeError: It cannot be read to its end.
    """
    clip = read_clip(job.source, settings.max_megapixels)
    source = source_id(job.source)
    key = job_id(job, source, settings)
    _begin(job.partial, key)
    count = len(clip.times)
    settings.check_count(job.name, count)
    if settings.audio:
        check_sound(clip)
    firsts = range(0, count, stretch)
    found: list[np.ndarray] = []
    size = (0, 0)
    find = _Find(job, clip, settings, stretch)
    folders = [one for one in (job.source.parent, job.target.parent) if isinstance(one, Path)]
    for path in in_order(
        find, firsts, f"find {job.target.name}", workers, settings.finder.imports, folders, heavy=True
    ):
        content = read_json(path)
        if size not in ((0, 0), tuple(content["size"])):
            raise FacadeError(f"{job.source} changes the size of its pictures on the way. Cut it there.")
        size = tuple(content["size"])
        found += [np.array(rows, float).reshape(-1, 5) for rows in content["found"]]
    if len(found) != count:
        raise FacadeError(f"{job.partial} is not what Facade wrote. Delete it, and run again.")
    tracks = track(found, settings.sure, settings.bridge)
    kept = _kept(tracks, settings, job, size)
    treated = [part for one, keep in zip(tracks, kept, strict=True) if (part := _without(one, keep)) is not None]
    places = _places(treated, firsts, count)
    treat = _Treat(job, clip, settings, source)
    parts = list(in_order(treat, places, f"treat {job.target.name}", workers, places=folders, heavy=True))
    odd = size[0] % 2 or size[1] % 2
    report = Report(
        kind="video",
        pictures=count,
        faces=sum(len(one.frames) for one in treated),
        tracks=len(treated),
        bridged=sum(one.bridged for one in treated),
        exempt=sum(int(keep.sum()) for keep in kept),
        least_sure=least_sure([row for one in treated for row in _detected(one)]),
        notes=["A side of odd length was made even, by its last line once more."] if odd else [],
        job=key,
    )
    with whole_file(job.target) as beside:
        join(beside, parts, clip, settings.audio)
        replace(report, sha256=sha256_of(beside)).write_to(job)
    remove(job.partial)
    return report


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, BATCH)):
        yield batch


def _begin(partial: Place, key: str) -> None:
    """Go on with what an interrupted run left, or begin anew where it was of another source or other settings."""
    mark = partial / "job.txt"
    if not (mark.is_file() and mark.read_text() == key):
        remove(partial)
        write_text(mark, key)


def _kept(tracks: Sequence[Track], settings: Settings, job: Job, size: tuple[int, int]) -> list[np.ndarray]:
    """Of each track, the frames in which the person is exempt.

    From the frames that somebody named, as far as the person is detected in one frame after the other, at nearly the
    same place: a track that lost a person may have gone on with another.
    """
    kept = [np.zeros(len(one.frames), bool) for one in tracks]
    if settings.exempt is None:
        return kept
    for name, frame in settings.exempt.boxes:
        rows = [(number, int(row)) for number, one in enumerate(tracks) for row in np.flatnonzero(one.frames == frame)]
        seen = [(number, row) for number, row in rows if not np.isnan(tracks[number].scores[row])]
        if name != job.name or not seen:
            continue
        boxes = np.array([tracks[number].boxes[row] for number, row in seen])
        for (number, row), exempt in zip(seen, is_exempt(settings, name, frame, boxes, size), strict=True):
            if exempt:
                kept[number] |= _steady(tracks[number], row, size)
    return kept


def _steady(one: Track, row: int, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: the frames round one in which the person is seen without a gap, and hardly moves between two."""
    there = np.zeros(len(one.frames), bool)
    there[row] = True
    for step in (-1, 1):
        now = row
        while 0 <= now + step < len(there):
            near = pairs(corners([one.boxes[now]], *size), corners([one.boxes[now + step]], *size), STEADY)
            if np.isnan(one.scores[now + step]) or abs(one.frames[now + step] - one.frames[now]) > 1 or not near:
                break
            now += step
            there[now] = True
    return there


def _without(one: Track, kept: np.ndarray) -> Track | None:
    """A track without the frames that are kept as they are; None where none is left."""
    if kept.all():
        return None
    return Track(one.frames[~kept], one.boxes[~kept], one.scores[~kept])


def _places(tracks: Sequence[Track], firsts: range, count: int) -> list[Stretch]:
    boxes: list[list[np.ndarray]] = [[] for _ in range(count)]
    people: list[list[int]] = [[] for _ in range(count)]
    for number, one in enumerate(tracks):
        for frame, box in zip(one.frames, one.boxes, strict=True):
            boxes[frame].append(box)
            people[frame].append(number)
    return [
        Stretch(
            first,
            tuple(np.array(rows).reshape(-1, 4) for rows in boxes[first : first + firsts.step]),
            tuple(np.array(rows, int) for rows in people[first : first + firsts.step]),
        )
        for first in firsts
    ]


def _detected(one: Track) -> Iterator[tuple[int, np.ndarray, float]]:
    """What was detected of a person: frame, box and score."""
    for frame, box, score in zip(one.frames, one.boxes, one.scores, strict=True):
        if not np.isnan(score):
            yield int(frame), box, float(score)
