"""Anonymize a shard (a tar of about a thousand photographs, as in WebDataset) in one pass."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from facade.dataset.names import printable
from facade.dataset.pixels import BadPhotographError
from facade.dataset.shards import add_member
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.footage.job import Job, Settings, job_id, source_id
from facade.footage.photographs import PHOTOGRAPHS, anonymize_bytes, written_name
from facade.footage.record import FaceTable, Record
from facade.storage import atomic_file, escapes_folder

SHARDS = (".tar",)
# Maximum number of skipped members that a report names.
MAX_NAMED = 20
# Maximum size of a photograph, bytes.
MAX_SIZE = 2**30


class _HashingReader(io.RawIOBase):
    """Reads a stream, and hashes what is read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.digest = hashlib.sha256()
        self.size = self.filled = 0  # bytes read, and bytes up to the last non-zero one

    def read(self, size: int = -1, /) -> bytes:
        block = self._content.read(size)
        self.digest.update(block)
        if filled := len(block.rstrip(b"\0")):
            self.filled = self.size + filled
        self.size += len(block)
        return block

    def finish(self) -> None:
        """Read the rest of the stream."""
        while self.read(2**20):
            pass


def anonymize_shard(job: Job, settings: Settings) -> Record:
    """Treat the faces of all photographs of a tar, and write the photographs alone into another tar.

    The tar is streamed once, with one photograph in memory at a time. Unreadable photographs and other members (labels,
    texts) are skipped, and listed in the report. The photographs are byte-identical to those that are anonymized as
    single files.

    Raises:
        FacadeError: It is no tar, is truncated, or holds a photograph that the COCO file of boxes does not list.
    """
    faces: list[FaceTable] = []
    exempt: list[FaceTable] = []
    skipped: list[tuple[str, str]] = []
    notes: list[str] = []
    names: set[str] = set()
    with job.source.open("rb") as raw, atomic_file(job.target) as temporary:
        content = _HashingReader(raw)
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as into:
            for name, photograph in _photographs(content, job, skipped):
                written = written_name(name)
                if written in names:
                    skipped.append((name, "duplicate name"))
                    continue
                full_name = f"{job.name}/{name}"
                settings.check_photograph(full_name)
                try:
                    result = anonymize_bytes(photograph, full_name, PurePosixPath(written).suffix.lower(), settings)
                except BadPhotographError as error:
                    skipped.append((name, str(error)))
                    continue
                names.add(written)
                notes += [f"{name}: {note}" for note in result.notes]
                add_member(into, written, result.content)
                treated, kept = result.tables(name, settings)
                faces.append(treated)
                exempt.append(kept)
        named = printable("; ".join(f"{what}: {why}" for what, why in skipped[:MAX_NAMED]))
        record = Record(
            kind="shard",
            source={"file": job.name, "bytes": content.size, "sha256": content.digest.hexdigest()},
            pictures=len(names),
            size=None,
            detector=settings.detector,
            treatment=settings.method,
            faces=FaceTable.joined(faces),
            exempt=FaceTable.joined(exempt),
            left_out=[{"what": printable(what), "why": printable(why)} for what, why in skipped],
            notes=[
                *([f"{len(skipped)} members were skipped: {named}"] if skipped else []),
                *([f"{len(notes)} losses: {printable('; '.join(notes[:MAX_NAMED]))}"] if notes else []),
            ],
            job=job_id(job, source_id(content.digest.hexdigest()), settings),
            result=sha256_of(temporary),
        )
        record.write_to(job.record)
    return record


def _photographs(content: _HashingReader, job: Job, skipped: list[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Names and files of a tar's photographs, in its order. Other members are added to `skipped`."""
    try:
        with tarfile.open(fileobj=content, mode="r|") as tar:
            for member in tar:
                if member.isdir():
                    continue
                name = member.name
                if not member.isfile() or PurePosixPath(name).suffix.lower() not in PHOTOGRAPHS:
                    skipped.append((name, "not a photograph"))
                elif escapes_folder(name):
                    skipped.append((name, "the name escapes the folder"))
                elif not name.isprintable():
                    skipped.append((name, "the name is not printable"))
                elif member.size > MAX_SIZE:
                    skipped.append((name, f"{member.size} bytes are too many for a photograph"))
                elif (file := tar.extractfile(member)) is not None:
                    yield name, file.read()
            content.finish()
            # tarfile treats damage after the first member, and a truncated file, as the end of the archive.
            if content.filled > tar.offset or content.size < tar.offset + tarfile.BLOCKSIZE:
                raise tarfile.ReadError("it is damaged, truncated, or several tars in one file")
    except tarfile.TarError as error:
        raise FacadeError(f"{job.source} cannot be read as a tar ({error}). Repair it, or leave it out.") from None
