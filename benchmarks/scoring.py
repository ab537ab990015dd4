"""Scoring time compared with pycocotools.   python benchmarks/scoring.py   (a minute)

Average precision over all IoU thresholds of random detections, half of which are close enough to faces for some
thresholds. Both get the same lists, and must return the same values.
"""

import argparse
import contextlib
import io
from typing import Any

import numpy as np
from keeping import keep
from printing import print_header, print_table
from speed import one_thread, time_interleaved

from facade.measure.average_precision import average_precision
from facade.seeds import generator

FACES, DETECTIONS = 12, 60  # per photograph


def random_detections(photographs: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The content of a COCO file, and COCO results of a detector."""
    random = generator("scoring benchmark")
    images, annotations, results = [], [], []
    for image in range(1, photographs + 1):
        images.append({"id": image, "file_name": f"{image}.jpg", "width": 1024, "height": 768})
        sizes = random.uniform(8, 120, FACES)
        boxes = np.column_stack([random.uniform(0, 900, FACES), random.uniform(0, 640, FACES), sizes, 1.25 * sizes])
        for box in boxes:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": 1, "bbox": box.tolist(),
                 "area": float(box[2] * box[3]), "iscrowd": 0}
            )  # fmt: skip
        detected = boxes[random.integers(FACES, size=DETECTIONS)] + random.normal(0, 4, (DETECTIONS, 4))
        detected[::2, :2] = random.uniform(0, 640, (DETECTIONS // 2, 2))
        detected[:, 2:] = np.maximum(detected[:, 2:], 4)
        scores = random.random(DETECTIONS)
        results += [
            {"image_id": image, "category_id": 1, "bbox": box.tolist(), "score": float(score)}
            for box, score in zip(detected, scores, strict=True)
        ]
    categories = [{"id": 1, "name": "face"}]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def by_pycocotools(truth: dict[str, Any], results: list[dict[str, Any]]) -> float:
    """Average precision by the reference implementation."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {**truth, "annotations": [dict(one) for one in truth["annotations"]]}
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes([dict(one) for one in results]), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return float(evaluator.stats[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=600, help="WIDER FACE's val part has 3,226")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    truth, results = random_detections(args.photographs)
    faces = len(truth["annotations"])
    print_header("Scoring", photographs=args.photographs, faces=faces, detections=len(results), rounds=args.rounds)
    ap_difference = abs((average_precision(truth, results)["AP"] or 0.0) - by_pycocotools(truth, results))
    works = {
        "pycocotools": lambda: by_pycocotools(truth, results),
        "facade": lambda: average_precision(truth, results),
    }
    with one_thread():
        times = time_interleaved(works, args.rounds)
    ratios = times["pycocotools"] / times["facade"]
    keep("scoring: times as fast as pycocotools", ratios, 1, f"{faces} faces, {len(results)} detections")
    seconds = [f"{np.median(times[name]):.2f} s" for name in ("pycocotools", "facade")]
    speedup = f"{np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})"
    print_table(
        ["", "pycocotools", "facade", "speedup", "AP difference"],
        [["AP .5:.95", *seconds, speedup, f"{ap_difference:.1e}"]],
    )


if __name__ == "__main__":
    main()
