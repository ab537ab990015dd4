"""Detections of an arm's runs, as COCO results: on the golden set, the calibration part, and the patches."""

import json
import multiprocessing
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facade.checkpoints import read_checkpoint
from facade.dataset import Photographs
from facade.dataset.calibration import calibration_files
from facade.detector.run import Run, prepare_process
from facade.detector.train import devices_for
from facade.errors import FacadeError
from facade.files import read_json, whole_directory, write_text
from facade.params import Detect, Detector, Train

BATCH = 8


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
class _Job:
    run: Run
    weights: Path
    parts: Mapping[str, Part]


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
    places = devices_for(train)
    jobs = []
    for number, seed in enumerate(train.seeds):
        weights = models / f"seed-{seed}.pth"
        if not weights.is_file():
            raise FacadeError(f"{weights} is missing. `dvc repro train-{arm}` makes it.")
        run = Run(Path(), seed, detector, train, detect, 0, places[number % len(places)], Path())
        jobs.append(_Job(run, weights, dict(parts)))
    spawn = multiprocessing.get_context("spawn")
    with whole_directory(into) as beside:
        # A process for each run: torch's threads and GPU are settled once in a process's life.
        with spawn.Pool(len(places), maxtasksperchild=1) as pool:
            found = list(tqdm(pool.imap(_detect, jobs, chunksize=1), f"detect {arm}", len(jobs), unit="run"))
        shutil.copyfile(models / "model.json", beside / "model.json")
        for job, by_part in zip(jobs, found, strict=True):
            for name, results in by_part.items():
                lines = ",\n".join(json.dumps(result) for result in results)
                path = beside / name / f"seed-{job.run.seed}.json"
                write_text(path, f"[\n{lines}\n]\n" if results else "[]\n")


def _detect(job: _Job) -> dict[str, list[dict[str, Any]]]:
    prepare_process(job.run)
    model = load_model(job.weights, job.run.detector, job.run.detect, job.run.device.partition(":")[0])
    return {name: detections(model, part, job.run.detect) for name, part in job.parts.items()}


def load_model(weights: Path, detector: Detector, detect: Detect, device: str) -> Any:
    """A trained detector, ready to detect.

    Args:
        weights: A run's file.
        detector: What was trained.
        detect: How it is run.
        device: "cpu" or "cuda".

    Raises:
        FacadeError: The file holds no weights, or those of another detector.
    """
    from facade.detector.model import build, model_config

    # mmdet's own use of its own former name.
    warnings.filterwarnings("ignore", "DeprecationWarning: `num_anchors`")
    # Weights come from the file: a backbone's own are not read again.
    model = build(model_config(detector.model_copy(update={"weights": None}), detect))
    try:
        model.load_state_dict(read_checkpoint(weights, "the model"))
    except (RuntimeError, TypeError, AttributeError):
        raise FacadeError(f"{weights} holds the weights of another detector. Run `dvc repro`.") from None
    return model.to(device).eval()


def detections(model: Any, part: Part, detect: Detect) -> list[dict[str, Any]]:
    """COCO results of a model on every photograph of a part, in their order, surest first."""
    import torch
    from mmengine.dataset import Compose, pseudo_collate

    from facade.detector.data import detection_steps

    steps = Compose(detection_steps(detect))
    photographs = Photographs(part.root)
    items = [item for item in photographs.items() if part.files is None or item[1].file in part.files]
    results = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        inputs = [
            steps({"img_path": str(photographs.images / photograph.file), "img_id": number})
            for number, photograph in batch
        ]
        with torch.no_grad():
            answers = model.test_step(pseudo_collate(inputs))
        for (number, _), answer in zip(batch, answers, strict=True):
            boxes, scores = answer.pred_instances.bboxes.cpu().numpy(), answer.pred_instances.scores.cpu().numpy()
            for (left, top, right, bottom), score in zip(boxes.astype(float), scores.astype(float), strict=True):
                box = [round(value, 3) for value in (left, top, right - left, bottom - top)]
                results.append({"image_id": number, "category_id": 1, "bbox": box, "score": round(float(score), 6)})
    return results
