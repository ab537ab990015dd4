"""Landmarks of detections on photographs.   python benchmarks/landmarks.py WIDERFACE RETINAFACE [--yunet YUNET]

The package's network, which has never seen a real face, against RetinaFace's landmarks on WIDER FACE's validation
photographs, beside what a face has without a network: a frontal head as large as its box. Nothing of a photograph is
written.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from printing import print_header, print_table

from facade.anonymize.head_pose import estimate_pose, view_from_keypoints
from facade.dataset.iou import clipped_xyxy, match_pairs
from facade.dataset.wider import read_wider
from facade.heads.fit import mean_head
from facade.networks.landmarks import MIN_CONFIDENCE, find_landmarks
from facade.retinaface import RetinaFace

# Minimum height of a labelled face, pixels; score of RetinaFace from which it is a reference; IoU of its box and label.
MIN_HEIGHT, MIN_SCORE, MIN_IOU = 24, 0.8, 0.5
HEIGHTS, YAWS = (24, 32, 48, 64, 96, np.inf), (0, 15, 30, 45, 60, 90)


def measure(photographs: list, retinaface: RetinaFace, yunet: Path | None) -> np.ndarray:
    """(N, 9): height, yaw; error of box, network and YuNet; the same of the yaw; confidence."""
    other = None if yunet is None else cv2.FaceDetectorYN.create(str(yunet), "", (320, 320), 0.3, 0.45, 5000)
    rows = []
    for photograph in photographs:
        image = cv2.imread(str(photograph.folder / photograph.name))
        height, width = image.shape[:2]
        labels = [face.bbox for face in photograph.faces if face.bbox[2] > 0 and face.bbox[3] >= MIN_HEIGHT]
        references = retinaface.detect(image, MIN_SCORE)
        reference_boxes = clipped_xyxy([face.bbox for face in references], width, height)
        pairs = match_pairs(clipped_xyxy(labels, width, height), reference_boxes, MIN_IOU)
        if not pairs:
            continue
        points, confidence = find_landmarks(image, np.array([labels[label] for label, _ in pairs]))
        others = _others(other, image, reference_boxes)
        for (label, reference), own, confident in zip(pairs, points, confidence, strict=True):
            bbox, true = labels[label], references[reference].keypoints
            frontal = view_from_keypoints(None, bbox)[0].project(mean_head().landmarks)
            size, yaw = np.sqrt(bbox[2] * bbox[3]), estimate_pose(true).yaw
            candidates = (frontal, own, others.get(reference))
            errors = [np.nan if one is None else np.linalg.norm(one - true, axis=1).mean() / size for one in candidates]
            turns = [np.nan if one is None else abs(estimate_pose(one).yaw - yaw) for one in candidates]
            turns[0] = abs(yaw)
            rows.append([bbox[3], abs(yaw), *errors, *turns, confident])
    return np.array(rows)


def _others(network: cv2.FaceDetectorYN | None, image: np.ndarray, boxes: np.ndarray) -> dict[int, np.ndarray]:
    """YuNet's landmarks by number of the box that they belong to."""
    if network is None:
        return {}
    height, width = image.shape[:2]
    network.setInputSize((width, height))
    _, rows = network.detect(image)
    if rows is None:
        return {}
    detected = clipped_xyxy(list(rows[:, :4].astype(float)), width, height)
    return {box: rows[row, 4:14].reshape(5, 2).astype(float) for box, row in match_pairs(boxes, detected, MIN_IOU)}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("widerface", type=Path)
    parser.add_argument("retinaface", type=Path)
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--every", type=int, default=2, help="every n-th photograph")
    options = parser.parse_args()
    golden = [labelled for labelled in read_wider(options.widerface) if labelled.split == "golden"][:: options.every]
    rows = measure(golden, RetinaFace(options.retinaface), options.yunet)
    used = rows[:, 8] >= MIN_CONFIDENCE
    print_header("Landmarks", photographs=len(golden), faces=len(rows), confident=f"{100 * used.mean():.0f} %")
    parts = [("all", np.ones(len(rows), bool))]
    for name, column, limits in (("height", 0, HEIGHTS), ("yaw", 1, YAWS)):
        parts += [
            (f"{name} {low} to {high}", (rows[:, column] >= low) & (rows[:, column] < high))
            for low, high in pairwise(limits)
        ]
    columns = ["faces", "number", "error: box alone", "network", "YuNet", "yaw: box alone", "network", "YuNet"]
    lines = []
    for name, part in parts:
        errors, turns = np.nanmean(rows[part, 2:5], axis=0), rows[part, 5:8]
        confident = rows[part & used, 5:8].mean(0)
        numbers = [f"{value:.3f}" for value in errors]
        numbers += [f"{confident[0]:.1f}", f"{confident[1]:.1f}", f"{np.nanmean(turns[:, 2]):.1f}"]
        lines.append([name, str(part.sum()), *numbers])
    print_table(columns, lines)


if __name__ == "__main__":
    main()
