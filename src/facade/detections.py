"""Detections of an arm's runs on a data set, as COCO results."""

import json
import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facade.dataset import Photographs
from facade.detector.run import Run, prepare_process
from facade.detector.train import devices_for
from facade.errors import FacadeError
from facade.files import read_json, whole_directory, write_text
from facade.params import Detect, Detector, Train

BATCH = 8


@dataclass(frozen=True)
class _Job:
    run: Run
    weights: Path
    photographs: Path


def detect_arm(models: Path, photographs: Path, into: Path, detector: Detector, train: Train, detect: Detect) -> None:
    """Run every model of an arm over a data set.

    Args:
        models: `models/<arm>`, as `train_arm` wrote it.
        photographs: The data set, usually the golden one.
        into: Directory to write: `seed-<n>.json` for each run, COCO results (bbox x y w h in pixels, score).
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
        run = Run(Path(), seed, detector, train, detect, places[number % len(places)], Path())
        jobs.append(_Job(run, weights, photographs))
    spawn = multiprocessing.get_context("spawn")
    with whole_directory(into) as beside:
        # A process for each run: torch's threads and GPU are settled once in a process's life.
        with spawn.Pool(len(places), maxtasksperchild=1) as pool:
            found = list(tqdm(pool.imap(_detect, jobs, chunksize=1), f"detect {arm}", len(jobs), unit="run"))
        for job, results in zip(jobs, found, strict=True):
            lines = ",\n".join(json.dumps(result) for result in results)
            write_text(beside / f"seed-{job.run.seed}.json", f"[\n{lines}\n]\n" if results else "[]\n")


def _detect(job: _Job) -> list[dict[str, Any]]:
    prepare_process(job.run)
    import torch

    from facade.detector.model import build, model_config

    # Weights come from the file: a backbone's own are not read again.
    model = build(model_config(job.run.detector.model_copy(update={"weights": None}), job.run.detect))
    model.load_state_dict(torch.load(job.weights, map_location="cpu", weights_only=True))
    model.to(job.run.device.partition(":")[0]).eval()
    return detections(model, Photographs(job.photographs), job.run.detect)


def detections(model: Any, photographs: Photographs, detect: Detect) -> list[dict[str, Any]]:
    """COCO results of a model on every photograph, in their order, surest first."""
    import torch
    from mmengine.dataset import Compose, pseudo_collate

    from facade.detector.data import detection_steps

    steps = Compose(detection_steps(detect))
    items = list(photographs.items())
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
