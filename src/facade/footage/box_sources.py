"""Sources of face boxes: what they offer, and detectors. See `facade.footage.labelled_boxes` for COCO files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from facade.detector.devices import FOOTAGE_DEVICE
from facade.detector.infer import load_detector
from facade.errors import FacadeError
from facade.files import read_json, sha256_of
from facade.footage.named_detectors import ArmRun, NamedDetector, build_detector, name_detector, split_threshold
from facade.networks.cards import DetectorCard
from facade.networks.joined import COMMON_THRESHOLD
from facade.networks.sessions import torch_device
from facade.parallel import one_torch_thread
from facade.params import Detect, Detector, Params

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

    @property
    def description(self) -> Mapping[str, Any]:
        """What gives the boxes, for records: names, sha256 and settings."""
        ...

    @property
    def warning(self) -> str | None:
        """Why the boxes should not be trusted to cover real people; None if nothing is known against them."""
        ...

    @property
    def rendered_only(self) -> str | None:
        """Models of an experiment that have seen rendered photographs alone, such as the demo's; None for others."""
        ...

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Faces in consecutive frames of a video, or in a photograph.

        Args:
            name: Path of the file relative to the folder that is anonymized, with forward slashes.
            first: Index of the first image in the file, from 0.
            images: (H, W, 3) uint8, BGR, all of one size.

        Returns:
            For each image (n, 5) float: x y w h in pixels, score; or (n, 15) float: the same, then x y of five
            landmarks (`facade.networks.protocol.FaceDetector`), all NaN where a face has none.
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
        device: "cpu" or "cuda".
        synthetic: Whether it was trained on rendered photographs alone.
    """

    weights: Path
    sha256: str
    detector: Detector
    detect: Detect
    device: str = FOOTAGE_DEVICE
    synthetic: bool = False

    @property
    def key(self) -> str:
        """See `BoxSource.key`."""
        return f"{self.sha256} {self.detect!r} {self.device}"

    @property
    def preload(self) -> tuple[str, ...]:
        """See `BoxSource.preload`."""
        return ("facade.detector.model", "facade.detector.data")

    @property
    def description(self) -> dict[str, Any]:
        """See `BoxSource.description`."""
        return {
            "name": f"{self.weights.parent.name}/{self.weights.name}", "sha256": self.sha256, "size": self.detect.size,
            "device": self.device,
        }  # fmt: skip

    @property
    def warning(self) -> str | None:
        """See `BoxSource.warning`."""
        return None

    @property
    def rendered_only(self) -> str | None:
        """See `BoxSource.rendered_only`."""
        return str(self.weights.parent) if self.synthetic else None

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `BoxSource.faces`."""
        del name, first
        with one_torch_thread():
            detector = load_detector(self.weights, self.sha256, self.detector, self.detect, self.device)
            detections = detector.detect(images)
        return [_with_area(rows) for rows in detections]


