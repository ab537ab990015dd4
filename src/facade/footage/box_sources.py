"""Sources of face boxes: a trained detector, or a COCO file."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from facade.detector.devices import FOOTAGE_DEVICE
from facade.detector.infer import load_detector
from facade.errors import FacadeError
from facade.files import read_json, sha256_of
from facade.networks.open_detector import open_detector
from facade.networks.protocol import FaceDetector
from facade.parallel import one_torch_thread
from facade.params import Detect, Detector

# Minimum score of a detection that may continue a track, as a share of the operating threshold.
LOW_CONFIDENCE = 0.3


class BoxSource(Protocol):
    """Gives the boxes of faces."""

    @property
    def key(self) -> str:
        """Changes with everything that the boxes depend on besides the images."""
        ...

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that take much memory, which worker processes should share."""
        ...

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Faces in consecutive frames of a video, or in a photograph.

        Args:
            name: Path of the file relative to the folder that is anonymized, with forward slashes.
            first: Index of the first image in the file, from 0.
            images: (H, W, 3) uint8, BGR, all of one size.

        Returns:
            For each image (n, 5) float: x y w h in pixels, score.
        """
        ...


@dataclass(frozen=True)
class DetectedBoxes:
    """Boxes from a detector of the experiment.

    Attributes:
        weights: `models/<arm>/seed-<n>.pth`.
        sha256: Of that file. On a cluster, another node may hold another file under the same path.
        detector: What was trained.
        detect: Input size, score threshold and NMS.
    """

    weights: Path
    sha256: str
    detector: Detector
    detect: Detect

    @property
    def key(self) -> str:
        """See `BoxSource.key`."""
        return f"{self.sha256} {self.detect!r}"

    @property
    def preload(self) -> tuple[str, ...]:
        """See `BoxSource.preload`."""
        return ("facade.detector.model", "facade.detector.data")

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `BoxSource.faces`."""
        del name, first
        with one_torch_thread():
            detector = load_detector(self.weights, self.sha256, self.detector, self.detect, FOOTAGE_DEVICE)
            detections = detector.detect(images)
        # Boxes without an area cover nothing to treat.
        return [rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)].round(3) for rows in detections]


