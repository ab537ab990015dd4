"""A video, anonymized: faces found stretch by stretch, joined to people over its whole length, then treated."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from facade.detections import BATCH
from facade.errors import FacadeError
from facade.files import read_json, write_json, write_text
from facade.footage.encode import join, write_stretch
from facade.footage.job import Job, Report, Settings, is_exempt, job_id, least_sure, photograph_of, source_id
from facade.footage.tracks import Track, track
from facade.footage.video import Clip, Frame, read_clip, read_frames
from facade.parallel import in_order

# Frames of a stretch: what one worker does at a time, and what is lost when it is interrupted.
STRETCH = 240


@dataclass(frozen=True)
class _Find:
    """Look for faces in a stretch; what was found is kept for a run that goes on from here."""

    job: Job
    clip: Clip
    settings: Settings
    stretch: int

    def __call__(self, first: int) -> Path:
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
class Place:
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

    def __call__(self, place: Place) -> Path:
        path = self.job.partial / f"pictures-{place.first:08d}.nut"
        if not path.is_file():
            where = iter(zip(place.boxes, place.people, strict=True))

            def treated(frame: Frame) -> np.ndarray:
                boxes, people = next(where)
                return self.settings.treatment(
                    frame.pixels, photograph_of(self.source, frame.pixels, boxes, people)
                ).pixels

            frames = read_frames(self.clip, place.first, place.first + len(place.boxes))
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
    key = job_id(source, settings)
    _begin(job.partial, key)
    count = len(clip.times)
    firsts = range(0, count, stretch)
    found: list[np.ndarray] = []
    size = (0, 0)
    for path in in_order(_Find(job, clip, settings, stretch), firsts, f"find {job.target.name}", workers):
        content = read_json(path)
        size = tuple(content["size"])
        found += [np.array(rows, float).reshape(-1, 5) for rows in content["found"]]
    if len(found) != count:
        raise FacadeError(f"{job.partial} is not what Facade wrote. Delete it, and run again.")
    tracks = track(found, settings.sure, settings.bridge)
    kept = [
        any(is_exempt(settings, job, frame, box[None], size)[0] for frame, box, _ in _detected(one)) for one in tracks
    ]
    treated = [one for one, keep in zip(tracks, kept, strict=True) if not keep]
    places = _places(treated, firsts, count)
    parts = list(in_order(_Treat(job, clip, settings, source), places, f"treat {job.target.name}", workers))
    beside = job.partial / f"whole{job.target.suffix}"
    join(beside, parts, clip, settings.audio)
    beside.replace(job.target)
    shutil.rmtree(job.partial)
    odd = size[0] % 2 or size[1] % 2
    return Report(
        kind="video",
        pictures=count,
        faces=sum(len(one.frames) for one in treated),
        tracks=len(treated),
        bridged=sum(one.bridged for one in treated),
        exempt=sum(len(one.frames) for one, keep in zip(tracks, kept, strict=True) if keep),
        least_sure=least_sure([row for one in treated for row in _detected(one)]),
        notes=["A side of odd length was made even, by its last line once more."] if odd else [],
        job=key,
    )


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, BATCH)):
        yield batch


def _begin(partial: Path, key: str) -> None:
    """Go on with what an interrupted run left, or begin anew where it was of another source or other settings."""
    mark = partial / "job.txt"
    if not (mark.is_file() and mark.read_text() == key):
        shutil.rmtree(partial, ignore_errors=True)
        write_text(mark, key)


def _places(tracks: Sequence[Track], firsts: range, count: int) -> list[Place]:
    boxes: list[list[np.ndarray]] = [[] for _ in range(count)]
    people: list[list[int]] = [[] for _ in range(count)]
    for number, one in enumerate(tracks):
        for frame, box in zip(one.frames, one.boxes, strict=True):
            boxes[frame].append(box)
            people[frame].append(number)
    return [
        Place(
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
