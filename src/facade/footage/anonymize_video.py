"""Anonymize a video: inspect it, find and treat the faces of each video stream, write the result and its record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facade.dataset.orientation import Stored
from facade.files import read_json, sha256_of, write_json, write_text
from facade.footage.clip import Clip, read_clips
from facade.footage.encode import concatenate
from facade.footage.extensions import CONTAINERS
from facade.footage.job import Job, Settings, job_id, source_id, stream_names
from facade.footage.masks import masks_path
from facade.footage.record import FaceTable, Record
from facade.footage.segments import cut
from facade.footage.sound import check_audio
from facade.footage.video_stream import People, SegmentWorkers, VideoStream, find_people, segment_masks, treat_faces
from facade.storage import AnyPath, atomic_file, remove_tree


def anonymize_video(job: Job, settings: Settings, workers: int | None = None, segment: int | None = None) -> Record:
    """Treat the faces of a video, and write it: same frames, same timestamps, upright, without metadata.

    Each video stream is treated on its own. Unfinished work is stored next to the target. The next run resumes from it.

    Args:
        job: The file.
        settings: How it is anonymized.
        workers: Processes; all cores by default. The result does not depend on it.
        segment: Frames of a work item; None for the usual number (`facade.footage.segments.cut`).

    Raises:
        FacadeError: It cannot be read to its end.
    """
    clips, left_out = read_clips(job.source, settings.max_megapixels)
    sha256 = sha256_of(job.source)
    source = source_id(sha256)
    key = job_id(job, source, settings)
    _resume_or_clear(job.partial, key)
    settings.check_streams(job.name, len(clips))
    names = stream_names(job.name, len(clips))
    streams = [_stream(job, name, clip, settings, segment) for name, clip in zip(names, clips, strict=True)]
    sound_notes = check_audio(clips[0], CONTAINERS[job.target.suffix.lower()]) if settings.audio else []
    folders = [path for path in (job.source.parent, job.target.parent) if isinstance(path, Path)]
    preload = (*settings.box_source.preload, type(settings.treatment).__module__, find_people.__module__)
    processes = SegmentWorkers(workers, preload, folders)
    people: list[People] = []
    for stream in streams:
        people.append(find_people(stream, sum(len(one.tracks) for one in people), processes))
    record = Record(
        kind="video",
        source={"file": job.name, "bytes": job.source.stat().st_size, "sha256": sha256},
        pictures=sum(len(clip.pts) for clip in clips),
        size=people[0].size if len(people) == 1 else None,
        detector=settings.detector,
        treatment=settings.method,
        faces=_joined(people, settings, exempt=False),
        exempt=_joined(people, settings, exempt=True),
        streams=[_summary(*both) for both in zip(clips, people, strict=True)] if len(people) > 1 else (),
        left_out=left_out,
        notes=[*_notes(streams, people), *sound_notes],
        job=key,
    )
    if settings.records_only and not settings.masks:
        record.write_to(job.record)
        remove_tree(job.partial)
        return record
    written = [treat_faces(*both, source, processes) for both in zip(streams, people, strict=True)]
    if settings.masks:
        masks = [[mask for path in paths for mask in read_json(segment_masks(path))] for paths in written]
        write_json(masks_path(job.target), masks if len(masks) > 1 else masks[0])
    if settings.records_only:
        record.write_to(job.record)
    else:
        with atomic_file(job.target) as temporary:
            concatenate(temporary, list(zip(clips, written, strict=True)), settings.audio)
            record = record.with_result(sha256_of(temporary))
            record.write_to(job.record)
    remove_tree(job.partial)
    return record


def _stream(job: Job, name: str, clip: Clip, settings: Settings, segment: int | None) -> VideoStream:
    settings.check_count(name, len(clip.pts))
    own = settings.for_file(name, Stored(clip.stored, clip.orientation), video=True)
    return VideoStream(job, name, clip, own, cut(len(clip.pts), clip.key_frames, segment))


def _summary(clip: Clip, people: People) -> dict[str, Any]:
    return {"size": list(people.size), "pictures": len(clip.pts), "tracks": len(people.tracks)}


def _joined(people: Sequence[People], settings: Settings, exempt: bool) -> FaceTable:
    """The faces of all streams, stream by stream."""
    several = len(people) > 1
    return FaceTable.joined(
        [one.table(exempt, settings.labeled, number if several else None) for number, one in enumerate(people)]
    )


def _notes(streams: Sequence[VideoStream], people: Sequence[People]) -> list[str]:
    """What the user should know about the pictures, stream by stream."""
    notes = [] if len(streams) == 1 else [f"{len(streams)} video streams were anonymized."]
    for number, (stream, one) in enumerate(zip(streams, people, strict=True)):
        own = list(stream.clip.notes)
        if one.size[0] % 2 or one.size[1] % 2:
            own.append("A side of odd length was padded to an even one, by repeating its last line.")
        notes += own if len(streams) == 1 else [f"Video stream {number}: {note}" for note in own]
    return notes


def _resume_or_clear(partial: AnyPath, key: str) -> None:
    """Keep the unfinished work of the same job; remove that of another source or other settings."""
    marker = partial / "job.txt"
    if not (marker.is_file() and marker.read_text() == key):
        remove_tree(partial)
        if isinstance(partial, Path):
            partial.mkdir(mode=0o700)  # boxes and anonymized frames; nobody else needs to see where faces were
        write_text(marker, key)
