"""From somebody's photographs to two data sets of our own: `train` and `golden`."""

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from facade.dataset.coco import annotation_files, read_coco
from facade.dataset.domain import domain_of, in_domain
from facade.dataset.duplicates import near, perceptual_hash, write_looks
from facade.dataset.golden import check_lock, fingerprint
from facade.dataset.landmarks import add_landmarks
from facade.dataset.names import neutral_name, printable, stored_name
from facade.dataset.pixels import BadPhotographError, Decoded, decode, upright_points
from facade.dataset.records import Face, Labelled, Photograph, Split
from facade.dataset.store import coco, encode, finish
from facade.dataset.synthetic_marker import is_marked_synthetic
from facade.dataset.wider import is_wider, read_wider
from facade.errors import FacadeError
from facade.files import whole_directory, write_text
from facade.parallel import in_order
from facade.params import Codec, Domain, Ingest
from facade.retinaface import retinaface_weights

# No photograph is this large; such a number in a label is a fault, and would overflow later.
FARTHEST = 1e6
# Which training photograph is which, for those who hold the untreated ones: stored beside them, and nowhere else.
NAMES = "names.csv"
# Bytes of a file name on common file systems.
LONGEST_NAME = 255


@dataclass(frozen=True)
class Taken:
    """A photograph that was taken in, its pixels already written."""

    name: str
    photograph: Photograph
    split: Split
    source: str
    look: int
    dropped: int
    clipped: int
    landmarks_found: int