@dataclass(frozen=True)
class NetworkBoxes:
    """Boxes from a face detector in a file of its own: ONNX, or weights that `facade.networks` knows.

    Attributes:
        weights: The file.
        sha256: Of that file.
        min_score: Detections with a lower score are dropped.
    """

    weights: Path
    sha256: str
    min_score: float

    @property
    def key(self) -> str:
        """See `BoxSource.key`."""
        return f"{self.sha256} {self.min_score!r}"

    @property
    def preload(self) -> tuple[str, ...]:
        """See `BoxSource.preload`."""
        return ("facade.networks.open_detector",)

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `BoxSource.faces`."""
        del name, first
        detector = _opened(self.weights, self.sha256)
        detections = [detector.detect(image, self.min_score) for image in images]
        return [rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)].round(3) for rows in detections]


@lru_cache(maxsize=4)
def _opened(weights: Path, sha256: str) -> FaceDetector:
    if sha256_of(weights) != sha256:
        raise FacadeError(f"{weights} is not the file that it was when the run began. Run it again.")
    return open_detector(weights)


def network_boxes(weights: Path, min_score: float) -> NetworkBoxes:
    """Boxes from a face detector in a file of its own.

    Args:
        weights: See `facade.networks.open_detector`.
        min_score: Detections with a lower score are dropped.

    Raises:
        FacadeError: The file is missing, or holds no supported detector.
    """
    open_detector(weights)
    return NetworkBoxes(weights, sha256_of(weights), min_score)


def detector_boxes(models: Path, seed: int | None, min_score: float, size: int | None, detect: Detect) -> DetectedBoxes:
    """Boxes from a detector of the experiment.

    Args:
        models: `models/<arm>`.
        seed: Of the run; None for the first.
        min_score: Detections with a lower score are dropped.
        size: Longest side that images are resized to, pixels; None for that of the training.
        detect: The section of params.yaml.

    Raises:
        FacadeError: There is no such model.
    """
    description = read_json(models / "model.json")
    try:
        seeds, trained_at = description["train"]["seeds"], description["size"]
        seed = seeds[0] if seed is None else seed
        detector = Detector.model_validate(description["detector"])
    except (KeyError, TypeError, IndexError, ValidationError):
        raise FacadeError(f"{models / 'model.json'} is not what `dvc repro` writes. Run it again.") from None
    weights = models / f"seed-{seed}.pth"
    if not weights.is_file():
        raise FacadeError(f"{weights} is missing; {models} holds seeds {', '.join(map(str, seeds))}.")
    own = detect.model_copy(update={"size": size or trained_at, "min_score": min_score})
    return DetectedBoxes(weights, sha256_of(weights), detector, own)


def operating_threshold(models: Path, metrics: Path = Path("metrics/golden.json")) -> float:
    """The score threshold at which the experiment used an arm's detectors, mean over the seeds.

    Raises:
        FacadeError: It was not measured.
    """
    try:
        value = read_json(metrics)[read_json(models / "model.json")["arm"]]["threshold"] if metrics.is_file() else None
    except (KeyError, TypeError):
        value = None
    if not isinstance(value, float) or not 0 < value < 1:
        raise FacadeError(
            f"the operating threshold of {models} was not measured. Set a threshold, as in --min-score 0.3."
        )
    return value


@dataclass(frozen=True)
class LabelledBoxes:
    """Boxes from a COCO file; each has the score 1.

    Attributes:
        boxes: By file name and frame, (n, 4) float, x y w h in pixels.
        files: Names of all images of the COCO file, those without a box included.
        path: The COCO file.
    """

    boxes: dict[tuple[str, int], np.ndarray]
    files: frozenset[str]
    path: Path

    @property
    def key(self) -> str:
        """See `BoxSource.key`."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def preload(self) -> tuple[str, ...]:
        """See `BoxSource.preload`."""
        return ()

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse files that the COCO file does not list: a misspelled name would leave every face in it visible.

        Args:
            names: The files to anonymize.

        Raises:
            FacadeError: One of them is not listed.
        """
        if missing := sorted(set(names) - self.files):
            raise FacadeError(
                f"{self.path} does not list {missing[0]}. Add it to its images, without annotations if it has no face."
            )

    def check_count(self, name: str, count: int) -> None:
        """Refuse boxes of frames that a file does not have.

        Raises:
            FacadeError: There is such a box.
        """
        beyond = [frame for file, frame in self.boxes if file == name and not 0 <= frame < count]
        if beyond:
            raise FacadeError(f"{self.path} has boxes for frame {beyond[0]} of {name}, which has {count} (from 0).")

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `BoxSource.faces`."""
        none = np.zeros((0, 4))
        boxes = [self.boxes.get((name, first + number), none) for number in range(len(images))]
        return [np.column_stack([rows, np.ones(len(rows))]) for rows in boxes]


def read_boxes(path: Path) -> LabelledBoxes:
    """Boxes of a COCO file.

    Args:
        path: The file. `file_name` is relative to the folder that is anonymized. An image of a video has a `frame`,
            counted from 0.

    Raises:
        FacadeError: The file is missing, or is no COCO file.
    """
    content = read_json(path)
    try:
        images = {image["id"]: (str(image["file_name"]), int(image.get("frame", 0))) for image in content["images"]}
        boxes: dict[tuple[str, int], list[Any]] = {}
        for annotation in content["annotations"]:
            bbox = annotation["bbox"]
            x, y, w, h = (float(value) for value in bbox)
            if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
                raise FacadeError(f"{path}: annotation {annotation.get('id')} has the box {bbox}, which has no area.")
            boxes.setdefault(images[annotation["image_id"]], []).append((x, y, w, h))
    except (KeyError, TypeError, ValueError) as error:
        raise FacadeError(f"{path} is no COCO file of boxes ({type(error).__name__}: {error}). Correct it.") from None
    files = frozenset(name for name, _ in images.values())
    return LabelledBoxes({frame: np.array(rows) for frame, rows in boxes.items()}, files, path)
