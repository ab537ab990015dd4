"""A shard of photographs (WebDataset: a tar, a thousand photographs or so), anonymized in one pass."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from facade.dataset.names import printable
from facade.dataset.pixels import BadPhotographError
from facade.dataset.shards import add
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.footage.job import Detected, Job, Report, Settings, job_id, least_sure, least_sure_of
from facade.footage.pictures import PICTURES, anonymized
from facade.storage import leads_out, whole_file

SHARDS = (".tar",)
# Members that a report names, of those that were left out.
NAMED = 20
# A member of so many bytes is no photograph.
LARGEST = 2**30


class _Hashed(io.RawIOBase):
    """What is read from a stream, and its sum."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.digest = hashlib.sha256()
        self.size = self.filled = 0  # bytes read, and those up to the last one that is not zero

    def read(self, size: int = -1, /) -> bytes:
        block = self._content.read(size)
        self.digest.update(block)
        if filled := len(block.rstrip(b"\0")):
            self.filled = self.size + filled
        self.size += len(block)
        return block

    def finish(self) -> None:
        """Read what is left."""
        while self.read(2**20):
            pass


def anonymize_shard(job: Job, settings: Settings) -> Report:
    """Treat the faces of all photographs of a tar, and write them, and nothing else of it, into another.

    It is read as a stream, once, and holds one photograph in memory at a time. Photographs that cannot be read, and
    members that are none (labels, texts), are left out, which the report tells. The photographs of a shard are equal
    to the byte to what they become as files of their own.

    Raises:
        FacadeError: It is no tar, is cut off, or holds a photograph that given boxes say nothing of.
    """
    faces = exempt = 0
    found: list[Detected] = []
    left: list[str] = []
    names: set[str] = set()
    with job.source.open("rb") as raw, whole_file(job.target) as beside:
        content = _Hashed(raw)
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as into:
            for name, photograph in _photographs(content, job, left):
                if name in names:
                    left.append(f"{name}: there is another of that name")
                    continue
                known_as = f"{job.name}/{name}"
                settings.check_named(known_as)
                try:
                    one = anonymized(photograph, known_as, PurePosixPath(name).suffix.lower(), settings)
                except BadPhotographError as error:
                    left.append(f"{name}: {error}")
                    continue
                names.add(name)
                add(into, name, one.content)
                faces, exempt = faces + one.faces, exempt + one.exempt
                found = least_sure_of(found + one.rows(name))
        report = Report(
            kind="shard",
            pictures=len(names),
            faces=faces,
            tracks=None,
            bridged=0,
            exempt=exempt,
            least_sure=least_sure(found),
            notes=[f"{len(left)} members were left out: {printable('; '.join(left[:NAMED]))}"] if left else [],
            job=job_id(job, content.digest.hexdigest()[:16], settings),
            sha256=sha256_of(beside),
        )
        report.write_to(job)
    return report


def _photographs(content: _Hashed, job: Job, left: list[str]) -> Iterator[tuple[str, bytes]]:
    """Names and files of a tar's photographs, in its order; what is none is added to what is left out."""
    try:
        with tarfile.open(fileobj=content, mode="r|") as tar:
            for member in tar:
                if member.isdir():
                    continue
                name = member.name
                if not member.isfile() or PurePosixPath(name).suffix.lower() not in PICTURES:
                    left.append(f"{name}: no photograph")
                elif leads_out(name):
                    left.append(f"{name}: the name leads out of the shard")
                elif not name.isprintable():
                    left.append(f"{name}: the name is no text")
                elif member.size > LARGEST:
                    left.append(f"{name}: {member.size} bytes are no photograph")
                elif (file := tar.extractfile(member)) is not None:
                    yield name, file.read()
            content.finish()
            # tarfile takes damage behind the first member, or the end of the file, for the end of the archive.
            if content.filled > tar.offset or content.size < tar.offset + tarfile.BLOCKSIZE:
                raise tarfile.ReadError("it is damaged, cut off, or several in one file")
    except tarfile.TarError as error:
        raise FacadeError(f"{job.source} cannot be read as a tar ({error}). Mend it, or leave it out.") from None
