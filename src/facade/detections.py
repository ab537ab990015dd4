"""Detections of an arm's runs, as COCO results: on the golden set, the calibration part, and the patches."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from facade.dataset import Photograph, Photographs
from facade.dataset.calibration import calibration_files
from facade.detector.devices import devices_for, own_device, settled
from facade.detector.infer import BATCH, detections, load_model
from facade.errors import FacadeError
from facade.files import read_json, sha256_of, whole_directory, write_text
from facade.parallel import elsewhere, in_order
from facade.params import Detect, Detector, Train

# Photographs that a worker does at a time: whole batches, so that the result does not depend on it.
PIECE = 16 * BATCH


@dataclass(frozen=True)
class Part:
    """Photographs to detect faces in.

    Attributes:
        root: Their data set.
        files: Which of its photographs; None for all.
    """

    root: Path
    files: frozenset[str] | None = None


@dataclass(frozen=True)
class _Piece:
    """Some photographs of a part, for one run.

    Attributes:
        number: Of the run among those of the arm.
        part: Name of the part.
        items: COCO image ids and photographs.
    """

    number: int
    part: str
    items: tuple[tuple[int, Photograph], ...]


def calibration_part(data: Path, percent: float) -> Part:
    """The calibration part of an arm's photographs."""
    return Part(data, frozenset(calibration_files((photograph.file for photograph in Photographs(data)), percent)))


def detect_arm(
    models: Path, parts: Mapping[str, Part], into: Path, detector: Detector, train: Train, detect: Detect
) -> None:
    """Run every model of an arm over photographs.

    Args:
        models: `models/<arm>`, as `train_arm` wrote it.
        parts: The photographs, by name.
        into: Directory to write: `<part>/seed-<n>.json` for each run, COCO results (bbox x y w h in pixels, score), and
            the `model.json` of the models.
        detector: What was trained.
        train: How; it names the seeds and the device.
        detect: Input size, score threshold and NMS, the same for every arm.

    Raises:
        FacadeError: A model is missing.
    """
    arm = read_json(models / "model.json")["arm"]
    weights = [models / f"seed-{seed}.pth" for seed in train.seeds]
    for path in weights:
        if not path.is_file():
            raise FacadeError(f"{path} is missing. `dvc repro train-{arm}` makes it.")
    stores = {name: Photographs(part.root) for name, part in parts.items()}
    pieces = []
    for number in range(len(weights)):
        for name, part in parts.items():
            wanted = [item for item in stores[name].items() if part.files is None or item[1].file in part.files]
            pieces += [
                _Piece(number, name, tuple(wanted[start : start + PIECE])) for start in range(0, len(wanted), PIECE)
            ]
    work = _Detect(stores, tuple(weights), detector, train, detect)
    # On a cluster the nodes' devices count, and not this machine's.
    workers = None if elsewhere() else len(devices_for(train))
    found: dict[tuple[int, str], list[dict[str, Any]]] = {
        (number, name): [] for number in range(len(weights)) for name in parts
    }
    gpu = train.device != "cpu"
    for piece, results in zip(pieces, in_order(work, pieces, f"detect {arm}", workers, gpu=gpu), strict=True):
        found[piece.number, piece.part] += results
    with whole_directory(into) as beside:
        shutil.copyfile(models / "model.json", beside / "model.json")
        for (number, name), results in found.items():
            lines = ",\n".join(json.dumps(result) for result in results)
            write_text(beside / name / f"seed-{train.seeds[number]}.json", f"[\n{lines}\n]\n" if results else "[]\n")


@dataclass(frozen=True)
class _Detect:
    """Run a model over a piece."""

    stores: Mapping[str, Photographs]
    weights: tuple[Path, ...]
    detector: Detector
    train: Train
    detect: Detect

    def __call__(self, piece: _Piece) -> list[dict[str, Any]]:
        path = self.weights[piece.number]
        with settled(self.train):
            model = _loaded(path, sha256_of(path), self.detector, self.detect, own_device(self.train))
            return detections(model, self.stores[piece.part], piece.items, self.detect)


@lru_cache(maxsize=4)
def _loaded(weights: Path, content: str, detector: Detector, detect: Detect, device: str) -> Any:
    """A run's model, loaded once in a process; `content` is the file's sum, so that another file is another model."""
    del content
    return load_model(weights, detector, detect, device)
