"""Detections of an arm's runs, as COCO results: on the golden set, the calibration part, and the patches."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facade.dataset import Photograph, Photographs
from facade.dataset.calibration import calibration_labels
from facade.detector.devices import available_devices, deterministic_torch, worker_device
from facade.detector.infer import BATCH, coco_results, load_detector
from facade.errors import FacadeError
from facade.files import atomic_directory, read_json, sha256_of, write_json, write_text
from facade.parallel import ordered_map, uses_cluster
from facade.params import Detect, Detector, Train, stage_of

# Photographs per work item of a worker: whole batches, so that results do not depend on the number of workers.
CHUNK = 16 * BATCH


@dataclass(frozen=True)
class DetectionPart:
    """Photographs to detect faces in.

    Attributes:
        root: Their data set.
        files: Which of its photographs; None for all.
        labels: Their labels, COCO, to be stored with the detections; None to store none.
    """

    root: Path
    files: frozenset[str] | None = None
    labels: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Chunk:
    """Some photographs of a part, for one run.

    Attributes:
        run: Index of the run among those of the arm.
        part: Name of the part.
        items: COCO image ids and photographs.
    """

    run: int
    part: str
    items: tuple[tuple[int, Photograph], ...]


def calibration_part(data: Path, percent: float) -> DetectionPart:
    """The calibration part of an arm's photographs."""
    labels = calibration_labels(Photographs(data).content(), percent)
    return DetectionPart(data, frozenset(image["file_name"] for image in labels["images"]), labels)


def detect_arm(
    models: Path, parts: Mapping[str, DetectionPart], into: Path, detector: Detector, train: Train, detect: Detect
) -> None:
    """Run every model of an arm on photographs.

    Args:
        models: `models/<arm>`, as `train_arm` wrote it.
        parts: The photographs, by name.
        into: Directory to write: `<part>/seed-<n>.json` for each run, COCO results (bbox x y w h in pixels, score), and
            the `model.json` of the models; of a part of a data set also `<part>/labels.json`, in COCO's format.
        detector: What was trained.
        train: How it was trained; its seeds and device are used.
        detect: Input size, score threshold and NMS, the same for every arm.

    Raises:
        FacadeError: A model is missing.
    """
    arm = read_json(models / "model.json")["arm"]
    weights = [models / f"seed-{seed}.pth" for seed in train.seeds]
    for path in weights:
        if not path.is_file():
            raise FacadeError(f"{path} is missing. `dvc repro {stage_of('train', arm)}` makes it.")
    datasets = {name: Photographs(part.root) for name, part in parts.items()}
    chunks = []
    for run in range(len(weights)):
        for name, part in parts.items():
            items = [item for item in datasets[name].items() if part.files is None or item[1].file in part.files]
            chunks += [_Chunk(run, name, tuple(items[start : start + CHUNK])) for start in range(0, len(items), CHUNK)]
    work = _DetectChunk(datasets, tuple(weights), detector, train, detect)
    # On a cluster the nodes' devices count, not this machine's.
    workers = None if uses_cluster() else len(available_devices(train))
    detections: dict[tuple[int, str], list[dict[str, Any]]] = {
        (run, name): [] for run in range(len(weights)) for name in parts
    }
    gpu = train.device != "cpu"
    for chunk, results in zip(chunks, ordered_map(work, chunks, f"detect {arm}", workers, gpu=gpu), strict=True):
        detections[chunk.run, chunk.part] += results
    with atomic_directory(into) as temporary:
        for name, part in parts.items():
            if part.labels is not None:
                write_json(temporary / name / "labels.json", part.labels)
        shutil.copyfile(models / "model.json", temporary / "model.json")
        for (run, name), results in detections.items():
            lines = ",\n".join(json.dumps(result) for result in results)
            path = temporary / name / f"seed-{train.seeds[run]}.json"
            write_text(path, f"[\n{lines}\n]\n" if results else "[]\n")


@dataclass(frozen=True)
class _DetectChunk:
    """Runs a model on a chunk, in a worker."""

    datasets: Mapping[str, Photographs]
    weights: tuple[Path, ...]
    detector: Detector
    train: Train
    detect: Detect

    def __call__(self, chunk: _Chunk) -> list[dict[str, Any]]:
        weights = self.weights[chunk.run]
        with deterministic_torch(self.train):
            device = worker_device(self.train)
            detector = load_detector(weights, sha256_of(weights), self.detector, self.detect, device)
            return coco_results(detector, self.datasets[chunk.part], chunk.items)
