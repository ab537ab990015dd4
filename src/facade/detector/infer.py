"""A trained detector on photographs: the one way from pixels to boxes, for golden, calibration and validation."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facade.checkpoints import read_checkpoint
from facade.dataset import Photograph, Photographs
from facade.errors import FacadeError
from facade.params import Detect, Detector

# Photographs in a batch.
BATCH = 8


def load_model(weights: Path, detector: Detector, detect: Detect, device: str) -> Any:
    """A trained detector, ready to detect.

    Args:
        weights: A run's file.
        detector: What was trained.
        detect: How it is run.
        device: "cpu", or "cuda:0" and so on.

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


def detections(
    model: Any, photographs: Photographs, items: Sequence[tuple[int, Photograph]], detect: Detect
) -> list[dict[str, Any]]:
    """COCO results of a model on photographs, in their order, surest first.

    Args:
        model: From `load_model`.
        photographs: The data set.
        items: COCO image ids and photographs of it.
        detect: How the model is run.
    """
    import torch
    from mmengine.dataset import Compose, pseudo_collate

    from facade.detector.data import detection_steps

    steps = Compose(detection_steps(detect))
    results = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        inputs = [steps({"img": photographs.pixels(photograph), "img_id": number}) for number, photograph in batch]
        with torch.no_grad():
            answers = model.test_step(pseudo_collate(inputs))
        for (number, _), answer in zip(batch, answers, strict=True):
            boxes, scores = answer.pred_instances.bboxes.cpu().numpy(), answer.pred_instances.scores.cpu().numpy()
            for (left, top, right, bottom), score in zip(boxes.astype(float), scores.astype(float), strict=True):
                box = [round(value, 3) for value in (left, top, right - left, bottom - top)]
                results.append({"image_id": number, "category_id": 1, "bbox": box, "score": round(float(score), 6)})
    return results
