"""Many files, or objects in storage: which there are, where each goes, what is told of those that cannot be done."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

from facade.errors import FacadeError
from facade.files import read_json, sha256_of
from facade.footage.encode import CONTAINERS
from facade.footage.job import Job, Report, Settings, job_id, source_id
from facade.footage.movie import anonymize_video
from facade.footage.pictures import PICTURES, anonymize_picture
from facade.footage.shard import SHARDS, anonymize_shard
from facade.parallel import cores, elsewhere, in_order
from facade.storage import Place, files_below, identity, is_within, leads_out, make_parents, reaching

# What is taken for a video, besides the containers that are written; these become Matroska, which holds any sound.
OTHER_VIDEOS = (".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv")
VIDEOS = (*CONTAINERS, *OTHER_VIDEOS)
TAKEN = (*PICTURES, *SHARDS, *VIDEOS)
# Photographs from which on a further process is worth its start.
WORTH_A_PROCESS = 20


def jobs(sources: Sequence[Place], target: Place, others: Sequence[Path] = ()) -> tuple[list[Job], list[Place]]:
    """The files to anonymize, and where each goes; and files that are neither photographs, shards nor videos.

    Args:
        sources: Files and folders.
        others: Files that are read, too, and must not be written over.
        target: A file where `sources` is one file, and it has the ending of one; else a folder.

    Raises:
        FacadeError: A source is missing, or a target is a source, or the target of another.
        OSError: Storage does not answer.
    """
    for source in sources:
        if not source.exists():
            raise FacadeError(f"{source} is missing. Check the path.")
        if source.is_dir() and is_within(target, source):
            raise FacadeError(f"{target} lies in {source}, which is to be anonymized. Name a folder beside it.")
    one_file = len(sources) == 1 and sources[0].is_file() and target.suffix.lower() in TAKEN
    if one_file:
        found = [Job(sources[0], sources[0].name, _target(sources[0], target))]
        strange: list[Place] = []
    else:
        listed = [pair for source in sources for pair in _files(source)]
        strange = [path for path, name in listed if not _is_taken(name)]
        found = [Job(path, name, _target(path, target / _renamed(name))) for path, name in listed if _is_taken(name)]
    read = {identity(path) for path in (*(job.source for job in found), *others)}
    taken: dict[str, Place] = {}
    for job in found:
        for path in (job.target, job.report):
            itself = identity(path)
            if itself in read or _is_link_to(path, job.source):
                raise FacadeError(f"{path} is a source itself. Write somewhere else; sources are never changed.")
            if itself in taken:
                raise FacadeError(f"{taken[itself]} and {job.source} would both become {path}. Rename one.")
            taken[itself] = job.source
    return found, strange


def anonymize(
    found: Sequence[Job], settings: Settings, overwrite: bool, told: Callable[[str], None], workers: int | None = None
) -> list[FacadeError]:
    """Anonymize files, photographs and shards first; one that cannot be done stops none of the others.

    Args:
        found: The files.
        settings: How.
        overwrite: Whether files that another run wrote are replaced.
        told: Is given a line on each file.
        workers: Processes; all cores by default.

    Returns:
        What went wrong.
    """
    pictures, shards, videos = (
        [job for job in found if job.source.suffix.lower() in kind] for kind in (PICTURES, SHARDS, VIDEOS)
    )
    near = {path.parent for job in found for path in (job.source, job.target) if isinstance(path, Path)}
    folders = sorted({_there(folder) for folder in near})
    on_cluster = workers is None and elsewhere()
    do = _Do(settings, overwrite)
    done: list[Iterator[str | FacadeError]] = []
    kinds = ((pictures, "photographs", WORTH_A_PROCESS, False), (shards, "shards", 1, True))
    for some, label, worth, heavy in kinds:
        if some:
            # A process takes seconds to start: few photographs are done sooner by one.
            few = None if on_cluster else min(workers or cores(), max(1, len(some) // worth))
            done.append(in_order(do, some, label, few, places=folders, heavy=heavy))
    errors = []
    # Stretches of a video are done side by side, videos one after the other.
    for result in chain(*done, map(_Do(settings, overwrite, workers), videos)):
        if isinstance(result, FacadeError):
            errors.append(result)
        else:
            told(result)
    return errors


def _there(folder: Path) -> Path:
    """A folder, or what it will lie in."""
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.is_dir())


@dataclass(frozen=True)
class _Do:
    """Does a job; gives a line that tells what was done, or what went wrong."""

    settings: Settings
    overwrite: bool
    workers: int | None = None

    def __call__(self, job: Job) -> str | FacadeError:
        try:
            with reaching():
                if _is_done(job, self.settings, self.overwrite):
                    return f"{job.target}: done before"
                make_parents(job.target)
                if job.source.suffix.lower() in VIDEOS:
                    return _line(job, anonymize_video(job, self.settings, self.workers))
                if job.source.suffix.lower() in SHARDS:
                    return _line(job, anonymize_shard(job, self.settings))
                return _line(job, anonymize_picture(job, self.settings))
        except FacadeError as error:
            return error
        except OSError as error:
            return _unwritten(job, error)


def _line(job: Job, report: Report) -> str:
    if report.kind == "photograph":
        return f"{job.target}: {report.faces} faces"
    if report.kind == "shard":
        return " ".join([f"{job.target}: {report.faces} faces in {report.pictures} photographs.", *report.notes])
    there = f"{report.faces} faces in {report.pictures} frames, {report.bridged} bridged"
    return f"{job.target}: {report.tracks} people, {there}"


def _is_done(job: Job, settings: Settings, overwrite: bool) -> bool:
    """Whether an earlier run did this very job.

    Raises:
        FacadeError: Something else stands in its place.
    """
    if not job.target.exists():
        return False
    if job.report.is_file():
        report = read_json(job.report)
        same = isinstance(report, dict) and report.get("job") == job_id(job, source_id(job.source), settings)
        if same and report.get("sha256") == sha256_of(job.target):
            return True
    if not overwrite:
        raise FacadeError(f"{job.target} is there already, from another source or other settings. Add --overwrite.")
    return False


def _unwritten(job: Job, error: OSError) -> FacadeError:
    if error.errno == errno.ENOSPC:
        return FacadeError(
            f"no room is left to write {job.target}. Make room, and run again: it goes on where it stopped."
        )
    return FacadeError(f"{job.source} could not become {job.target}: {error.strerror or error}. Check both paths.")


def _files(source: Place) -> Iterator[tuple[Place, str]]:
    if source.is_file():
        yield source, source.name
        return
    if isinstance(source, Path):
        # rglob passes over a folder that cannot be read: what is in it would be left out in silence.
        for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
            if not os.access(folder, os.R_OK | os.X_OK):
                raise FacadeError(f"{folder} cannot be read. Check its permissions.")
    for path, name in files_below(source):
        if not path.name.startswith("."):
            yield path, name


def _is_taken(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TAKEN and not leads_out(name)


def _is_link_to(path: Place, source: Place) -> bool:
    return isinstance(path, Path) and isinstance(source, Path) and path.exists() and path.samefile(source)


def _renamed(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix(f"{path.suffix}.mkv")) if path.suffix.lower() in OTHER_VIDEOS else name


def _target(source: Place, target: Place) -> Place:
    fitting = next(
        endings
        for kind, endings in ((VIDEOS, tuple(CONTAINERS)), (SHARDS, SHARDS), (PICTURES, PICTURES))
        if source.suffix.lower() in kind
    )
    if target.suffix.lower() not in fitting:
        raise FacadeError(f"{source} cannot become {target.name}. Give it one of the endings {', '.join(fitting)}.")
    return target
