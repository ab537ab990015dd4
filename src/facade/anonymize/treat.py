"""The shared path of every arm: decode, treat each face, encode. Arms differ in the treatment alone."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from facade.code_hash import code_hash
from facade.dataset import Photograph, Photographs, encode
from facade.dataset.concatenate import coco_without_landmarks, concatenated
from facade.dataset.extra_boxes import ExtraBoxes, with_extra_boxes
from facade.dataset.records import Box, Point
from facade.dataset.shards import Position, read_member, shard_file, write_index, write_shard
from facade.dataset.store import decode, write_annotations
from facade.errors import FacadeError
from facade.files import atomic_directory, read_json, write_json
from facade.parallel import ordered_map
from facade.params import Codec


@dataclass(frozen=True)
class Treated:
    """A treated photograph, (H, W, 3) uint8, BGR, and counts of what was done to it."""

    pixels: np.ndarray
    counts: Counter[str] = field(default_factory=Counter)


Treatment = Callable[[np.ndarray, Photograph], Treated]


@runtime_checkable
class HoldsFaces(Protocol):
    """A treatment that renders a face as the person's was held and lit: it is better with landmarks."""

    def measure(self, image: np.ndarray, bbox: Box, keypoints: tuple[Point, ...] | None) -> np.ndarray:
        """What it takes from the pixels of a face, as a row of numbers that may be smoothed over the frames of a video.

        Args:
            image: (H, W, 3) uint8, BGR.
            bbox: The face, x y w h in pixels.
            keypoints: Its landmarks, or None.

        Returns:
            (K,) float; NaN where unknown.
        """
        ...


@dataclass(frozen=True)
class BuiltTreatment:
    """A treatment that was assembled from its parameters.

    Attributes:
        treatment: Takes a photograph and its labels, and returns the treated photograph.
        cache_key: Changes with everything that the treatment depends on besides the photograph and a secret, of which
            it tells nothing. None where nothing can name what it depends on: partial work is then not resumed.
    """

    treatment: Treatment
    cache_key: str | None


def leave_faces(image: np.ndarray, photograph: Photograph) -> Treated:
    """The treatment of the raw arm: none. The photograph is still re-encoded, as in the other arms."""
    del photograph
    return Treated(image)


def recoded(image: np.ndarray, codec: Codec) -> np.ndarray:
    """A picture after one generation of JPEG, (H, W, 3) uint8, BGR: the effect of the codec alone."""
    return decode(encode(image, codec))


@dataclass(frozen=True)
class _TreatPhotograph:
    """Treat and encode one photograph."""

    treatment: Treatment
    codec: Codec
    extra_boxes: ExtraBoxes

    def __call__(self, source: Photographs, photograph: Photograph) -> tuple[bytes, Counter[str]]:
        image = source.pixels(photograph)
        if image.shape[:2] != (photograph.height, photograph.width):
            raise FacadeError(
                f"{source.where(photograph)} is {image.shape[1]}x{image.shape[0]} pixels, its labels say "
                f"{photograph.width}x{photograph.height}. Run `dvc repro ingest` again."
            )
        treated = self.treatment(image, with_extra_boxes(photograph, self.extra_boxes))
        return encode(treated.pixels, self.codec), treated.counts


@dataclass(frozen=True)
class _TreatFile:
    """Treat a photograph that is stored as its own file."""

    source: Photographs
    treat: _TreatPhotograph
    into: Path

    def __call__(self, photograph: Photograph) -> Counter[str]:
        content, counts = self.treat(self.source, photograph)
        target = self.into / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return counts


