"""Harvest misses: run the models on a reviewed field pool, and record anonymized photographs of what they miss."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facade.anonymize.factory import build_treatment
from facade.anonymize.treat import Treatment, recoded
from facade.audit.coverage import classify_faces
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.duplicates import nearest_duplicates, perceptual_hash, read_hashes
from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.layouts import read_labels
from facade.dataset.names import neutral_name
from facade.dataset.orientation import with_frames
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Labelled
from facade.dataset.source_photograph import open_photograph
from facade.dataset.store import decode, encode, to_coco
from facade.dataset.synthetic_marker import is_marked_synthetic
from facade.errors import FacadeError
from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.operating_point import evaluate_at_threshold
from facade.misses.ledger import Entry, KnownMiss, Ledger, merge_faces
from facade.misses.runs import CalibratedRuns
from facade.parallel import ordered_map
from facade.params import Codec, Ingest, Params
from facade.seeds import generator

# A detection whose IoU with every label is below this may be an unlabelled face, and is treated, too.
UNLABELLED_IOU = 0.3


@dataclass(frozen=True)
class NewEntry:
    """A photograph for the ledger, and by arm its anonymized file."""

    entry: Entry
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Skipped:
    """A photograph that is not recorded, and why; the reason is empty if nothing in it was missed."""

    name: str
    reason: str = ""


@dataclass(frozen=True)
class ArmAnonymizer:
    """Anonymizes a photograph for the ledger, once with the treatment of each arm.

    Attributes:
        treatments: By arm.
        codec: How photographs are stored.
    """

    treatments: Mapping[str, Treatment]
    codec: Codec

    def __call__(self, pixels: np.ndarray, photograph: Photograph) -> dict[str, bytes]:
        """The photograph with the treatment of each arm, as JPEG.

        Args:
            pixels: (H, W, 3) uint8, BGR.
            photograph: All faces to treat.

        Raises:
            BadPhotographError: A treatment leaves a face as it is.
        """
        files = {}
        before = recoded(pixels, self.codec)
        recoded_twice = recoded(before, self.codec)
        for arm, treatment in self.treatments.items():
            files[arm] = encode(treatment(before, photograph).pixels, self.codec)
            classes = classify_faces(before, decode(files[arm]), recoded_twice, photograph.faces)
            if "untreated" in classes:
                face = classes.index("untreated")
                raise BadPhotographError(f"the treatment of the {arm} arm leaves face {face} as it is")
        return files


def build_anonymizer(params: Params, synthetic: bool) -> ArmAnonymizer:
    """The treatments of the anonymized arms, from params.yaml.

    Raises:
        FacadeError: Pseudonyms need a key that is missing.
    """
    treatments = {arm: build_treatment(arm, params, synthetic=synthetic).treatment for arm in ("blur", "pseudo")}
    return ArmAnonymizer(treatments, params.codec)


@dataclass(frozen=True)
class GoldenHashes:
    """Perceptual hashes of the golden set, none of whose photographs may become training data.

    Attributes:
        hashes: 64-bit perceptual hashes.
        distance: Maximum Hamming distance between near-duplicates.
    """

    hashes: tuple[int, ...]
    distance: int

    def refuse(self, pixels: np.ndarray) -> None:
        """Refuse a photograph that is in the golden set, or is a near-duplicate of one.

        Raises:
            BadPhotographError: It is.
        """
        if nearest_duplicates([perceptual_hash(pixels)], list(self.hashes), self.distance)[0] >= 0:
            raise BadPhotographError("it is in the golden set, or a near-duplicate of a photograph that is")


def golden_hashes(params: Ingest) -> GoldenHashes:
    """The hashes of the golden set.

    Raises:
        FacadeError: It is missing or damaged.
    """
    return GoldenHashes(tuple(read_hashes(Photographs("data/golden"))), params.duplicate_distance)


@dataclass(frozen=True)
class _HarvestPhotograph:
    """Detects, decides and anonymizes one photograph of the pool, in a worker."""

    root: Path
    runs: tuple[CalibratedRuns, ...]
    golden: GoldenHashes
    anonymizer: ArmAnonymizer
    params: Params
    share: float
    any_face: bool
    known: Mapping[str, Entry]

    def __call__(self, labelled: Labelled) -> NewEntry | Skipped:
        try:
            opened = open_photograph(self.root, labelled, self.params.ingest)
            self.golden.refuse(opened.pixels)
            if opened.dropped or opened.without_box:
                return Skipped(labelled.name, "a label has no area, so its face would stay untreated")
            height, width = opened.pixels.shape[:2]
            name = neutral_name(labelled.name, opened.content)
            faces, known = merge_faces(self.known.get(name), opened.faces)
            photograph = Photograph(name, width, height, faces)
            missed, detections = detect_misses(
                opened.pixels, photograph, self.runs, self.params.evaluate.iou, self.share
            )
            if self.any_face:
                missed = {index: KnownMiss() for index, face in enumerate(faces) if not face.ignore}
            if not missed:
                return Skipped(labelled.name)
            files = self.anonymizer(opened.pixels, with_unlabelled_faces(photograph, detections))
            return NewEntry(Entry(photograph, merge_reviews(known, missed), {}), files)
        except BadPhotographError as error:
            return Skipped(labelled.name, str(error))


def harvest(
    pool: Path, ledger: Ledger, runs: Sequence[CalibratedRuns], params: Params, share: float,
    log_line: Callable[[str], None], random: int | None = None, workers: int | None = None,
) -> tuple[list[NewEntry], list[Skipped], bool]:  # fmt: skip
    """Run the current models on a reviewed pool, and collect what they miss.

    Args:
        pool: Photographs with labels, in WIDER FACE's or COCO's layout.
        ledger: The known misses; a photograph that is already in it keeps its reviews.
        runs: Whose misses to collect, by arm or detector.
        params: All of params.yaml.
        share: A face counts as missed if at least this share of the runs of any of `runs` miss it, 0 to 1.
        log_line: Called with a line on each photograph that is refused.
        random: None; or the number of random photographs with a face to collect instead of those with misses. This is
            the control: the gain from misses beyond that from any additional photographs.
        workers: Processes; all cores by default. The result does not depend on it.

    Returns:
        Photographs for the ledger; the skipped ones; and whether the pool is synthetic (shows no real people).

    Raises:
        FacadeError: The pool or the golden set is missing, or two of `runs` have one name.
    """
    names = [one.name for one in runs]
    if len(set(names)) < len(names):
        raise FacadeError(f"two of {', '.join(names)} have one name. Harvest with one of them at a time.")
    photographs = read_labels(pool, params.ingest.categories).photographs
    labelled = with_frames(photographs, params.ingest.label_orientation)
    synthetic = is_marked_synthetic(pool)
    work = _HarvestPhotograph(
        pool.resolve(),
        tuple(runs),
        golden_hashes(params.ingest),
        build_anonymizer(params, synthetic),
        params,
        share,
        random is not None,
        {entry.photograph.file: entry for entry in ledger.entries},
    )
    new: list[NewEntry] = []
    skipped: list[Skipped] = []
    for result in ordered_map(work, labelled, "harvest", workers, folders=[Path(), pool]):
        if isinstance(result, NewEntry):
            new.append(result)
        else:
            skipped.append(result)
            if result.reason:
                log_line(f"{result.name} is skipped: {result.reason}")
    if random is not None:
        order = generator("instead", len(labelled)).permutation(len(new))[:random]
        new = [new[index] for index in sorted(order)]
    return new, skipped, synthetic


def merge_reviews(known: Mapping[int, KnownMiss], new: Mapping[int, KnownMiss]) -> dict[int, KnownMiss]:
    """New misses over known ones; a miss that is already known keeps its state."""
    reviewed = {
        index: replace(miss, state=known[index].state) if index in known else miss for index, miss in new.items()
    }
    return {**known, **reviewed}


def detect_misses(
    pixels: np.ndarray, photograph: Photograph, runs: Sequence[CalibratedRuns], iou: float, share: float
) -> tuple[dict[int, KnownMiss], np.ndarray]:
    """The faces of a photograph that models miss, and all detections of the models.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        photograph: Its labels.
        runs: The models, by arm or detector.
        iou: IoU threshold for a true positive.
        share: Share of the runs of an arm or detector that must miss a face, 0 to 1.

    Returns:
        Misses by index of the face, and (n, 4) float boxes of the detections at the operating thresholds, x y w h in
        pixels.
    """
    truth = to_coco([photograph], synthetic=True)
    faces = ground_truth_arrays(truth)
    indices = [index for index, face in enumerate(photograph.faces) if not face.ignore]
    missed_by: dict[int, dict[str, list[int]]] = {index: {} for index in indices}
    best = np.zeros((2, len(indices)))  # highest score and highest IoU of each face
    detections = [np.zeros((0, 4))]
    for one in runs:
        for seed, detector, threshold in zip(one.seeds, one.detectors, one.thresholds, strict=True):
            rows = detector.faces(photograph.file, 0, [pixels])[0]
            detections.append(rows[rows[:, 4] >= threshold, :4])
            results = [{"image_id": 1, "bbox": row[:4].tolist(), "score": float(row[4])} for row in rows]
            outcome = evaluate_at_threshold(faces, detection_arrays(truth, results), threshold, iou)
            best = np.maximum(best, (outcome.best_score, outcome.best_iou))
            for index, detected in zip(indices, outcome.detected, strict=True):
                if not detected:
                    missed_by[index].setdefault(one.name, []).append(seed)
    run_counts = {one.name: len(one.seeds) for one in runs}
    models = {one.name: one.version for one in runs}
    missed = {
        index: KnownMiss(
            "new", missed_by[index], run_counts, models, round(float(best[0, row]), 4), round(float(best[1, row]), 4)
        )
        for row, index in enumerate(indices)
        if any(len(seeds) >= share * run_counts[name] for name, seeds in missed_by[index].items())
    }
    return missed, np.concatenate(detections)


def with_unlabelled_faces(photograph: Photograph, detections: np.ndarray) -> Photograph:
    """The photograph with all faces to treat: its labels, and as ignored faces the detections that match no label.

    Args:
        photograph: With its labels.
        detections: (n, 4) float, x y w h in pixels.
    """
    size = photograph.width, photograph.height
    labelled = clipped_xyxy([face.bbox for face in photograph.faces], *size)
    added: list[Face] = []
    for box in detections:
        clipped = clipped_xyxy([box], *size)
        known = np.concatenate([labelled, clipped_xyxy([face.bbox for face in added], *size)])
        if (clipped[:, 2:] > clipped[:, :2]).all() and not match_pairs(clipped, known, UNLABELLED_IOU):
            x, y, w, h = map(float, box)
            added.append(Face((x, y, w, h), ignore=True))
    return Photograph(photograph.file, photograph.width, photograph.height, (*photograph.faces, *added))
