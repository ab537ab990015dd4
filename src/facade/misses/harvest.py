"""From a reviewed field pool to the ledger: which faces do the models miss, stored without showing anybody."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facade.anonymize import BlurFaces
from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import Treatment, recoded
from facade.audit.coverage import findings
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.calibration import calibration_labels
from facade.dataset.duplicates import near, perceptual_hash, read_looks
from facade.dataset.ingest import open_photograph, read_labels
from facade.dataset.iou import corners, pairs
from facade.dataset.names import neutral_name
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Labelled
from facade.dataset.store import coco, decode, encode
from facade.dataset.synthetic_marker import is_marked_synthetic
from facade.errors import FacadeError
from facade.footage.box_sources import Trained, trained
from facade.gate import data_hash
from facade.measure.arrays import detection_arrays, ground_truth_arrays
from facade.measure.coco_results import read_runs
from facade.measure.operating_point import at_threshold, frozen_threshold
from facade.misses.ledger import Entry, Ledger, Miss, joined
from facade.parallel import in_order
from facade.params import Codec, Ingest, Params
from facade.secret_key import read_key
from facade.seeds import generator
from facade.sources.from_params import source_of

# A detection that overlaps no label by so much (IoU) may be somebody whom nobody labelled, and is treated, too.
LABELLED = 0.3


@dataclass(frozen=True)
class Runs:
    """The trained detectors of an arm.

    Attributes:
        arm: Its name.
        data: 16 hexadecimal digits of what they were trained on.
        seeds: Of the runs.
        finders: One a run.
        thresholds: The score at which each is used.
    """

    arm: str
    data: str
    seeds: tuple[int, ...]
    finders: tuple[Trained, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Kept:
    """A photograph for the ledger, and by arm its anonymized file."""

    entry: Entry
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Left:
    """A photograph that is not recorded, and why; no reason where nothing in it was missed."""

    name: str
    reason: str = ""


def runs_of(arm: str, params: Params) -> Runs:
    """The detectors of an arm, each at its operating threshold, which its calibration photographs fixed.

    Raises:
        FacadeError: They are missing, or were not calibrated.
    """
    data, detections = Path("data") / arm, Path("detections") / arm
    photographs = Photographs(data)
    labels = calibration_labels(photographs.content(), params.evaluate.calibration)
    seeds, results = read_runs(labels, {arm: detections / "calibration"})
    thresholds = []
    for run in results[arm]:
        at = frozen_threshold(ground_truth_arrays(labels), detection_arrays(labels, run), params.evaluate.iou)
        if at is None:
            raise FacadeError(
                f"the runs of {arm} have no operating threshold: evaluate.calibration is 0, or holds no face."
            )
        thresholds.append(at)
    finders = [trained(Path("models") / arm, seed, params.detect.score, None, params.detect) for seed in seeds]
    return Runs(arm, data_hash(photographs), tuple(seeds), tuple(finders), tuple(thresholds))


@dataclass(frozen=True)
class Anonymizer:
    """Makes of a photograph what the ledger may hold.

    Attributes:
        treatments: By arm.
        codec: How photographs are stored.
    """

    treatments: Mapping[str, Treatment]
    codec: Codec

    def __call__(self, pixels: np.ndarray, everybody: Photograph) -> dict[str, bytes]:
        """The photograph as each arm treats it, as JPEG.

        Args:
            pixels: (H, W, 3) uint8, BGR.
            everybody: All faces to treat.

        Raises:
            BadPhotographError: A face would be left as it is.
        """
        files = {}
        before = recoded(pixels, self.codec)
        again = recoded(before, self.codec)
        for arm, treatment in self.treatments.items():
            files[arm] = encode(treatment(before, everybody).pixels, self.codec)
            found = findings(before, decode(files[arm]), again, everybody.faces)
            if "untreated" in found:
                raise BadPhotographError(f"the {arm} arm's treatment leaves face {found.index('untreated')} as it is")
        return files


def anonymizer(params: Params, synthetic: bool) -> Anonymizer:
    """The arms' treatments, as params.yaml has them.

    Raises:
        FacadeError: Pseudonyms need a key that is not there.
    """
    wanted = params.synthesize
    replaced = ReplaceFaces(wanted, source_of(wanted), read_key(wanted.key, synthetic))
    return Anonymizer({"blur": BlurFaces(params.blur), "pseudo": replaced}, params.codec)


@dataclass(frozen=True)
class Golden:
    """What golden photographs look like: none of them may become training data.

    Attributes:
        looks: Their perceptual hashes.
        distance: Bits in which those of near-duplicates differ at the most.
    """

    looks: tuple[int, ...]
    distance: int

    def refuse(self, pixels: np.ndarray) -> None:
        """Refuse a photograph that is golden, or looks like one.

        Raises:
            BadPhotographError: It does.
        """
        if near([perceptual_hash(pixels)], list(self.looks), self.distance)[0] >= 0:
            raise BadPhotographError("it is in the golden set, or looks like a photograph that is")


def golden_looks(params: Ingest) -> Golden:
    """The looks of the golden set.

    Raises:
        FacadeError: It is missing or damaged.
    """
    return Golden(tuple(read_looks(Photographs("data/golden"))), params.duplicate_distance)


@dataclass(frozen=True)
class _Harvest:
    root: Path
    runs: tuple[Runs, ...]
    golden: Golden
    anonymizer: Anonymizer
    params: Params
    share: float
    any_face: bool
    known: Mapping[str, Entry]

    def __call__(self, labelled: Labelled) -> Kept | Left:
        try:
            opened = open_photograph(self.root, labelled, self.params.ingest)
            self.golden.refuse(opened.pixels)
            if opened.dropped:
                return Left(labelled.name, "a label has no area: whoever it stands for would stay as they are")
            height, width = opened.pixels.shape[:2]
            name = neutral_name(labelled.name, opened.content)
            faces, known = joined(self.known.get(name), opened.faces)
            photograph = Photograph(name, width, height, faces)
            missed, seen = missed_faces(opened.pixels, photograph, self.runs, self.params.evaluate.iou, self.share)
            if self.any_face:
                missed = {number: Miss() for number, face in enumerate(faces) if not face.ignore}
            if not missed:
                return Left(labelled.name)
            files = self.anonymizer(opened.pixels, with_unlabelled(photograph, seen))
            return Kept(Entry(photograph, said(known, missed), {}), files)
        except BadPhotographError as error:
            return Left(labelled.name, str(error))


def harvest(
    pool: Path, ledger: Ledger, arms: Sequence[str], params: Params, share: float, told: Callable[[str], None],
    instead: int | None = None, workers: int | None = None,
) -> tuple[list[Kept], list[Left], bool]:  # fmt: skip
    """Run the current models over a reviewed pool, and take what they miss.

    Args:
        pool: Photographs with labels, in WIDER FACE's or COCO's layout.
        ledger: What is known: a photograph that comes again keeps what was said of it.
        arms: Whose models.
        params: All of params.yaml.
        share: A face counts as missed if so many of the runs of any arm miss it, 0 to 1.
        told: Is given a line on each photograph that is refused.
        instead: None, or how many photographs with a face to take at random in place of those with misses: the control
            that tells what misses buy from what any further photograph would.
        workers: Processes; all cores by default. The result does not depend on it.

    Returns:
        Photographs for the ledger; the others; and whether nobody in the pool is real.

    Raises:
        FacadeError: The pool, a model or the golden set is missing.
    """
    labelled = read_labels(pool)
    synthetic = is_marked_synthetic(pool)
    runs = tuple(runs_of(arm, params) for arm in arms)
    job = _Harvest(
        pool.resolve(),
        runs,
        golden_looks(params.ingest),
        anonymizer(params, synthetic),
        params,
        share,
        instead is not None,
        {entry.photograph.file: entry for entry in ledger.entries},
    )
    kept: list[Kept] = []
    left: list[Left] = []
    for result in in_order(job, labelled, "harvest", workers, places=[Path(), pool]):
        if isinstance(result, Kept):
            kept.append(result)
        else:
            left.append(result)
            if result.reason:
                told(f"{result.name} is left out: {result.reason}")
    if instead is not None:
        order = generator("instead", len(labelled)).permutation(len(kept))[:instead]
        kept = [kept[place] for place in sorted(order)]
    return kept, left, synthetic


def said(known: Mapping[int, Miss], now: Mapping[int, Miss]) -> dict[int, Miss]:
    """Misses, with the judgements that are known of them."""
    again = {
        number: replace(miss, state=known[number].state) if number in known else miss for number, miss in now.items()
    }
    return {**known, **again}


def missed_faces(
    pixels: np.ndarray, photograph: Photograph, runs: Sequence[Runs], iou: float, share: float
) -> tuple[dict[int, Miss], np.ndarray]:
    """The faces of a photograph that models miss, and all that these take for faces.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        photograph: Its labels.
        runs: The models, by arm.
        iou: Overlap from which a detection is right.
        share: Of an arm's runs, how many must miss a face.

    Returns:
        Misses by number of the face, and (n, 4) float boxes of detections at the operating points.
    """
    truth = coco([photograph], synthetic=True)
    faces = ground_truth_arrays(truth)
    numbers = [number for number, face in enumerate(photograph.faces) if not face.ignore]
    by: dict[int, dict[str, list[int]]] = {number: {} for number in numbers}
    best = np.zeros((2, len(numbers)))
    seen = [np.zeros((0, 4))]
    for own in runs:
        for seed, finder, threshold in zip(own.seeds, own.finders, own.thresholds, strict=True):
            rows = finder.find(photograph.file, 0, [pixels])[0]
            seen.append(rows[rows[:, 4] >= threshold, :4])
            results = [{"image_id": 1, "bbox": row[:4].tolist(), "score": float(row[4])} for row in rows]
            outcome = at_threshold(faces, detection_arrays(truth, results), threshold, iou)
            best = np.maximum(best, (outcome.best_score, outcome.best_overlap))
            for number, found in zip(numbers, outcome.found, strict=True):
                if not found:
                    by[number].setdefault(own.arm, []).append(seed)
    of = {own.arm: len(own.seeds) for own in runs}
    models = {own.arm: own.data for own in runs}
    missed = {
        number: Miss("new", by[number], of, models, round(float(best[0, at]), 4), round(float(best[1, at]), 4))
        for at, number in enumerate(numbers)
        if any(len(seeds) >= share * of[arm] for arm, seeds in by[number].items())
    }
    return missed, np.concatenate(seen)


def with_unlabelled(photograph: Photograph, seen: np.ndarray) -> Photograph:
    """A photograph with all faces to treat: what a model takes for a face, and nobody labelled, may be somebody."""
    size = photograph.width, photograph.height
    ours = corners([face.bbox for face in photograph.faces], *size)
    more: list[Face] = []
    for box in seen:
        here = corners([box], *size)
        known = np.concatenate([ours, corners([face.bbox for face in more], *size)])
        if (here[:, 2:] > here[:, :2]).all() and not pairs(here, known, LABELLED):
            x, y, w, h = map(float, box)
            more.append(Face((x, y, w, h), ignore=True))
    return Photograph(photograph.file, photograph.width, photograph.height, (*photograph.faces, *more))
