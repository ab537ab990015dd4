"""Other people's detectors on the golden set: reference lines, by the same protocol as the arms."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from facade.dataset import Photograph, Photographs
from facade.errors import FacadeError
from facade.files import sha256_of, whole_directory, write_json
from facade.networks.open_detector import face_detector
from facade.networks.protocol import FaceDetector
from facade.parallel import in_order, one_torch_thread

# As low as the arms' own (detect.score by default), so that no curve is cut short.
MIN_SCORE = 0.01


@dataclass(frozen=True)
class _Detect:
    """Run a detector over one photograph."""

    photographs: Photographs
    weights: Path
    content: str

    def __call__(self, item: tuple[int, Photograph]) -> list[dict[str, Any]]:
        number, photograph = item
        with one_torch_thread():
            rows = _loaded(self.weights, self.content).detect(self.photographs.pixels(photograph), MIN_SCORE)
        return [
            {
                "image_id": number,
                "category_id": 1,
                "bbox": [round(float(value), 3) for value in row[:4]],
                "score": round(float(row[4]), 6),
            }
            for row in rows
        ]


@lru_cache(maxsize=2)
def _loaded(weights: Path, content: str) -> FaceDetector:
    del content  # another file is another detector
    return face_detector(weights)


def detect_references(photographs: Photographs, weights: Sequence[Path], into: Path) -> None:
    """Detect faces with each of some networks.

    Args:
        photographs: The golden set.
        weights: A file for each network (`facade.networks`).
        into: Directory to write: `<name>.json` for each, COCO results.

    Raises:
        FacadeError: A file holds no network that is known, or two have one name.
    """
    names: dict[str, Path] = {}
    for path in weights:
        name = face_detector(path).name
        if name in names:
            raise FacadeError(f"evaluate.references names two files of {name}: {names[name]} and {path}. Keep one.")
        names[name] = path
    with whole_directory(into) as beside:
        beside.mkdir(exist_ok=True)
        for name, path in names.items():
            work = _Detect(photographs, path, sha256_of(path))
            found = in_order(work, list(photographs.items()), f"reference {name}")
            write_json(beside / f"{name}.json", [one for results in found for one in results])
