"""Average precision as COCO defines it, without its limit of 100 detections per image."""

import contextlib
import io
from typing import Any

from faster_coco_eval import COCO, COCOeval_faster

from facade.measure.coco_results import check_results, check_truth

# The COCO summary metrics that are reported, and their indices in `stats`.
METRICS = {"AP": 0, "AP50": 1, "AP75": 2, "AP_small": 3, "AP_medium": 4, "AP_large": 5, "AR": 8}
# COCO keeps at most 100 detections per image, which truncates crowds (13 % of the hard boxes of WIDER FACE lie
# beyond). No crowd reaches this limit.
MAX_DETECTIONS = 100_000


def average_precision(truth: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, float | None]:
    """COCO's average precision and recall.

    Args:
        truth: Content of a COCO file; faces with `iscrowd` are ignored.
        results: COCO results: image_id, category_id, bbox (x y w h, pixels), score.

    Returns:
        AP over IoU .5:.95, AP50, AP75, AP by size (area below 32², 32² to 96², above, in pixels), and AR. None where
        there is no face of that size to score.

    Raises:
        FacadeError: There is no face to score, a result has no finite score or box, or a result refers to an unknown
            photograph.
    """
    check_truth(truth)
    check_results(truth, results)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval_faster(_coco(truth), _coco(truth).loadRes(_copies(results)), "bbox", print_function=_quiet)
        evaluator.params.maxDets = [1, 10, MAX_DETECTIONS]
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return {name: _or_none(float(evaluator.stats[index])) for name, index in METRICS.items()}


def _coco(content: dict[str, Any]) -> COCO:
    coco = COCO(print_function=_quiet)
    # The evaluator writes into the annotations.
    coco.dataset = {**content, "annotations": [dict(annotation) for annotation in content["annotations"]]}
    coco.createIndex()
    return coco


def _copies(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(result) for result in results]


def _quiet(*_: object) -> None:
    """Discard the log output of faster-coco-eval."""


def _or_none(value: float) -> float | None:
    return None if value < 0 else value
