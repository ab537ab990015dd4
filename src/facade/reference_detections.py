"""Detections of other people's detectors on the golden set: a reference for the arms, by the same protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from facade.dataset import Photograph, Photographs
from facade.errors import FacadeError
from facade.files import atomic_directory, sha256_of, write_json
from facade.networks.open_detector import open_detector
from facade.networks.protocol import FaceDetector
from facade.parallel import one_torch_thread, ordered_map

# The default of detect.min_score, so that precision-recall curves reach as far as those of the arms.
MIN_SCORE = 0.01


@dataclass(frozen=True)
class _DetectPhotograph:
    """Runs a detector on one photograph, in a worker."""

    photographs: Photographs
    weights: Path
    sha256: str

    def __call__(self, item: tuple[int, Photograph]) -> list[dict[str, Any]]:
        image_id, photograph = item
        with one_torch_thread():
            rows = _open_cached(self.weights, self.sha256).detect(self.photographs.pixels(photograph), MIN_SCORE)
        return [
            {
                "image_id": image_id,
                "category_id": 1,
                "bbox": [round(float(value), 3) for value in row[:4]],
                "score": round(float(row[4]), 6),
            }
            for row in rows
        ]


@lru_cache(maxsize=2)
def _open_cached(weights: Path, sha256: str) -> FaceDetector:
    del sha256  # part of the cache key: a changed file is loaded again
    return open_detector(weights)


def detect_references(photographs: Photographs, weights: Sequence[Path], into: Path) -> None:
    """Detect faces with each of several networks.

    Args:
        photographs: The golden set.
        weights: A file for each network (`facade.networks`).
        into: Directory to write: `<name>.json` for each, COCO results.

    Raises:
        FacadeError: A file holds no supported network, or two networks have the same name.
    """
    paths: dict[str, Path] = {}
    for path in weights:
        name = open_detector(path).name
        if name in paths:
            raise FacadeError(f"evaluate.references names two files of {name}: {paths[name]} and {path}. Keep one.")
        paths[name] = path
    with atomic_directory(into) as temporary:
        temporary.mkdir(exist_ok=True)
        for name, path in paths.items():
            work = _DetectPhotograph(photographs, path, sha256_of(path))
            results = ordered_map(work, list(photographs.items()), f"reference {name}")
            write_json(temporary / f"{name}.json", [detection for image in results for detection in image])