@dataclass(frozen=True)
class _TreatShard:
    """Treat the photographs of a shard; one that an interrupted run finished in the same way is reused.

    Nothing on disk may tell of the secret, not even a hash. So whether a finished shard was treated with the same
    secret is seen by treating one of its photographs again.
    """

    root: Path
    treat: _TreatPhotograph
    into: Path

    def __call__(self, number: int) -> tuple[Counter[str], dict[str, Position]]:
        source = Photographs(self.root, shard=number)
        everybody = [with_extra_boxes(photograph, self.treat.extra_boxes) for photograph in source]
        made_from = hashlib.sha256(f"{source.shard_sha256(number)} {everybody!r}".encode()).hexdigest()
        record_file = self.into / f".{number:06d}.json"
        if shard_file(self.into, number).is_file() and record_file.is_file():
            record = read_json(record_file)
            positions = {name: Position(*position) for name, position in record.get("positions", {}).items()}
            if record["made_from"] == made_from and self._same_treatment(source, everybody, positions):
                return Counter(record["counts"]), positions
        record_file.unlink(missing_ok=True)  # it describes another shard than the one that is written now
        counts: Counter[str] = Counter()

        def treated() -> Iterator[tuple[str, bytes]]:
            for photograph in source:
                content, own = self.treat(source, photograph)
                counts.update(own)
                yield photograph.file, content

        positions = write_shard(shard_file(self.into, number), number, treated())
        write_json(record_file, {"made_from": made_from, "counts": counts, "positions": positions})
        return counts, positions

    def _same_treatment(self, source: Photographs, everybody: list[Photograph], positions: dict[str, Position]) -> bool:
        """Whether this treatment gives the stored bytes of the photograph with the fewest faces, at least one."""
        numbers = [number for number, one in enumerate(everybody) if one.faces]
        if not numbers:
            return True
        photograph = list(source)[min(numbers, key=lambda number: len(everybody[number].faces))]
        return self.treat(source, photograph)[0] == read_member(self.into, positions[photograph.file])


def treat(
    source: Photographs,
    treatment: Treatment,
    into: Path,
    codec: Codec,
    label: str,
    extra_boxes: ExtraBoxes | None = None,
    known_misses: Photographs | None = None,
    workers: int | None = None,
    resume_key: str | None = None,
) -> Counter[str]:
    """Write a treated copy of a data set: same photographs, boxes, order and storage format; other pixels in faces.

    Landmarks are left out: they are the real person's, and nothing that reads an arm needs them.

    With shards, finished shards of an interrupted run are kept, and the next call with the same key resumes.

    Args:
        source: The photographs.
        treatment: Applied to each; picklable, and a function of the photograph alone. It may work in place.
        into: The data set to write. It appears only when it is complete.
        codec: JPEG settings, the same for every arm.
        label: Label of the progress bar.
        extra_boxes: Faces to treat besides the labelled ones, by photograph. The labels do not change: arms differ
            in pixels alone.
        known_misses: Photographs that are anonymized already, the known misses, appended to the treated ones.
        workers: Number of processes; all cores by default. The result does not depend on it.
        resume_key: Identifies the treatment and all its inputs but a secret: parameters, the pictures of a bank. It is
            written to disk until the data set is complete. None keeps nothing of an interrupted run.

    Returns:
        The treatment's counts, summed over the photographs.
    """
    treat_photograph = _TreatPhotograph(treatment, codec, extra_boxes or {})
    content = coco_without_landmarks(concatenated(source, known_misses))
    counts: Counter[str] = Counter()
    if not source.sharded:
        with atomic_directory(into) as temporary:
            treat_file = _TreatFile(source, treat_photograph, temporary)
            for own in ordered_map(treat_file, list(source), label, workers):
                counts += own
            if known_misses is not None:
                for photograph in known_misses:
                    (temporary / "images" / photograph.file).write_bytes(known_misses.read(photograph))
            write_annotations(temporary, content)
        return counts
    numbers = source.shard_numbers
    key = None if resume_key is None else f"{resume_key} {codec!r} {code_hash()}"
    with atomic_directory(into, resume_key=key) as temporary:
        positions: dict[str, Position] = {}
        treat_shard = _TreatShard(source.root, treat_photograph, temporary)
        for own, own_positions in ordered_map(treat_shard, numbers, label, workers, one_by_one=True):
            counts += own
            positions |= own_positions
        if known_misses is not None and len(known_misses):
            last = max(numbers, default=-1) + 1
            files = ((photograph.file, known_misses.read(photograph)) for photograph in known_misses)
            positions |= write_shard(shard_file(temporary, last), last, files)
        written = {shard_file(temporary, position.shard) for position in positions.values()}
        for path in temporary.rglob("*"):
            # Records of shards, and leftovers of an interrupted run: of other photographs, or half-written.
            if path.is_file() and path not in written:
                path.unlink()
        write_index(temporary, content, positions)
    return counts
