"""Inference with a trained detector: the only code from pixels to boxes, for the experiment and for footage."""

import os
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from facade.checkpoints import read_checkpoint
from facade.dataset import Photograph, Photographs
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.params import Detect, Detector

# Photographs or frames in a batch.
BATCH = 8


class TrainedDetector:
    """A detector with loaded weights, ready to detect.

    Args:
        model: From `load_model`, or one that is being trained; in evaluation mode.
        detect: Input size, score threshold and NMS. The thresholds are those that `model` was built with.
    """

    def __init__(self, model: Any, detect: Detect) -> None:
        from mmengine.dataset import Compose

        from facade.detector.data import inference_pipeline

        self._model = model
        self._transform = Compose(inference_pipeline(detect))

    def detect(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Detect faces in one batch of images.

        Args:
            images: (H, W, 3) uint8, BGR. They may differ in size. In floating point, a result depends on the other
                images of its batch in the last digits.

        Returns:
            For each image (n, 5) float64: x y w h in pixels, score; in descending order of score. Nothing is rounded.
        """
        import torch
        from mmengine.dataset import pseudo_collate

        inputs = [self._transform({"img": image, "img_id": number}) for number, image in enumerate(images)]
        with torch.no_grad():
            samples = self._model.test_step(pseudo_collate(inputs))
        detections = []
        for sample in samples:
            boxes = sample.pred_instances.bboxes.cpu().numpy().astype(float)
            scores = sample.pred_instances.scores.cpu().numpy().astype(float)
            detections.append(np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores]))
        return detections


def load_model(weights: Path, detector: Detector, detect: Detect, device: str) -> Any:
    """The mmdet model of a run, in evaluation mode.

    Args:
        weights: `models/<arm>/seed-<n>.pth`.
        detector: What was trained.
        detect: Input size, score threshold and NMS.
        device: "cpu", or "cuda:0" and so on (`facade.detector.devices`).

    Raises:
        FacadeError: The file holds no weights, or those of another detector.
    """
    from facade.detector.model import build, model_config

    # mmdet's own use of its own former name.
    warnings.filterwarnings("ignore", "DeprecationWarning: `num_anchors`")
    model = build(model_config(detector, detect))
    try:
        model.load_state_dict(read_checkpoint(weights, "the model"))
    except (RuntimeError, TypeError, AttributeError):
        raise FacadeError(f"{weights} holds the weights of another detector. Run `dvc repro`.") from None
    return model.to(device).eval()


@lru_cache(maxsize=16)  # the runs of a few arms
def load_detector(weights: Path, sha256: str, detector: Detector, detect: Detect, device: str) -> TrainedDetector:
    """A run's detector, loaded once in a process.

    Args:
        weights: `models/<arm>/seed-<n>.pth`.
        sha256: Of that file. On a cluster, another node may hold another file under the same path.
        detector: What was trained.
        detect: Input size, score threshold and NMS.
        device: "cpu", or "cuda:0" and so on (`facade.detector.devices`).

    Raises:
        FacadeError: The file is missing, is not the one of this hash, or holds no weights of this detector.
    """
    if not weights.is_file() or sha256_of(weights) != sha256:
        raise FacadeError(
            f"{weights} on {os.uname().nodename} is not the file that the work was started with. Copy it there."
        )
    return TrainedDetector(load_model(weights, detector, detect, device), detect)


def coco_results(
    detector: TrainedDetector, photographs: Photographs, items: Sequence[tuple[int, Photograph]]
) -> list[dict[str, Any]]:
    """Detections in photographs of a data set, as COCO results.

    Args:
        detector: From `load_detector`.
        photographs: The data set.
        items: COCO image ids and photographs of it.

    Returns:
        COCO results in the order of the photographs, of each in descending order of score. Boxes are x y w h in pixels,
        rounded to 3 decimals; scores are rounded to 6.
    """
    results = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        detections = detector.detect([photographs.pixels(photograph) for _, photograph in batch])
        for (image_id, _), rows in zip(batch, detections, strict=True):
            for box, score in zip(rows[:, :4].round(3).tolist(), rows[:, 4].tolist(), strict=True):
                results.append({"image_id": image_id, "category_id": 1, "bbox": box, "score": round(score, 6)})
    return results
