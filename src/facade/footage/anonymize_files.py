"""Anonymize many files or objects in storage: list the inputs, choose the outputs, run the jobs, report errors."""

import errno
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from facade.dataset.names import printable
from facade.dataset.orientation import Stored
from facade.dataset.pixels import BadPhotographError, read_layout
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.footage.extensions import CONTAINERS
from facade.footage.job import Job, Settings, job_id, source_id
from facade.footage.media import is_media
from facade.footage.photographs import PHOTOGRAPHS, WRITTEN, anonymize_photograph, written_name
from facade.footage.record import Record, read_record
from facade.footage.run_record import Outcome
from facade.footage.shard import SHARDS, anonymize_shard
from facade.parallel import cores, ordered_map, uses_cluster
from facade.storage import (
    AnyPath,
    broken_links,
    canonical_uri,
    escapes_folder,
    is_within,
    list_files,
    make_parents,
    storage_errors,
)

# Video formats that are read but not written; they become Matroska, which holds any audio codec.
OTHER_VIDEOS = (
    ".webm", ".avi", ".mts", ".m2ts", ".m2t", ".ts", ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp",
    ".3g2", ".ogv", ".mxf", ".dv", ".qt",
)  # fmt: skip
VIDEOS = (*CONTAINERS, *OTHER_VIDEOS)
SUPPORTED = (*PHOTOGRAPHS, *SHARDS, *VIDEOS)
# Fewer photographs take one process two or three seconds, of which others would save little.
MIN_FOR_PROCESSES = 60
# Photographs that make it worthwhile to fork one more process.
MIN_PER_PROCESS = 10


@dataclass(frozen=True)
class Plan:
    """What is to be done with inputs.

    Attributes:
        jobs: Files to anonymize, with their targets.
        skipped: Files in folders that are neither pictures nor videos, and hidden files.
        refused: Errors, one for each picture or video in a folder that cannot be anonymized.
    """

    jobs: list[Job]
    skipped: list[AnyPath]
    refused: list[FacadeError]


def plan_jobs(sources: Sequence[AnyPath], target: AnyPath, other_inputs: Sequence[Path] = ()) -> Plan:
    """Decide on every file that is named or lies in a folder: anonymized, skipped or refused.

    Args:
        sources: Files and folders.
        target: A file if `sources` is a single file and `target` has a supported extension; else a folder.
        other_inputs: Further files that are read, and must not be overwritten.

    Raises:
        FacadeError: A source is missing or, named by itself, not supported; or a target is also a source or the target
            of another source.
        OSError: Storage does not respond.
    """
    for source in sources:
        if not source.exists():
            raise FacadeError(f"{source} is missing. Check the path.")
        if source.is_file() and not _is_supported(source.name):
            raise FacadeError(
                f"{source} has no supported format. Convert it, or leave it out. Supported: {', '.join(SUPPORTED)}."
            )
        if source.is_dir() and is_within(target, source):
            raise FacadeError(f"{target} is inside {source}, which is to be anonymized. Choose a folder outside of it.")
    single = len(sources) == 1 and sources[0].is_file() and target.suffix.lower() in SUPPORTED
    if single:
        plan = Plan([Job(sources[0], sources[0].name, _target(sources[0], target))], [], [])
    else:
        plan = _plan_folders(sources, target)
    _check_targets(plan.jobs, other_inputs)
    return plan


def _plan_folders(sources: Sequence[AnyPath], target: AnyPath) -> Plan:
    plan = Plan([], [], [])
    for source in sources:
        for link in broken_links(source):
            plan.refused.append(FacadeError(f"{link} is a link that leads nowhere. Repair it, or remove it."))
        for path, name in _files(source, target):
            if path.name.startswith(".") and path != source:
                plan.skipped.append(path)
            elif _is_supported(name):
                plan.jobs.append(Job(path, name, _target(path, target / _renamed(name))))
            elif is_media(path) or path.suffix.lower() in SUPPORTED:
                plan.refused.append(_unsupported(path, name))
            else:
                plan.skipped.append(path)
    return plan


