"""The ledger of known misses: a COCO file, versioned by git, and photographs, which are stored only anonymized.

misses/annotations.json         every face of the photographs; missed ones have a field `miss`
misses/images/<arm>/<name>.jpg  the photograph with the treatment of the arm, versioned by DVC
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.records import Face, Photograph
from facade.dataset.store import Photographs, to_coco, write_annotations
from facade.errors import FacadeError
from facade.files import read_json, write_bytes
from facade.params import ANONYMIZED

State = Literal["new", "accepted", "rejected"]
LEDGER = Path("misses")
LABELS, IMAGES = "annotations.json", "images"
# Minimum IoU of two boxes of the same face.
SAME_FACE_IOU = 0.5
# Field of an annotation: how the face was missed, and the state of its review.
MISS = "miss"


@dataclass(frozen=True)
class KnownMiss:
    """How a face was missed. The fields are keys of the ledger's JSON.

    Attributes:
        state: "new" until it is reviewed.
        by: By arm or detector, the seeds of the runs that missed it; empty if a person reported it.
        of: By arm or detector, the number of runs.
        models: By arm, 16 hexadecimal digits of the hash of the training data; by detector, of its file.
        best_score: Highest score of a detection with at least the IoU threshold, even if below the operating threshold;
            0 if there is none.
        best_iou: Highest IoU of any detection with the face.
    """

    state: State = "new"
    by: Mapping[str, list[int]] = field(default_factory=dict)
    of: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    best_score: float = 0.0
    best_iou: float = 0.0


@dataclass(frozen=True)
class Entry:
    """A photograph of the ledger.

    Attributes:
        photograph: Its labels: all faces, the missed ones included.
        misses: By index of the face.
        hashes: By arm, sha256 of its anonymized file.
    """

    photograph: Photograph
    misses: Mapping[int, KnownMiss]
    hashes: Mapping[str, str]

    @property
    def accepted(self) -> bool:
        """Whether any of its misses was accepted."""
        return any(miss.state == "accepted" for miss in self.misses.values())


@dataclass(frozen=True)
class Ledger:
    """All known misses.

    Attributes:
        root: The folder.
        entries: Its photographs, sorted by name.
        synthetic: Whether the original photographs are synthetic (show no real people).
    """

    root: Path
    entries: tuple[Entry, ...]
    synthetic: bool = True

    def image(self, arm: str, entry: Entry) -> Path:
        """Path of an anonymized photograph."""
        return self.root / IMAGES / arm / entry.photograph.file

    def read_image(self, arm: str, entry: Entry) -> bytes:
        """The file of an anonymized photograph.

        Raises:
            FacadeError: It is missing, or has changed since it was recorded.
        """
        path = self.image(arm, entry)
        try:
            content = path.read_bytes()
        except OSError:
            raise FacadeError(
                f"{path} is missing. Restore it with `dvc pull {self.root / IMAGES}` or `dvc checkout`."
            ) from None
        if hashlib.sha256(content).hexdigest() != entry.hashes[arm]:
            raise FacadeError(f"{path} is not the recorded photograph. Restore it with `dvc checkout {path.parent}`.")
        return content


def read_ledger(root: Path = LEDGER) -> Ledger:
    """Read the ledger; a folder without one gives an empty ledger.

    Raises:
        FacadeError: Its labels do not have the format that Facade writes.
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
        raise FacadeError(
            f"{path} is not a ledger that Facade wrote ({fault[:120]}). Restore it with `git checkout`."
        ) from None
    return Ledger(root, entries, photographs.synthetic)


def write_ledger(ledger: Ledger) -> None:
    """Write the labels, sorted by name of the photograph."""
    entries = sorted(ledger.entries, key=lambda entry: entry.photograph.file)
    content = to_coco((entry.photograph for entry in entries), ledger.synthetic)
    content["info"]["description"] = "known misses, written by Facade"
    annotations = iter(content["annotations"])
    for image, entry in zip(content["images"], entries, strict=True):
        image["sha256"] = dict(sorted(entry.hashes.items()))
        for number in range(len(entry.photograph.faces)):
            annotation = next(annotations)
            if number in entry.misses:
                annotation[MISS] = vars(entry.misses[number])
    write_annotations(ledger.root, content)


