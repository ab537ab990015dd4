"""The ledger of known misses: a COCO file that git keeps, and photographs that are stored anonymized alone.

misses/annotations.json         every face of the photographs; those that were missed say so
misses/images/<arm>/<name>.jpg  the photograph as the arm treats it; DVC keeps them
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from facade.dataset.iou import corners, pairs
from facade.dataset.records import Face, Photograph
from facade.dataset.store import Photographs, coco, write_annotations
from facade.errors import FacadeError
from facade.files import read_json, write_bytes
from facade.stage import ANONYMIZED

State = Literal["new", "accepted", "rejected"]
LEDGER = Path("misses")
LABELS, IMAGES = "annotations.json", "images"
# Overlap (IoU) from which two boxes are the same face.
SAME = 0.5
# What an annotation says besides its box: how the face was missed, and what became of that.
MISS = "miss"


@dataclass(frozen=True)
class Miss:
    """How a face was missed.

    Attributes:
        state: "new" until somebody has looked at it.
        by: By arm, the seeds of the runs that missed it; empty where a person reports it.
        of: By arm, how many runs looked.
        models: By arm, 16 hexadecimal digits of the data that they were trained on.
        best_score: Of the surest detection that overlaps the face enough, however unsure; 0 where there is none.
        best_overlap: Greatest overlap (IoU) of any detection with it.
    """

    state: State = "new"
    by: Mapping[str, list[int]] = field(default_factory=dict)
    of: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    best_score: float = 0.0
    best_overlap: float = 0.0


@dataclass(frozen=True)
class Entry:
    """A photograph of the ledger.

    Attributes:
        photograph: Its labels: all of its faces, the missed ones among them.
        misses: By number of the face.
        hashes: By arm, sha256 of its anonymized file.
    """

    photograph: Photograph
    misses: Mapping[int, Miss]
    hashes: Mapping[str, str]

    @property
    def accepted(self) -> bool:
        """Whether a miss in it was accepted."""
        return any(miss.state == "accepted" for miss in self.misses.values())


@dataclass(frozen=True)
class Ledger:
    """All known misses.

    Attributes:
        root: The folder.
        entries: Its photographs, by name.
        synthetic: Whether nobody in them was real to begin with.
    """

    root: Path
    entries: tuple[Entry, ...]
    synthetic: bool = True

    def image(self, arm: str, entry: Entry) -> Path:
        """An anonymized photograph."""
        return self.root / IMAGES / arm / entry.photograph.file

    def read_image(self, arm: str, entry: Entry) -> bytes:
        """The file of an anonymized photograph.

        Raises:
            FacadeError: It is missing, or is not the one that was recorded.
        """
        path = self.image(arm, entry)
        try:
            content = path.read_bytes()
        except OSError:
            raise FacadeError(f"{path} is missing. `dvc pull {self.root / IMAGES}` or `dvc checkout` has it.") from None
        if hashlib.sha256(content).hexdigest() != entry.hashes[arm]:
            raise FacadeError(f"{path} is not the photograph that was recorded. Run `dvc checkout {path.parent}`.")
        return content


def read_ledger(root: Path = LEDGER) -> Ledger:
    """Read the ledger; a folder without one is an empty ledger.

    Raises:
        FacadeError: Its labels are not what Facade writes.
    """
    path = root / LABELS
    if not path.is_file():
        return Ledger(root, ())
    photographs = Photographs(root)
    content = read_json(path)
    misses: dict[int, list[dict[str, Any] | None]] = {number: [] for number, _ in photographs.items()}
    try:
        for annotation in content["annotations"]:
            misses[annotation["image_id"]].append(annotation.get(MISS))
        entries = tuple(
            _entry(photograph, misses[image["id"]], image["sha256"])
            for photograph, image in zip(photographs, content["images"], strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise FacadeError(f"{path} is not a ledger that Facade wrote ({fault[:120]}). `git checkout` it.") from None
    return Ledger(root, entries, photographs.synthetic)


def write_ledger(ledger: Ledger) -> None:
    """Write the labels, photographs by name."""
    entries = sorted(ledger.entries, key=lambda entry: entry.photograph.file)
    content = coco((entry.photograph for entry in entries), ledger.synthetic)
    content["info"]["description"] = "known misses, written by Facade"
    annotations = iter(content["annotations"])
    for image, entry in zip(content["images"], entries, strict=True):
        image["sha256"] = dict(sorted(entry.hashes.items()))
        for number in range(len(entry.photograph.faces)):
            annotation = next(annotations)
            if number in entry.misses:
                annotation[MISS] = vars(entry.misses[number])
    write_annotations(ledger.root, content)


def with_entries(ledger: Ledger, new: Sequence[tuple[Entry, Mapping[str, bytes]]], synthetic: bool) -> Ledger:
    """Record photographs. One that is there already is replaced: join what is known of it first (`joined`).

    Args:
        ledger: What is known.
        new: Photographs, and by arm their anonymized files, which are written.
        synthetic: Whether nobody in them is real.
    """
    known = {entry.photograph.file: entry for entry in ledger.entries}
    for entry, files in new:
        hashes = {arm: hashlib.sha256(content).hexdigest() for arm, content in files.items()}
        whole = replace(entry, hashes=hashes)
        for arm, content in files.items():
            write_bytes(ledger.image(arm, whole), content)
        known[entry.photograph.file] = whole
    together = replace(ledger, entries=tuple(known.values()), synthetic=ledger.synthetic and synthetic)
    write_ledger(together)
    return together


def joined(known: Entry | None, faces: Sequence[Face]) -> tuple[tuple[Face, ...], dict[int, Miss]]:
    """The faces of a photograph that comes again: those that are known, with what was said of them, and new ones.

    All of them are to be treated anew: the file is replaced.

    Args:
        known: What the ledger holds, or None.
        faces: As they come.
    """
    if known is None:
        return tuple(faces), {}
    photograph = known.photograph
    size = photograph.width, photograph.height
    ours, theirs = (corners([face.bbox for face in some], *size) for some in (photograph.faces, faces))
    again = {place for _, place in pairs(ours, theirs, SAME)}
    new = [face for place, face in enumerate(faces) if place not in again]
    return (*photograph.faces, *new), dict(known.misses)


def without(ledger: Ledger, name: str) -> Ledger:
    """Remove a photograph, and its files."""
    for entry in ledger.entries:
        if entry.photograph.file == name:
            for arm in entry.hashes:
                ledger.image(arm, entry).unlink(missing_ok=True)
    left = replace(ledger, entries=tuple(one for one in ledger.entries if one.photograph.file != name))
    write_ledger(left)
    return left


def judged(ledger: Ledger, name: str, number: int, state: State, bbox: tuple[float, ...] | None = None) -> Ledger:
    """Say what became of a miss.

    Args:
        ledger: What is known.
        name: The photograph.
        number: Of the face.
        state: What becomes of the miss.
        bbox: A better box, x y w h in pixels, or None.

    Raises:
        FacadeError: There is no such miss, or the box is none that lies in the photograph.
    """
    entries = []
    found = False
    for entry in ledger.entries:
        judged_one = entry
        if entry.photograph.file == name and number in entry.misses:
            found = True
            photograph = entry.photograph if bbox is None else _boxed(entry.photograph, number, bbox)
            misses = {**entry.misses, number: replace(entry.misses[number], state=state)}
            judged_one = replace(entry, photograph=photograph, misses=misses)
        entries.append(judged_one)
    if not found or state not in get_args(State):
        raise FacadeError(f"the ledger has no miss {number} in {name}, or cannot call it {state}. Read it again.")
    changed = replace(ledger, entries=tuple(entries))
    write_ledger(changed)
    return changed


def accepted(entry: Entry) -> Entry:
    """A photograph whose misses are accepted: the labels of its pool were reviewed."""
    return replace(entry, misses={n: replace(miss, state="accepted") for n, miss in entry.misses.items()})


def training_part(ledger: Ledger) -> list[Entry]:
    """Photographs with an accepted miss, as they are trained on; rejected misses are neither faces nor background."""
    part = []
    for entry in ledger.entries:
        if entry.accepted:
            faces = tuple(
                replace(face, ignore=True)
                if number in entry.misses and entry.misses[number].state == "rejected"
                else face
                for number, face in enumerate(entry.photograph.faces)
            )
            part.append(replace(entry, photograph=replace(entry.photograph, faces=faces)))
    return part


def _boxed(photograph: Photograph, number: int, bbox: tuple[float, ...]) -> Photograph:
    x, y, w, h = (round(float(value), 2) for value in bbox)
    inside = x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= photograph.width and y + h <= photograph.height
    if not inside:
        raise FacadeError(f"the box {list(bbox)} does not lie in {photograph.file}. Give x, y, width and height.")
    faces = list(photograph.faces)
    faces[number] = replace(faces[number], bbox=(x, y, w, h), keypoints=None)
    return replace(photograph, faces=tuple(faces))


def _entry(photograph: Photograph, told: Sequence[dict[str, Any] | None], hashes: dict[str, str]) -> Entry:
    misses = {number: Miss(**one) for number, one in enumerate(told) if one is not None}
    for miss in misses.values():
        if miss.state not in get_args(State):
            raise ValueError(f"state {miss.state!r}")
    if Path(photograph.file).name != photograph.file:
        raise ValueError(f"{photograph.file!r} is no plain name")
    if set(hashes) != set(ANONYMIZED):
        raise ValueError(f"sha256 of {sorted(hashes)}")
    return Entry(photograph, misses, dict(hashes))