def _files(source: AnyPath, target: AnyPath) -> list[tuple[AnyPath, str]]:
    if source.is_file():
        return [(source, source.name)]
    try:
        files = list_files(source)
    except PermissionError as error:
        raise FacadeError(f"{error.filename or source} cannot be read. Check its permissions.") from None
    for folder in sorted({path.parent for path, _ in files if isinstance(path, Path)}):
        if is_within(folder, target):  # through a link
            raise FacadeError(f"{folder} is in {target}, where outputs go. Choose another folder for outputs.")
    return files


def _unsupported(path: AnyPath, name: str) -> FacadeError:
    if escapes_folder(name):
        return FacadeError(f"{path} has a name that leads out of its folder. Rename it.")
    return FacadeError(
        f"{path} was not anonymized: it is a picture or video in a format that is not supported"
        f"{'' if path.suffix else ', or without an extension'}. Convert it, or leave it out."
    )


def _check_targets(jobs: Sequence[Job], other_inputs: Sequence[Path]) -> None:
    inputs = {canonical_uri(path) for path in (*(job.source for job in jobs), *other_inputs)}
    outputs: dict[str, AnyPath] = {}
    for job in jobs:
        for path in (job.target, job.record):
            uri = canonical_uri(path)
            if uri in inputs or _is_link_to(path, job.source):
                raise FacadeError(f"{path} is an input itself. Choose another output; inputs are never changed.")
            if uri in outputs:
                raise FacadeError(f"{outputs[uri]} and {job.source} would both be written to {path}. Rename one.")
            outputs[uri] = job.source


def check_targets(jobs: Sequence[Job]) -> None:
    """Refuse outputs that cannot be written, before any work is done.

    Raises:
        FacadeError: A local folder of an output does not allow new files.
    """
    for folder in sorted({_existing(job.target.parent) for job in jobs if isinstance(job.target, Path)}):
        _check_writable(folder)


