"""Ingest of an external data set: validated photographs and labels, split into `train` and `golden`."""

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from facade.dataset.coco import annotation_files, read_coco
from facade.dataset.domain import domain_of, in_domain
from facade.dataset.duplicates import nearest_duplicates, perceptual_hash, write_hashes
from facade.dataset.golden import check_lock, fingerprint
from facade.dataset.landmarks import add_landmarks
from facade.dataset.names import NAMES, neutral_name, printable, stored_name
from facade.dataset.pixels import BadPhotographError, Decoded, decode, upright_points
from facade.dataset.records import Face, Labelled, Photograph, Split
from facade.dataset.store import encode, finish_dataset, to_coco
from facade.dataset.synthetic_marker import is_marked_synthetic
from facade.dataset.wider import is_wider, read_wider
from facade.errors import FacadeError
from facade.files import atomic_directory, remove_partial, write_text
from facade.parallel import ordered_map
from facade.params import Codec, Domain, Ingest
from facade.retinaface import retinaface_weights

# Maximum absolute coordinate in a label, pixels. Larger values are errors and would overflow later.
MAX_COORDINATE = 1e6
# Maximum length of a file name on common file systems, bytes.
MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class Accepted:
    """An accepted photograph, whose pixels are already written.

    Attributes:
        name: Its name in the data set.
        photograph: As it is stored.
        split: Its split.
        source: sha256 of the source file; with a simulated domain, of that and the stored file.
        phash: 64-bit perceptual hash of the source pixels.
        dropped: Number of labels without area.
        clipped: Number of labels that reached over the border.
        landmarks_found: Number of faces that gained landmarks.
    """

    name: str
    photograph: Photograph
    split: Split
    source: str
    phash: int
    dropped: int
    clipped: int
    landmarks_found: int


