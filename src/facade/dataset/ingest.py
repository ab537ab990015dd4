"""Ingest of an external data set: validated photographs and labels, split into `train` and `golden`."""

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

from facade.dataset.collisions import Rejected, golden_name, reject_duplicates, rejected
from facade.dataset.domain import domain_of, in_domain
from facade.dataset.duplicates import nearest_duplicates, perceptual_hash, write_hashes
from facade.dataset.golden import check_lock, fingerprint
from facade.dataset.labels import Labels
from facade.dataset.landmarks import add_landmarks
from facade.dataset.layouts import read_labels, unlisted
from facade.dataset.names import NAMES, neutral_name, printable
from facade.dataset.orientation import with_frames
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Labelled, Photograph, Split
from facade.dataset.source_photograph import clean_faces, open_photograph
from facade.dataset.store import encode, finish_dataset, to_coco
from facade.dataset.synthetic_marker import is_marked_synthetic
from facade.errors import FacadeError
from facade.files import atomic_directory, remove_partial, write_text
from facade.parallel import ordered_map
from facade.params import Codec, Domain, Ingest
from facade.retinaface import retinaface_weights


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
        without_box: Number of labels without a box.
        landmarks_found: Number of faces that gained landmarks.
    """

    name: str
    photograph: Photograph
    split: Split
    source: str
    phash: int
    dropped: int
    clipped: int
    without_box: int
    landmarks_found: int

    @property
    def labels(self) -> int:
        """Number of annotations of faces that the labels give for it."""
        return len(self.photograph.faces) + self.dropped + self.without_box


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
            return rejected(labelled, str(error))
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
                return rejected(labelled, str(error))
            height, width = pixels.shape[:2]
            faces, dropped, clipped = clean_faces(faces, width, height, self.params.min_face)
        name = neutral_name(labelled.name, content) if split == "train" else golden_name(labelled)
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
            labelled.name, photograph, split, source, phash, opened.dropped + dropped, opened.clipped + clipped,
            opened.without_box, landmarks_found,
        )  # fmt: skip


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
    labels = read_labels(params.path, params.categories)
    labelled = reject_duplicates(with_frames(labels.photographs, params.label_orientation))
    weights = None
    if params.landmarks == "facexlib":
        weights = retinaface_weights(params.landmark_weights, "ingest.landmark_weights")
    with atomic_directory(train) as train_temporary, atomic_directory(golden) as golden_temporary:
        into: dict[Split, Path] = {"train": train_temporary, "golden": golden_temporary}
        synthetic = is_marked_synthetic(params.path)
        ingest_one = IngestPhotograph(params.path.resolve(), into, params, codec, None, synthetic)
        candidates = [entry for entry in labelled if isinstance(entry, Labelled)]
        refused = [entry for entry in labelled if isinstance(entry, Rejected)]
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
                refused.append(result)
        _write_quarantine(quarantine, refused, labels)
        _check_unreadable(refused, len(labelled), params, quarantine)
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
        "quarantined": len(refused),
        "near_duplicates_dropped": len(duplicates),
        "boxes_dropped": sum(entry.dropped for entry in kept),
        "boxes_clipped": sum(entry.clipped for entry in kept),
        "labels": {
            "annotations": labels.annotations,
            "other_categories": labels.others,
            "in_quarantined": sum(entry.labels for entry in refused),
            "in_near_duplicates": sum(entry.labels for entry in duplicates),
            "without_box": sum(entry.without_box for entry in kept),
            "unlisted_photographs": len(unlisted(params.path, labels)),
            "files_left_out": len(labels.left_out),
        },
        **({} if weights is None else {"landmarks_found": sum(entry.landmarks_found for entry in parts["train"])}),
        **{split: _counts(entries) for split, entries in parts.items()},
    }


def _still_accepted(result: Accepted | Rejected) -> Accepted:
    if isinstance(result, Rejected):
        raise FacadeError(f"{result.name} changed during ingest ({result.reason}). Run the stage again.")
    return result


def _split_by_hash(source: str, golden_share: float) -> Split:
    """The split of a photograph if its data set has none: by content hash, so that added photographs move no other."""
    return "golden" if int(source[:8], 16) / 2**32 * 100 < golden_share else "train"


def _write_quarantine(path: Path, refused: list[Rejected], labels: Labels) -> None:
    """Write what is not taken: photographs, faces without a box, and label files."""
    rows = [(printable(entry.name), entry.reason) for entry in refused]
    for labelled in labels.photographs:
        rows += [(printable(labelled.name), f"{one} has no box: it is left out") for one in labelled.without_box]
    rows += [(printable(file.name), f"this file is left out: {file.reason}") for file in labels.left_out]
    _write_table(path, ("photograph", "reason"), rows)


def _write_names(path: Path, accepted: list[Accepted]) -> None:
    _write_table(path, ("stored", "photograph"), [(entry.photograph.file, entry.name) for entry in accepted])


def _write_table(path: Path, columns: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(rows))
    write_text(path, table.getvalue())


def _check_unreadable(refused: list[Rejected], total: int, params: Ingest, quarantine: Path) -> None:
    share = 100 * len(refused) / total
    if share > params.max_unreadable:
        first = min(refused, key=lambda entry: entry.name)
        raise FacadeError(
            f"{len(refused)} of {total} photographs ({share:.3g} %) in {params.path} were rejected, more than "
            f"ingest.max_unreadable ({params.max_unreadable:g} %) allows. {quarantine} lists the reasons; the first: "
            f"{printable(first.name)}: {first.reason}."
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