@dataclass(frozen=True)
class NetworkBoxes:
    """Boxes from one or several face detectors that the user named (`open_boxes`).

    Attributes:
        detectors: The detectors. Several are joined, with scores on a common scale (`facade.networks.joined`).
        min_score: Detections with a lower score are dropped.
        tiles: Whether large pictures are detected in tiles, too.
    """

    detectors: tuple[NamedDetector, ...]
    min_score: float
    tiles: bool

    @property
    def key(self) -> str:
        """See `BoxSource.key`."""
        parts = [
            (one.sha256, one.threshold, one.size, one.runs_on, one.arm) for one in self.detectors
        ]  # fmt: skip
        return f"{parts!r} {self.min_score!r} {self.tiles!r}"

    @property
    def preload(self) -> tuple[str, ...]:
        """See `BoxSource.preload`."""
        modules = {"facade.networks.sessions"}
        for one in self.detectors:
            if one.arm is not None:
                modules |= {"facade.detector.model", "facade.detector.data"}
            elif one.runs_on in ("cpu", "cuda"):  # by torch
                modules.add("torch")
        return tuple(sorted(modules))

    @property
    def description(self) -> dict[str, Any]:
        """See `BoxSource.description`."""
        every = [
            {
                "name": one.network, "sha256": one.sha256, "size": one.size or (one.card and one.card.size),
                "device": one.runs_on, "min_score": one.threshold,
            }
            for one in self.detectors
        ]  # fmt: skip
        tiles = {"tiles": True} if self.tiles else {}
        return (every[0] if len(every) == 1 else {"joined": every}) | tiles

    @property
    def warning(self) -> str | None:
        """See `BoxSource.warning`. Detectors that are joined are fit if one of them is not known to be unfit."""
        unfit = [one for one in self.detectors if one.card is not None and one.card.fit_for_real_people is False]
        if len(unfit) < len(self.detectors):
            return None
        return (
            f"{', '.join(one.network for one in unfit)} is not fit to anonymize real people: it misses too many faces. "
            "Name another detector, as in --detector yunet.onnx (docs/detectors.md), or add --synthetic if no real "
            "people are shown. The exit code will be 3."
        )

    @property
    def rendered_only(self) -> str | None:
        """See `BoxSource.rendered_only`. Of detectors that are joined, one that has seen others suffices."""
        if self.warning is None or any(one.arm is None for one in self.detectors):
            return None
        return ", ".join(str(Path(one.name).parent) for one in self.detectors)

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `BoxSource.faces`."""
        del name, first
        detector = build_detector(self.detectors, self.tiles)
        return [_with_area(detector.detect(image, self.min_score)) for image in images]


def _with_area(rows: np.ndarray) -> np.ndarray:
    """Detections to treat, rounded. Boxes without an area cover nothing."""
    return rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)].round(3)


def open_boxes(
    detectors: Sequence[str], min_score: float | None, size: int | None, tiles: bool, device: str, params: Params
) -> tuple[BoxSource, float]:  # fmt: skip
    """Boxes from the detectors that a user named, and the score threshold of a face.

    Args:
        detectors: One or more names: a file (`facade.networks.open_detector`), `models/<arm>` of the experiment, or
            `module:factory`. `NAME@0.4` sets the threshold of one of several.
        min_score: Score threshold; None for the one that the weights were measured with. Several detectors are joined
            on a common scale, on which each one's own threshold is .5: there, `min_score` is on that scale.
        size: Longest side that pictures are resized to, pixels; None for that of the training or the network's own.
        tiles: Whether pictures of more than twice the size of a tile are detected in tiles, too.
        device: "auto" for a GPU if there is one, "cpu" or "cuda".
        params: All of params.yaml; its section `detect` counts for `models/<arm>`.

    Returns:
        The source. Its `detectors` hold the sha256, threshold and card of each.

    Raises:
        FacadeError: A detector is missing or damaged, has no threshold, or does not run on the device.
    """
    if not detectors:
        raise FacadeError("no detector is named. Name one, as in --detector faces.onnx.")
    single = min_score if len(detectors) == 1 else None
    named = tuple(
        _named_arm(one, single, size, device, params.detect)
        if Path(split_threshold(one)[0]).is_dir()
        else name_detector(one, single, size, device)
        for one in detectors
    )
    threshold = COMMON_THRESHOLD if min_score is None else min_score
    if len(named) == 1:
        (one,) = named
        threshold = one.threshold
        if one.arm is not None and not tiles:
            # In batches, as the experiment does.
            unfit = one.card is not None and one.card.fit_for_real_people is False
            boxes = DetectedBoxes(Path(one.name), one.sha256, one.arm.detector, one.arm.detect, one.runs_on, unfit)
            return boxes, threshold
    return NetworkBoxes(named, LOW_CONFIDENCE * threshold, tiles), threshold


def _named_arm(text: str, min_score: float | None, size: int | None, device: str, detect: Detect) -> NamedDetector:
    name, own = split_threshold(text)
    models = Path(name)
    threshold = own if own is not None else min_score
    if not (models / "model.json").is_file():
        raise FacadeError(f"{models} is a folder without model.json, so it is no models/<arm> of an experiment.")
    if threshold is None:
        threshold = operating_threshold(models)
    boxes = detector_boxes(models, None, LOW_CONFIDENCE * threshold, size, detect)
    runs_on = torch_device(device)
    run = ArmRun(boxes.detector, boxes.detect)
    card = DetectorCard(models.name, fit_for_real_people=False if boxes.synthetic else None)
    return NamedDetector(str(boxes.weights), models.name, boxes.sha256, threshold, size, device, runs_on, card, arm=run)


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
    synthetic = description.get("synthetic") is True
    return DetectedBoxes(weights, sha256_of(weights), detector, own, synthetic=synthetic)


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
