"""How long scoring takes, beside pycocotools.   python benchmarks/scoring.py   (a minute)

Average precision over all overlaps of made-up detections: half of them lie on faces, near enough for some overlaps.
Both are given the same lists; their numbers must be equal.
"""

import argparse
import contextlib
import io
from typing import Any

import numpy as np
from keeping import keep
from printing import print_header, print_table
from speed import in_turns, one_thread

from facade.measure.average_precision import average_precision
from facade.seeds import generator

FACES, DETECTIONS = 12, 60  # in a photograph


def made_up(photographs: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The content of a COCO file, and results of a detector."""
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
        found = boxes[random.integers(FACES, size=DETECTIONS)] + random.normal(0, 4, (DETECTIONS, 4))
        found[::2, :2] = random.uniform(0, 640, (DETECTIONS // 2, 2))
        found[:, 2:] = np.maximum(found[:, 2:], 4)
        scores = random.random(DETECTIONS)
        results += [
            {"image_id": image, "category_id": 1, "bbox": box.tolist(), "score": float(score)}
            for box, score in zip(found, scores, strict=True)
        ]
    categories = [{"id": 1, "name": "face"}]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def by_pycocotools(truth: dict[str, Any], results: list[dict[str, Any]]) -> float:
    """Average precision as the reference computes it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {**truth, "annotations": [dict(one) for one in truth["annotations"]]}
        coco.createIndex()
        scored = COCOeval(coco, coco.loadRes([dict(one) for one in results]), "bbox")
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return float(scored.stats[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=600, help="WIDER FACE's val part has 3,226")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    truth, results = made_up(wanted.photographs)
    faces = len(truth["annotations"])
    print_header("Scoring", photographs=wanted.photographs, faces=faces, detections=len(results), rounds=wanted.rounds)
    apart = abs((average_precision(truth, results)["AP"] or 0.0) - by_pycocotools(truth, results))
    works = {
        "pycocotools": lambda: by_pycocotools(truth, results),
        "facade": lambda: average_precision(truth, results),
    }
    with one_thread():
        times = in_turns(works, wanted.rounds)
    ratios = times["pycocotools"] / times["facade"]
    keep("scoring: times as fast as pycocotools", ratios, 1, f"{faces} faces, {len(results)} detections")
    seconds = [f"{np.median(times[name]):.2f} s" for name in ("pycocotools", "facade")]
    fast = f"{np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})"
    print_table(
        ["", "pycocotools", "facade", "times as fast", "AP apart"], [["AP .5:.95", *seconds, fast, f"{apart:.1e}"]]
    )


if __name__ == "__main__":
    main()