def add_entries(ledger: Ledger, new: Sequence[tuple[Entry, Mapping[str, bytes]]], synthetic: bool) -> Ledger:
    """Record photographs. One that is already in the ledger is replaced; merge its faces first (`merge_faces`).

    Args:
        ledger: The ledger before.
        new: Photographs, and by arm their anonymized files, which are written.
        synthetic: Whether the original photographs are synthetic (show no real people).

    Returns:
        The ledger after, which is written as well.
    """
    known = {entry.photograph.file: entry for entry in ledger.entries}
    for entry, files in new:
        hashes = {arm: hashlib.sha256(content).hexdigest() for arm, content in files.items()}
        hashed = replace(entry, hashes=hashes)
        for arm, content in files.items():
            write_bytes(ledger.image(arm, hashed), content)
        known[entry.photograph.file] = hashed
    extended = replace(ledger, entries=tuple(known.values()), synthetic=ledger.synthetic and synthetic)
    write_ledger(extended)
    return extended


def merge_faces(known: Entry | None, faces: Sequence[Face]) -> tuple[tuple[Face, ...], dict[int, KnownMiss]]:
    """Merge the known faces of a photograph with new ones. All of them must be treated, because the file is replaced.

    Args:
        known: Its entry in the ledger, or None.
        faces: The new labels.

    Returns:
        The known faces, followed by the new ones that match none of them; and the known misses, by index of the face.
    """
    if known is None:
        return tuple(faces), {}
    photograph = known.photograph
    size = photograph.width, photograph.height
    old_boxes, boxes = (clipped_xyxy([face.bbox for face in some], *size) for some in (photograph.faces, faces))
    matched = {index for _, index in match_pairs(old_boxes, boxes, SAME_FACE_IOU)}
    new = [face for index, face in enumerate(faces) if index not in matched]
    return (*photograph.faces, *new), dict(known.misses)


def remove_photograph(ledger: Ledger, name: str) -> Ledger:
    """Remove a photograph and its files."""
    for entry in ledger.entries:
        if entry.photograph.file == name:
            for arm in entry.hashes:
                ledger.image(arm, entry).unlink(missing_ok=True)
    reduced = replace(ledger, entries=tuple(entry for entry in ledger.entries if entry.photograph.file != name))
    write_ledger(reduced)
    return reduced


def review_miss(ledger: Ledger, name: str, face: int, state: State, bbox: tuple[float, ...] | None = None) -> Ledger:
    """Set the state of a miss.

    Args:
        ledger: The ledger before.
        name: The photograph.
        face: Index of the face.
        state: The new state of the miss.
        bbox: A corrected box, x y w h in pixels, or None.

    Raises:
        FacadeError: There is no such miss or state, or the box does not lie inside the photograph.
    """
    entries = []
    found = False
    for entry in ledger.entries:
        reviewed = entry
        if entry.photograph.file == name and face in entry.misses:
            found = True
            photograph = entry.photograph if bbox is None else _with_box(entry.photograph, face, bbox)
            misses = {**entry.misses, face: replace(entry.misses[face], state=state)}
            reviewed = replace(entry, photograph=photograph, misses=misses)
        entries.append(reviewed)
    if not found or state not in get_args(State):
        raise FacadeError(
            f"the ledger has no miss {face} in {name}, or there is no state {state!r}. Reload the ledger."
        )
    changed = replace(ledger, entries=tuple(entries))
    write_ledger(changed)
    return changed


def accept_all(entry: Entry) -> Entry:
    """Accept all misses of a photograph from a pool whose labels were reviewed."""
    return replace(entry, misses={n: replace(miss, state="accepted") for n, miss in entry.misses.items()})


def training_part(ledger: Ledger) -> list[Entry]:
    """Photographs with an accepted miss, with their labels for training. Rejected misses become ignored faces."""
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


def _with_box(photograph: Photograph, face: int, bbox: tuple[float, ...]) -> Photograph:
    x, y, w, h = (round(float(value), 2) for value in bbox)
    inside = x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= photograph.width and y + h <= photograph.height
    if not inside:
        raise FacadeError(f"the box {list(bbox)} does not lie inside {photograph.file}. Give x, y, width and height.")
    faces = list(photograph.faces)
    faces[face] = replace(faces[face], bbox=(x, y, w, h), keypoints=None)
    return replace(photograph, faces=tuple(faces))


def _entry(photograph: Photograph, fields: Sequence[dict[str, Any] | None], hashes: dict[str, str]) -> Entry:
    if any("best_overlap" in miss for miss in fields if miss is not None):
        raise ValueError("best_overlap is called best_iou now: rename it in the file")
    misses = {index: KnownMiss(**miss) for index, miss in enumerate(fields) if miss is not None}
    for miss in misses.values():
        if miss.state not in get_args(State):
            raise ValueError(f"state {miss.state!r}")
    if Path(photograph.file).name != photograph.file:
        raise ValueError(f"{photograph.file!r} is not a plain file name")
    if set(hashes) != set(ANONYMIZED):
        raise ValueError(f"sha256 of {sorted(hashes)}")
    return Entry(photograph, misses, dict(hashes))