def _check_writable(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FacadeError(
            f"{folder} cannot be written to ({error.strerror or error}). Choose another output."
        ) from None


def run_jobs(
    jobs: Sequence[Job],
    settings: Settings,
    overwrite: bool,
    log_line: Callable[[str], None],
    workers: int | None = None,
) -> list[Outcome]:
    """Anonymize files: photographs, then shards, then videos. A file that fails does not stop the others.

    Args:
        jobs: The files.
        settings: How they are anonymized.
        overwrite: Whether files that a run with other settings wrote are replaced.
        log_line: Called with a line on each file that was anonymized.
        workers: Processes; all cores by default.

    Returns:
        What became of each file.
    """
    photographs, shards, videos = (
        [job for job in jobs if job.source.suffix.lower() in kind] for kind in (PHOTOGRAPHS, SHARDS, VIDEOS)
    )
    parents = {path.parent for job in jobs for path in (job.source, job.target) if isinstance(path, Path)}
    folders = sorted({_existing(folder) for folder in parents})
    on_cluster = workers is None and uses_cluster()
    settings = settings.settled(_layouts(photographs)) if settings.has_labels else settings
    work = _RunJob(settings, overwrite)
    results: list[Iterator[Outcome]] = []
    preload = (*settings.box_source.preload, type(settings.treatment).__module__, __name__)
    most = min(workers or cores(), len(photographs) // MIN_PER_PROCESS if len(photographs) >= MIN_FOR_PROCESSES else 1)
    kinds = ((photographs, "photographs", most, False), (shards, "shards", min(workers or cores(), len(shards)), True))
    for items, label, processes, one_by_one in kinds:
        if items:
            count = None if on_cluster else processes
            results.append(ordered_map(work, items, label, count, preload, folders, one_by_one=one_by_one))
    outcomes = []
    # Segments of a video run in parallel, videos one after the other.
    for outcome in chain(*results, map(_RunJob(settings, overwrite, workers), videos)):
        if outcome.status in ("done", "already done"):
            log_line(printable(outcome.message))
        outcomes.append(outcome)
    return outcomes


def _existing(folder: Path) -> Path:
    """A folder if it exists, else its closest existing parent."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())


@dataclass(frozen=True)
class _RunJob:
    """Runs a job."""

    settings: Settings
    overwrite: bool
    workers: int | None = None

    def __call__(self, job: Job) -> Outcome:
        start = time.perf_counter()
        try:
            with storage_errors():
                if (earlier := _earlier_record(job, self.settings, self.overwrite)) is not None:
                    names = [one["what"] for one in earlier["left_out"]]
                    return Outcome(job, _status("already done", names), f"{job.target}: already done")
                make_parents(job.target)
                if job.source.suffix.lower() in VIDEOS:
                    from facade.footage.anonymize_video import anonymize_video  # FFmpeg, which photographs do not need

                    record = anonymize_video(job, self.settings, self.workers)
                elif job.source.suffix.lower() in SHARDS:
                    record = anonymize_shard(job, self.settings)
                else:
                    record = anonymize_photograph(job, self.settings)
        except FacadeError as error:
            return Outcome(job, "failed", str(error), time.perf_counter() - start)
        except OSError as error:
            return Outcome(job, "failed", str(_write_error(job, error)), time.perf_counter() - start)
        status = _status("done", [one["what"] for one in record.left_out])
        return Outcome(job, status, _line(job, record), time.perf_counter() - start)


def _status(complete: str, left_out: Sequence[str]) -> str:
    """The status of a job that succeeded: photographs that are missing from its output make it incomplete."""
    missing = any(PurePosixPath(name).suffix.lower() in PHOTOGRAPHS for name in left_out)
    return "incomplete" if missing else complete


def _line(job: Job, record: Record) -> str:
    faces = f"{len(record.faces)} {'face' if len(record.faces) == 1 else 'faces'}"
    if record.kind == "shard":
        faces += f" in {record.pictures} photographs"
    elif record.kind == "video":
        faces = (
            f"{record.tracks} {'track' if record.tracks == 1 else 'tracks'}, {faces} in {record.pictures} frames, "
            f"{record.faces.interpolated} of them interpolated"
        )
    return " ".join([f"{job.target}: {faces}", *(f"({note})" for note in record.notes)])


def _earlier_record(job: Job, settings: Settings, overwrite: bool) -> dict[str, Any] | None:
    """The record of an earlier run that did the same job; None if there was none.

    Raises:
        FacadeError: The target exists, but is not the result of this job.
    """
    output = job.record if settings.records_only else job.target
    if not output.exists():
        return None
    if (record := read_record(job.record)) is not None:
        same = record["job"] == job_id(job, source_id(sha256_of(job.source)), settings)
        if same and (settings.records_only or (record["result"] or {}).get("sha256") == sha256_of(job.target)):
            return record
    if not overwrite:
        raise FacadeError(f"{output} already exists, from another source or other settings. Add --overwrite.")
    return None


def _write_error(job: Job, error: OSError) -> FacadeError:
    if error.errno == errno.ENOSPC:
        return FacadeError(
            f"no space is left to write {job.target}. Free some space, and run again: it resumes where it stopped."
        )
    return FacadeError(
        f"{job.source} could not be written to {job.target}: {error.strerror or error}. Check both paths."
    )


def _layouts(photographs: Sequence[Job]) -> Iterator[tuple[str, Stored]]:
    """Names of photographs, and how they are stored. Those that cannot be read are reported in their turn."""
    for job in photographs:
        with suppress(BadPhotographError, OSError), storage_errors(), job.source.open("rb") as content:
            yield job.name, Stored(*read_layout(content))


def _is_supported(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUPPORTED and not escapes_folder(name)


def _is_link_to(path: AnyPath, source: AnyPath) -> bool:
    return isinstance(path, Path) and isinstance(source, Path) and path.exists() and path.samefile(source)


def _renamed(name: str) -> str:
    return f"{name}.mkv" if PurePosixPath(name).suffix.lower() in OTHER_VIDEOS else written_name(name)


def _target(source: AnyPath, target: AnyPath) -> AnyPath:
    allowed = next(
        extensions
        for kind, extensions in ((VIDEOS, tuple(CONTAINERS)), (SHARDS, SHARDS), (PHOTOGRAPHS, WRITTEN))
        if source.suffix.lower() in kind
    )
    if target.suffix.lower() not in allowed:
        raise FacadeError(
            f"{source} cannot be written as {target.name}. Use one of the extensions {', '.join(allowed)}."
        )
    return target
