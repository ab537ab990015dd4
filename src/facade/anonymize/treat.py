"""One path for every arm: decode, treat each face, encode. Arms differ in nothing but the treatment."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facade.code_hash import code_hash
from facade.dataset import Photograph, Photographs, encode
from facade.dataset.concatenate import concatenated
from facade.dataset.extra_boxes import ExtraBoxes, with_extra_boxes
from facade.dataset.shards import Position, shard_file, write_index, write_shard
from facade.dataset.store import decode, write_annotations
from facade.errors import FacadeError
from facade.files import read_json, whole_directory, write_json
from facade.parallel import in_order
from facade.params import Codec


@dataclass(frozen=True)
class Treated:
    """A treated photograph, (H, W, 3) uint8, BGR, and counts of what was done to it."""

    pixels: np.ndarray
    counts: Counter[str] = field(default_factory=Counter)


Treatment = Callable[[np.ndarray, Photograph], Treated]


def keep(image: np.ndarray, photograph: Photograph) -> Treated:
    """The treatment of the raw arm: none. The photograph is still encoded anew, as in the other arms."""
    del photograph
    return Treated(image)


def recoded(image: np.ndarray, codec: Codec) -> np.ndarray:
    """A picture after one generation of JPEG, (H, W, 3) uint8, BGR: what the codec alone makes of it."""
    return decode(encode(image, codec))


@dataclass(frozen=True)
class _Treat:
    """Treat a photograph, and encode it."""

    treatment: Treatment
    codec: Codec
    also: ExtraBoxes

    def __call__(self, source: Photographs, photograph: Photograph) -> tuple[bytes, Counter[str]]:
        image = source.pixels(photograph)
        if image.shape[:2] != (photograph.height, photograph.width):
            raise FacadeError(
                f"{source.where(photograph)} is {image.shape[1]}x{image.shape[0]} pixels, its labels say "
                f"{photograph.width}x{photograph.height}. Run `dvc repro ingest` again."
            )
        treated = self.treatment(image, with_extra_boxes(photograph, self.also))
        return encode(treated.pixels, self.codec), treated.counts


@dataclass(frozen=True)
class _TreatFile:
    """Treat a photograph that is a file of its own."""

    source: Photographs
    treat: _Treat
    into: Path

    def __call__(self, photograph: Photograph) -> Counter[str]:
        content, counts = self.treat(self.source, photograph)
        target = self.into / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return counts


@dataclass(frozen=True)
class _TreatShard:
    """Treat the photographs of a shard. One that was done before, from the same photographs, is taken as it is."""

    root: Path
    treat: _Treat
    into: Path

    def __call__(self, number: int) -> tuple[Counter[str], dict[str, Position]]:
        source = Photographs(self.root, shard=number)
        everybody = [with_extra_boxes(photograph, self.treat.also) for photograph in source]
        made_from = hashlib.sha256(f"{source.shard_sum(number)} {everybody!r}".encode()).hexdigest()
        note = self.into / f".{number:06d}.json"
        if shard_file(self.into, number).is_file() and note.is_file():
            told = read_json(note)
            if told["made_from"] == made_from:
                return Counter(told["counts"]), {name: Position(*place) for name, place in told["places"].items()}
        note.unlink(missing_ok=True)  # it is of another shard than the one that is written now
        counts: Counter[str] = Counter()

        def treated() -> Iterator[tuple[str, bytes]]:
            for photograph in source:
                content, found = self.treat(source, photograph)
                counts.update(found)
                yield photograph.file, content

        places = write_shard(shard_file(self.into, number), number, treated())
        write_json(note, {"made_from": made_from, "counts": counts, "places": places})
        return counts, places


def treat(
    source: Photographs,
    treatment: Treatment,
    into: Path,
    codec: Codec,
    label: str,
    also: ExtraBoxes | None = None,
    more: Photographs | None = None,
    workers: int | None = None,
    key: str | None = None,
) -> Counter[str]:
    """Write a treated copy of a data set: the same photographs, labels, order and form; other pixels in the faces.

    In shards, what was done is kept where the work is stopped, and the next call with the same key goes on.

    Args:
        source: The photographs.
        treatment: What is done to each; picklable, and dependent on the photograph alone. It may work in place.
        into: The data set to write. It appears when all of it is done.
        codec: JPEG settings, the same for every arm.
        label: What the progress bar says.
        also: Faces to treat besides the labelled ones, by photograph. The labels stay as they are: arms differ in
            pixels alone.
        more: Photographs that are anonymized already, the known misses, which come behind the treated ones.
        workers: Processes; all cores by default. The result does not depend on it.
        key: Names the treatment, and all that it reads: parameters, a secret (so that it cannot be told from it), the
            pictures of a bank. None keeps nothing of a work that is stopped.

    Returns:
        Sums of the counts that the treatment made.
    """
    each = _Treat(treatment, codec, also or {})
    content = concatenated(source, more)
    counts: Counter[str] = Counter()
    if not source.sharded:
        with whole_directory(into) as beside:
            for found in in_order(_TreatFile(source, each, beside), list(source), label, workers):
                counts += found
            if more is not None:
                for photograph in more:
                    (beside / "images" / photograph.file).write_bytes(more.read(photograph))
            write_annotations(beside, content)
        return counts
    numbers = source.shard_numbers
    with whole_directory(into, go_on=None if key is None else f"{key} {codec!r} {code_hash()}") as beside:
        places: dict[str, Position] = {}
        for found, own in in_order(_TreatShard(source.root, each, beside), numbers, label, workers, heavy=True):
            counts += found
            places |= own
        if more is not None and len(more):
            last = max(numbers, default=-1) + 1
            files = ((photograph.file, more.read(photograph)) for photograph in more)
            places |= write_shard(shard_file(beside, last), last, files)
        written = {shard_file(beside, position.shard) for position in places.values()}
        for path in beside.rglob("*"):
            # Notes, and what a work that was stopped has left: of other photographs, or half-written.
            if path.is_file() and path not in written:
                path.unlink()
        write_index(beside, content, places)
    return counts