@dataclass(frozen=True)
class Refused:
    """A photograph that was not taken in, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Opened:
    """A photograph as its data set has it: (H, W, 3) uint8, BGR, upright, with sound labels, and its file.

    `dropped` and `clipped` count labels without area, and labels that reached over the border.
    """

    pixels: np.ndarray
    faces: tuple[Face, ...]
    content: bytes
    dropped: int
    clipped: int


@dataclass(frozen=True)
class Intake:
    """What one worker does with one photograph: decode, set upright, clean the labels, write.

    `landmark_weights` is facexlib's RetinaFace, which adds landmarks to training photographs, or None for the labels'
    alone. Golden photographs never get any: their fingerprint must not depend on a network.
    """

    root: Path
    into: dict[Split, Path]
    params: Ingest
    codec: Codec
    landmark_weights: Path | None
    synthetic: bool

    def __call__(self, labelled: Labelled) -> Taken | Refused:
        try:
            opened = open_photograph(self.root, labelled, self.params)
        except BadPhotographError as error:
            return Refused(labelled.name, str(error))
        pixels, faces, content = opened.pixels, opened.faces, opened.content
        source = hashlib.sha256(content).hexdigest()
        split = labelled.split or _drawn_split(source, self.params.golden_share)
        # Before the domain: a photograph is golden, whatever camera it is made to be by.
        look = perceptual_hash(pixels)
        found = dropped = clipped = 0
        if self.landmark_weights is not None and split == "train":
            faces, found = add_landmarks(pixels, faces, self.landmark_weights)
        # What the demo draws may differ in last bits between processors; its domains must not.
        owner = labelled.name if self.synthetic else source
        domain = domain_of(owner, split, self.params.domain)
        if domain:
            try:
                pixels, faces = in_domain(pixels, faces, domain, self.params.domain, owner)
            except BadPhotographError as error:
                return Refused(labelled.name, str(error))
            height, width = pixels.shape[:2]
            faces, dropped, clipped = _sound_faces(faces, width, height, self.params.min_face)
        name = neutral_name(labelled.name, content) if split == "train" else stored_name(labelled.name)
        # A photograph that stays plain is still by the camera that its labels name.
        named = labelled.domain if domain in ("", "plain") and labelled.domain else domain
        photograph = Photograph(name, pixels.shape[1], pixels.shape[0], faces, named)
        target = self.into[split] / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        stored = encode(pixels, self.codec)
        target.write_bytes(stored)
        if domain:
            # Which pixels another camera shows is the code's doing: they are what is locked.
            source = hashlib.sha256(source.encode() + stored).hexdigest()
        return Taken(
            labelled.name, photograph, split, source, look, opened.dropped + dropped, opened.clipped + clipped, found
        )


def open_photograph(root: Path, labelled: Labelled, params: Ingest) -> Opened:
    """Read a photograph of somebody's data set, set it upright, and clean its labels.

    Args:
        root: The data set, which it must lie in.
        labelled: What the labels say.
        params: Which faces are too small to judge, and how large a photograph may be.

    Raises:
        BadPhotographError: It cannot be taken in.
    """
    try:
        content = inside(root, labelled).read_bytes()
    except OSError as error:
        raise BadPhotographError(f"cannot be read: {error.strerror}") from None
    decoded = decode(content, params.max_megapixels)
    height, width = decoded.pixels.shape[:2]
    faces, dropped, clipped = _sound_faces(_upright(labelled, decoded), width, height, params.min_face)
    return Opened(decoded.pixels, faces, content, dropped, clipped)


def read_labels(root: Path) -> list[Labelled]:
    """The labels of a data set, whose layout is recognised by what is there.

    Raises:
        FacadeError: There is no such folder, no layout that is known, or no photograph.
    """
    if not root.is_dir():
        raise FacadeError(f"ingest.path is {root}, and there is no such folder. Correct params.yaml.")
    if is_wider(root):
        labelled = read_wider(root)
    elif annotation_files(root):
        labelled = read_coco(root)
    else:
        raise FacadeError(
            f"{root} has neither WIDER FACE's layout (a folder wider_face_split) nor COCO's (annotations/*.json). "
            "docs/data.md shows both."
        )
    if not labelled:
        raise FacadeError(f"the labels in {root} name no photograph.")
    return labelled


def ingest(
    params: Ingest, codec: Codec, train: Path, golden: Path, quarantine: Path, workers: int | None = None
) -> dict:
    """Take in a data set: write `train`, `golden` and the table of what was refused.

    Args:
        params: Where the data set is, and what is good enough.
        codec: How photographs are stored.
        train: The data set to write for training.
        golden: The data set to write for scoring.
        quarantine: CSV file to write, of names and reasons.
        workers: Processes; all cores by default. The result does not depend on it.

    Returns:
        Counts, for metrics/ingest.json.

    Raises:
        FacadeError: The labels cannot be read, the weights for landmarks are not at hand, too many photographs were
            bad, a part is empty, or the golden set is not the one that was locked. Neither data set is written then.
    """
    labelled = _distinct(read_labels(params.path))
    weights = None
    if params.landmarks == "facexlib":
        weights = retinaface_weights(params.landmark_weights, "ingest.landmark_weights")
    with whole_directory(train) as train_beside, whole_directory(golden) as golden_beside:
        into: dict[Split, Path] = {"train": train_beside, "golden": golden_beside}
        synthetic = is_marked_synthetic(params.path)
        intake = Intake(params.path.resolve(), into, params, codec, None, synthetic)
        wanted = [entry for entry in labelled if isinstance(entry, Labelled)]
        refused = [entry for entry in labelled if isinstance(entry, Refused)]
        taken: list[Taken] = []
        origins: dict[tuple[Split, str], Labelled] = {}
        places = [Path(), params.path]
        for entry, result in zip(wanted, in_order(intake, wanted, "ingest", workers, places=places), strict=True):
            if isinstance(result, Taken):
                taken.append(result)
                origins[result.split, result.photograph.file] = entry
            else:
                refused.append(result)
        _write_quarantine(quarantine, refused)
        _check_share_of_bad(len(refused), len(labelled), params, quarantine)
        kept, duplicates = _without_near_duplicates(taken, params.duplicate_distance)
        for twin in duplicates:
            (train_beside / "images" / twin.photograph.file).unlink()
        parts = {split: [entry for entry in kept if entry.split == split] for split in into}
        # In the order of the data set's own names the neutral ones would tell them.
        parts["train"].sort(key=lambda entry: entry.photograph.file)
        for split, entries in parts.items():
            if not any(not face.ignore for entry in entries for face in entry.photograph.faces):
                raise FacadeError(
                    f"the {split} part of {params.path} has no face to judge in its {len(entries)} photographs. "
                    "Check the labels, ingest.min_face and ingest.golden_share."
                )
        lock = _golden_fingerprint(parts["golden"], codec, synthetic, params.domain)
        check_lock(lock, params.golden_lock)
        if weights is not None:
            # A network takes minutes over what all else takes seconds: what stops the stage has been looked for by now.
            finder = replace(intake, landmark_weights=weights)
            again = [origins["train", entry.photograph.file] for entry in parts["train"]]
            parts["train"] = list(map(_taken, in_order(finder, again, "landmarks", workers, places=places)))
        for split, entries in parts.items():
            finish(into[split], coco((entry.photograph for entry in entries), synthetic), params.store)
        _write_names(train_beside / NAMES, parts["train"])
        write_looks(golden_beside, {entry.photograph.file: entry.look for entry in parts["golden"]})
    return {
        "synthetic": synthetic,
        "golden_lock": lock,
        "quarantined": len(refused),
        "near_duplicates_dropped": len(duplicates),
        "boxes_dropped": sum(entry.dropped for entry in kept),
        "boxes_clipped": sum(entry.clipped for entry in kept),
        **({} if weights is None else {"landmarks_found": sum(entry.landmarks_found for entry in parts["train"])}),
        **{split: _counts(entries) for split, entries in parts.items()},
    }


def _taken(result: Taken | Refused) -> Taken:
    if isinstance(result, Refused):
        raise FacadeError(f"{result.name} was taken in, and then {result.reason}: it changed. Run the stage again.")
    return result


def inside(root: Path, labelled: Labelled) -> Path:
    """The file that a label names, if it lies inside the data set; symbolic links are followed first.

    Raises:
        BadPhotographError: It leaves the data set, is missing, or is no file.
    """
    if "\0" in labelled.name:
        raise BadPhotographError("its name holds a zero byte")
    if labelled.name != printable(labelled.name):
        raise BadPhotographError("its name is no text in UTF-8")
    if any(len(part.encode()) > LONGEST_NAME for part in PurePosixPath(stored_name(labelled.name)).parts):
        raise BadPhotographError("its name is too long")
    try:
        path = (labelled.folder / labelled.name).resolve()
    except (OSError, RuntimeError):
        raise BadPhotographError("its path leads nowhere") from None
    if not path.is_relative_to(root.resolve()):
        raise BadPhotographError("its path leaves the data set")
    if not path.is_file():
        raise BadPhotographError("there is no such file")
    return path


def _distinct(labelled: list[Labelled]) -> list[Labelled | Refused]:
    """Refuse a name that stands twice in one part: which labels are right cannot be known."""
    seen: dict[tuple[Split | None, str], int] = {}
    for entry in labelled:
        key = (entry.split, stored_name(entry.name).lower())
        seen[key] = seen.get(key, 0) + 1
    return [
        Refused(entry.name, "its name stands twice in the labels")
        if seen[entry.split, stored_name(entry.name).lower()] > 1
        else entry
        for entry in labelled
    ]


def _drawn_split(source: str, golden_share: float) -> Split:
    """Part of a photograph whose data set has no parts: by its content, so that adding others moves none."""
    return "golden" if int(source[:8], 16) / 2**32 * 100 < golden_share else "train"


def _upright(labelled: Labelled, decoded: Decoded) -> tuple[Face, ...]:
    """Labels where the face is seen.

    Labels are taken to be made on the upright picture, as viewers show it, unless their data set says that they
    were made for the size of the picture as stored, and that differs.

    Raises:
        BadPhotographError: They were made for a picture of another size.
    """
    height, width = decoded.pixels.shape[:2]
    if labelled.size not in (None, decoded.stored, (width, height)):
        raise BadPhotographError(
            f"its labels were made for {labelled.size[0]}x{labelled.size[1]} pixels, it has {width}x{height}"
        )
    if labelled.size != decoded.stored or decoded.stored == (width, height):
        return labelled.faces

    def turn(points: np.ndarray) -> np.ndarray:
        return upright_points(points, decoded.stored, decoded.orientation)

    faces = []
    for face in labelled.faces:
        x, y, w, h = face.bbox
        corners = turn(np.array([(x, y), (x + w, y + h)]))
        low, high = corners.min(0), corners.max(0)
        points = None
        if face.keypoints is not None:
            # A turn by a quarter keeps who is left and who is right; with a mirror in it they swap.
            placed = turn(np.array(face.keypoints))
            swapped = placed[[1, 0, 2, 4, 3]] if decoded.orientation in (5, 7) else placed
            points = tuple((float(px), float(py)) for px, py in swapped)
        box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
        faces.append(replace(face, bbox=box, keypoints=points))
    return tuple(faces)


def _sound_faces(
    faces: tuple[Face, ...], width: int, height: int, min_face: float
) -> tuple[tuple[Face, ...], int, int]:
    """Faces with possible boxes; how many were dropped, how many were clipped at the border."""
    sound = []
    dropped = clipped = 0
    for face in faces:
        x, y, w, h = face.bbox
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + w, float(width)), min(y + h, float(height))
        # Written so that NaN is dropped too.
        if not (abs(x) + abs(y) + abs(w) + abs(h) < FARTHEST and w > 0 and h > 0 and right > left and bottom > top):
            dropped += 1
            continue
        box = tuple(round(value, 2) for value in (left, top, right - left, bottom - top))
        # What rounds to nothing has no pixel to judge or to treat.
        if min(box[2:]) <= 0:
            dropped += 1
            continue
        clipped += (left, top, right, bottom) != (x, y, x + w, y + h)
        points = face.keypoints
        if points is not None:
            finite = all(abs(value) < FARTHEST for point in points for value in point)
            points = tuple((round(px, 2), round(py, 2)) for px, py in points) if finite else None
        ignore = face.ignore or box[3] < min_face
        sound.append(replace(face, bbox=(box[0], box[1], box[2], box[3]), keypoints=points, ignore=ignore))
    return tuple(sound), dropped, clipped


def _write_quarantine(path: Path, refused: list[Refused]) -> None:
    _write_table(path, ("photograph", "reason"), [(printable(entry.name), entry.reason) for entry in refused])


def _write_names(path: Path, taken: list[Taken]) -> None:
    _write_table(path, ("stored", "photograph"), [(entry.photograph.file, entry.name) for entry in taken])


def _write_table(path: Path, columns: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(rows))
    write_text(path, table.getvalue())


def _check_share_of_bad(bad: int, total: int, params: Ingest, quarantine: Path) -> None:
    share = 100 * bad / total
    if share > params.max_bad:
        raise FacadeError(
            f"{bad} of {total} photographs ({share:.3g} %) in {params.path} could not be taken in, more than "
            f"ingest.max_bad ({params.max_bad:g} %) allows. {quarantine} tells why for each."
        )


def _without_near_duplicates(taken: list[Taken], distance: int) -> tuple[list[Taken], list[Taken]]:
    """Training photographs that look like a golden one are dropped; the golden set stays as it is."""
    golden = [entry.look for entry in taken if entry.split == "golden"]
    twins = near([entry.look for entry in taken], golden, distance) >= 0
    dropped = [entry for entry, twin in zip(taken, twins, strict=True) if twin and entry.split == "train"]
    kept = [entry for entry, twin in zip(taken, twins, strict=True) if not (twin and entry.split == "train")]
    return kept, dropped


def _golden_fingerprint(golden: list[Taken], codec: Codec, synthetic: bool, domain: Domain) -> str:
    # The demo is drawn by code that git keeps. Its last bits may differ between processors, so its pixels do not
    # count; those of photographs do.
    files = ((entry.photograph, "drawn" if synthetic else entry.source) for entry in golden)
    return fingerprint(files, codec, domain)


def _counts(entries: list[Taken]) -> dict[str, int]:
    faces = [face for entry in entries for face in entry.photograph.faces]
    return {
        "photographs": len(entries),
        "faces": len(faces),
        "ignored": sum(face.ignore for face in faces),
        "with_landmarks": sum(face.keypoints is not None for face in faces),
        "without_faces": sum(not entry.photograph.faces for entry in entries),
    }