@dataclass(frozen=True)
class Rejected:
    """A rejected photograph, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class SourcePhotograph:
    """A photograph of an external data set, decoded and with cleaned labels.

    Attributes:
        pixels: (H, W, 3) uint8, BGR, upright.
        faces: Its labels, with valid boxes.
        content: The source file.
        dropped: Number of labels without area.
        clipped: Number of labels that reached over the border.
    """

    pixels: np.ndarray
    faces: tuple[Face, ...]
    content: bytes
    dropped: int
    clipped: int


@dataclass(frozen=True)
class IngestPhotograph:
    """Ingests one photograph: decode, rotate to upright, clean the labels, write.

    `landmark_weights` is facexlib's RetinaFace, which adds landmarks to training photographs, or None to use only those
    of the labels. Golden photographs never gain any: their fingerprint must not depend on a network.
    """

    root: Path
    into: dict[Split, Path]
    params: Ingest
    codec: Codec
    landmark_weights: Path | None
    synthetic: bool

    def __call__(self, labelled: Labelled) -> Accepted | Rejected:
        try:
            opened = open_photograph(self.root, labelled, self.params)
        except BadPhotographError as error:
            return Rejected(labelled.name, str(error))
        pixels, faces, content = opened.pixels, opened.faces, opened.content
        source = hashlib.sha256(content).hexdigest()
        split = labelled.split or _split_by_hash(source, self.params.golden_share)
        # Hashed before the domain simulation: near-duplicates of golden photographs are found under any camera.
        phash = perceptual_hash(pixels)
        landmarks_found = dropped = clipped = 0
        if self.landmark_weights is not None and split == "train":
            faces, landmarks_found = add_landmarks(pixels, faces, self.landmark_weights)
        # Drawn photographs may differ in the last bits between processors; their domains must not.
        owner = labelled.name if self.synthetic else source
        domain = domain_of(owner, split, self.params.domain)
        if domain:
            try:
                pixels, faces = in_domain(pixels, faces, domain, self.params.domain, owner)
            except BadPhotographError as error:
                return Rejected(labelled.name, str(error))
            height, width = pixels.shape[:2]
            faces, dropped, clipped = _clean_faces(faces, width, height, self.params.min_face)
        name = neutral_name(labelled.name, content) if split == "train" else stored_name(labelled.name)
        # A photograph without simulation keeps the camera that its labels give.
        camera = labelled.domain if domain in ("", "plain") and labelled.domain else domain
        photograph = Photograph(name, pixels.shape[1], pixels.shape[0], faces, camera)
        target = self.into[split] / "images" / photograph.file
        target.parent.mkdir(parents=True, exist_ok=True)
        stored = encode(pixels, self.codec)
        target.write_bytes(stored)
        if domain:
            # Simulated pixels depend on the code, so the lock covers the stored file, too.
            source = hashlib.sha256(source.encode() + stored).hexdigest()
        return Accepted(
            labelled.name, photograph, split, source, phash,
            opened.dropped + dropped, opened.clipped + clipped, landmarks_found,
        )  # fmt: skip


def open_photograph(root: Path, labelled: Labelled, params: Ingest) -> SourcePhotograph:
    """Read a photograph of an external data set, rotate it to upright, and clean its labels.

    Args:
        root: The data set, which must contain the file.
        labelled: Its labels.
        params: Minimum face height and maximum size of a photograph.

    Raises:
        BadPhotographError: The photograph cannot be used.
    """
    try:
        content = resolve_inside(root, labelled).read_bytes()
    except OSError as error:
        raise BadPhotographError(f"cannot be read: {error.strerror}") from None
    decoded = decode(content, params.max_megapixels)
    height, width = decoded.pixels.shape[:2]
    faces, dropped, clipped = _clean_faces(_upright(labelled, decoded), width, height, params.min_face)
    return SourcePhotograph(decoded.pixels, faces, content, dropped, clipped)


def read_labels(root: Path) -> list[Labelled]:
    """Read the labels of a data set. Its layout is detected automatically.

    Raises:
        FacadeError: The folder is missing, its layout is unknown, or its labels name no photograph.
    """
    if not root.is_dir():
        raise FacadeError(f"ingest.path is {root}, but there is no such folder. Correct params.yaml.")
    if is_wider(root):
        labelled = read_wider(root)
    elif annotation_files(root):
        labelled = read_coco(root)
    else:
        raise FacadeError(
            f"{root} has neither WIDER FACE layout (a folder wider_face_split) nor COCO layout (annotations/*.json). "
            "See docs/data.md."
        )
    if not labelled:
        raise FacadeError(f"the labels in {root} name no photograph.")
    return labelled


def ingest(
    params: Ingest, codec: Codec, train: Path, golden: Path, quarantine: Path, workers: int | None = None
) -> dict:
    """Ingest a data set: write `train`, `golden` and the table of rejected photographs.

    Args:
        params: Path of the data set, and quality limits.
        codec: JPEG settings of stored photographs.
        train: Training data set to write.
        golden: Golden data set to write.
        quarantine: CSV file of rejected photographs and reasons to write.
        workers: Processes; all cores by default. The result does not depend on it.

    Returns:
        Counts, for metrics/ingest.json.

    Raises:
        FacadeError: The labels cannot be read, the landmark weights are missing, too many photographs are unreadable, a
            split is empty, or the golden set differs from the locked one. Neither data set is written then.
    """
    for data_set in (train, golden):
        # First of all, so that what a killed ingest left goes even if this one stops here: untreated photographs.
        remove_partial(data_set)
    labelled = _reject_duplicate_names(read_labels(params.path))
    weights = None
    if params.landmarks == "facexlib":
        weights = retinaface_weights(params.landmark_weights, "ingest.landmark_weights")
    with atomic_directory(train) as train_temporary, atomic_directory(golden) as golden_temporary:
        into: dict[Split, Path] = {"train": train_temporary, "golden": golden_temporary}
        synthetic = is_marked_synthetic(params.path)
        ingest_one = IngestPhotograph(params.path.resolve(), into, params, codec, None, synthetic)
        candidates = [entry for entry in labelled if isinstance(entry, Labelled)]
        rejected = [entry for entry in labelled if isinstance(entry, Rejected)]
        accepted: list[Accepted] = []
        origins: dict[tuple[Split, str], Labelled] = {}
        folders = [Path(), params.path]
        for entry, result in zip(
            candidates, ordered_map(ingest_one, candidates, "ingest", workers, folders=folders), strict=True
        ):
            if isinstance(result, Accepted):
                accepted.append(result)
                origins[result.split, result.photograph.file] = entry
            else:
                rejected.append(result)
        _write_quarantine(quarantine, rejected)
        _check_unreadable(len(rejected), len(labelled), params, quarantine)
        kept, duplicates = _drop_near_duplicates(accepted, params.duplicate_distance)
        for duplicate in duplicates:
            (train_temporary / "images" / duplicate.photograph.file).unlink()
        parts = {split: [entry for entry in kept if entry.split == split] for split in into}
        # Sorted by stored name: the original order would reveal the original names.
        parts["train"].sort(key=lambda entry: entry.photograph.file)
        for split, entries in parts.items():
            if not any(not face.ignore for entry in entries for face in entry.photograph.faces):
                raise FacadeError(
                    f"the {split} split of {params.path} has no face to evaluate in its {len(entries)} photographs. "
                    "Check the labels, ingest.min_face and ingest.golden_share."
                )
        lock = _golden_fingerprint(parts["golden"], codec, synthetic, params.domain)
        check_lock(lock, params.golden_lock)
        if weights is not None:
            # The network takes minutes where everything else takes seconds, so it runs after all checks.
            add_landmarks_to = replace(ingest_one, landmark_weights=weights)
            originals = [origins["train", entry.photograph.file] for entry in parts["train"]]
            parts["train"] = list(
                map(_still_accepted, ordered_map(add_landmarks_to, originals, "landmarks", workers, folders=folders))
            )
        for split, entries in parts.items():
            finish_dataset(into[split], to_coco((entry.photograph for entry in entries), synthetic), params.store)
        _write_names(train_temporary / NAMES, parts["train"])
        write_hashes(golden_temporary, {entry.photograph.file: entry.phash for entry in parts["golden"]})
    return {
        "synthetic": synthetic,
        "golden_lock": lock,
        "quarantined": len(rejected),
        "near_duplicates_dropped": len(duplicates),
        "boxes_dropped": sum(entry.dropped for entry in kept),
        "boxes_clipped": sum(entry.clipped for entry in kept),
        **({} if weights is None else {"landmarks_found": sum(entry.landmarks_found for entry in parts["train"])}),
        **{split: _counts(entries) for split, entries in parts.items()},
    }


def _still_accepted(result: Accepted | Rejected) -> Accepted:
    if isinstance(result, Rejected):
        raise FacadeError(f"{result.name} changed during ingest ({result.reason}). Run the stage again.")
    return result


def resolve_inside(root: Path, labelled: Labelled) -> Path:
    """The path of a labelled file inside the data set, with symbolic links resolved.

    Raises:
        BadPhotographError: The path leaves the data set, is missing, or is no file.
    """
    if "\0" in labelled.name:
        raise BadPhotographError("its name contains a null byte")
    if labelled.name != printable(labelled.name):
        raise BadPhotographError("its name is not valid UTF-8")
    if any(len(part.encode()) > MAX_NAME_BYTES for part in PurePosixPath(stored_name(labelled.name)).parts):
        raise BadPhotographError("its name is too long")
    try:
        path = (labelled.folder / labelled.name).resolve()
    except (OSError, RuntimeError):
        raise BadPhotographError("its path cannot be resolved") from None
    if not path.is_relative_to(root.resolve()):
        raise BadPhotographError("its path leaves the data set")
    if not path.is_file():
        raise BadPhotographError("there is no such file")
    return path


def _reject_duplicate_names(labelled: list[Labelled]) -> list[Labelled | Rejected]:
    """Reject names that occur twice in a split: it is unknown which labels are right."""
    counts: dict[tuple[Split | None, str], int] = {}
    for entry in labelled:
        key = (entry.split, stored_name(entry.name).lower())
        counts[key] = counts.get(key, 0) + 1
    return [
        Rejected(entry.name, "its name occurs twice in the labels")
        if counts[entry.split, stored_name(entry.name).lower()] > 1
        else entry
        for entry in labelled
    ]


def _split_by_hash(source: str, golden_share: float) -> Split:
    """The split of a photograph if its data set has none: by content hash, so that added photographs move no other."""
    return "golden" if int(source[:8], 16) / 2**32 * 100 < golden_share else "train"


def _upright(labelled: Labelled, decoded: Decoded) -> tuple[Face, ...]:
    """Labels in coordinates of the upright picture.

    Labels are assumed to refer to the upright picture, as viewers show it. If the data set gives the size of the
    stored picture, and it differs from the upright size, they are rotated.

    Raises:
        BadPhotographError: The labels refer to a picture of another size.
    """
    height, width = decoded.pixels.shape[:2]
    if labelled.size not in (None, decoded.stored, (width, height)):
        raise BadPhotographError(
            f"its labels refer to {labelled.size[0]}x{labelled.size[1]} pixels, but it has {width}x{height}"
        )
    if labelled.size != decoded.stored or decoded.stored == (width, height):
        return labelled.faces

    def rotate(points: np.ndarray) -> np.ndarray:
        return upright_points(points, decoded.stored, decoded.orientation)

    faces = []
    for face in labelled.faces:
        x, y, w, h = face.bbox
        corners = rotate(np.array([(x, y), (x + w, y + h)]))
        low, high = corners.min(0), corners.max(0)
        points = None
        if face.keypoints is not None:
            # A quarter turn keeps the order of left and right landmarks; with a flip they swap.
            rotated = rotate(np.array(face.keypoints))
            swapped = rotated[[1, 0, 2, 4, 3]] if decoded.orientation in (5, 7) else rotated
            points = tuple((float(px), float(py)) for px, py in swapped)
        box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
        faces.append(replace(face, bbox=box, keypoints=points))
    return tuple(faces)


def _clean_faces(
    faces: tuple[Face, ...], width: int, height: int, min_face: float
) -> tuple[tuple[Face, ...], int, int]:
    """Faces with valid boxes; the number of dropped faces, and of faces clipped at the border."""
    valid = []
    dropped = clipped = 0
    for face in faces:
        x, y, w, h = face.bbox
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + w, float(width)), min(y + h, float(height))
        # The condition is negated so that NaN is dropped, too.
        if not (
            abs(x) + abs(y) + abs(w) + abs(h) < MAX_COORDINATE and w > 0 and h > 0 and right > left and bottom > top
        ):
            dropped += 1
            continue
        box = tuple(round(value, 2) for value in (left, top, right - left, bottom - top))
        # A box that rounds to zero size holds no pixel.
        if min(box[2:]) <= 0:
            dropped += 1
            continue
        clipped += (left, top, right, bottom) != (x, y, x + w, y + h)
        points = face.keypoints
        if points is not None:
            finite = all(abs(value) < MAX_COORDINATE for point in points for value in point)
            points = tuple((round(px, 2), round(py, 2)) for px, py in points) if finite else None
        ignore = face.ignore or box[3] < min_face
        valid.append(replace(face, bbox=(box[0], box[1], box[2], box[3]), keypoints=points, ignore=ignore))
    return tuple(valid), dropped, clipped


def _write_quarantine(path: Path, rejected: list[Rejected]) -> None:
    _write_table(path, ("photograph", "reason"), [(printable(entry.name), entry.reason) for entry in rejected])


def _write_names(path: Path, accepted: list[Accepted]) -> None:
    _write_table(path, ("stored", "photograph"), [(entry.photograph.file, entry.name) for entry in accepted])


def _write_table(path: Path, columns: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(rows))
    write_text(path, table.getvalue())


def _check_unreadable(unreadable: int, total: int, params: Ingest, quarantine: Path) -> None:
    share = 100 * unreadable / total
    if share > params.max_unreadable:
        raise FacadeError(
            f"{unreadable} of {total} photographs ({share:.3g} %) in {params.path} were rejected, more than "
            f"ingest.max_unreadable ({params.max_unreadable:g} %) allows. {quarantine} lists the reasons."
        )


def _drop_near_duplicates(accepted: list[Accepted], distance: int) -> tuple[list[Accepted], list[Accepted]]:
    """Kept and dropped photographs: training near-duplicates of golden photographs are dropped."""
    golden = [entry.phash for entry in accepted if entry.split == "golden"]
    similar = nearest_duplicates([entry.phash for entry in accepted], golden, distance) >= 0
    dropped = [
        entry for entry, is_similar in zip(accepted, similar, strict=True) if is_similar and entry.split == "train"
    ]
    kept = [
        entry
        for entry, is_similar in zip(accepted, similar, strict=True)
        if not (is_similar and entry.split == "train")
    ]
    return kept, dropped


def _golden_fingerprint(golden: list[Accepted], codec: Codec, synthetic: bool, domain: Domain) -> str:
    # The code that draws the demo is in git, and its pixels may differ in the last bits between processors. So the
    # fingerprint covers source files only if the photographs are real.
    files = ((entry.photograph, "drawn" if synthetic else entry.source) for entry in golden)
    return fingerprint(files, codec, domain)


def _counts(entries: list[Accepted]) -> dict[str, int]:
    faces = [face for entry in entries for face in entry.photograph.faces]
    return {
        "photographs": len(entries),
        "faces": len(faces),
        "ignored": sum(face.ignore for face in faces),
        "with_landmarks": sum(face.keypoints is not None for face in faces),
        "without_faces": sum(not entry.photograph.faces for entry in entries),
    }
