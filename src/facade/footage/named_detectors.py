"""Detectors as users name them: a file, `models/<arm>`, or `module:factory`, each with its score threshold."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from facade.detector.infer import load_detector
from facade.errors import FacadeError
from facade.files import sha256_of
from facade.networks.cards import KNOWN, DetectorCard
from facade.networks.custom import CustomDetector
from facade.networks.joined import join_detectors
from facade.networks.open_detector import open_detector
from facade.networks.protocol import FaceDetector
from facade.networks.tiled import TILE, TiledDetector
from facade.parallel import one_torch_thread
from facade.params import Detect, Detector


@dataclass(frozen=True)
class ArmRun:
    """What a run of `models/<arm>` was trained as, and how it detects."""

    detector: Detector
    detect: Detect


class ArmDetector:
    """A detector of the experiment behind the protocol `FaceDetector`, one picture at a time.

    Its low-confidence detections end at the `min_score` that it was opened with.
    """

    def __init__(self, weights: Path, sha256: str, run: ArmRun, device: str) -> None:
        self.name = weights.parent.name
        self.device = device
        self._detector = load_detector(weights, sha256, run.detector, run.detect, device)

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        with one_torch_thread():
            rows = self._detector.detect([image])[0]
        return rows[rows[:, 4] >= min_score]


@dataclass(frozen=True)
class NamedDetector:
    """A detector with everything that its boxes depend on. It can be sent to worker processes, and is opened there.

    Attributes:
        name: As the user named it; of `models/<arm>`, the file of weights.
        network: Name of the network.
        sha256: Of the file; of `module:factory`, of the module's file and of what the detector says of itself.
        threshold: Score threshold of a face.
        size: Longest side that pictures are resized to, pixels; None for the network's own.
        device: "auto", "cpu" or "cuda".
        runs_on: What runs it there, as "CPUExecutionProvider" or "cuda".
        card: What is known of its weights, or None.
        arm: If it is a run of `models/<arm>`.
    """

    name: str
    network: str
    sha256: str
    threshold: float
    size: int | None
    device: str
    runs_on: str
    card: DetectorCard | None = None
    arm: ArmRun | None = None

    def open(self) -> FaceDetector:
        """The detector.

        Raises:
            FacadeError: The file has changed since it was named, or this machine lacks the device.
        """
        if self.arm is not None:
            return ArmDetector(Path(self.name), self.sha256, self.arm, self.runs_on)
        opened, sha256 = _open(self.name, self.device, self.size)
        if sha256 != self.sha256:
            raise FacadeError(f"{self.name} is not the file that it was when the run began. Run it again.")
        if _runs_on(opened) != self.runs_on:
            raise FacadeError(
                f"{self.name} runs on {_runs_on(opened)} here, but the run began on {self.runs_on}, which rounds "
                "differently. Name the device, as in --device cpu."
            )
        return opened


def name_detector(text: str, min_score: float | None, size: int | None, device: str) -> NamedDetector:
    """A detector in a file of its own, or `module:factory`.

    Args:
        text: The name; `NAME@0.4` sets its own threshold.
        min_score: Its threshold if the name sets none; None for the one that its weights were measured with.
        size: Longest side that pictures are resized to, pixels; None for the network's own.
        device: "auto", "cpu" or "cuda".

    Raises:
        FacadeError: There is no such detector here, or nothing says its threshold.
    """
    name, own = split_threshold(text)
    opened, sha256 = _open(name, device, size)
    inner = _inner(opened)
    card = KNOWN.get(sha256) or getattr(inner, "card", None)
    if isinstance(inner, CustomDetector):
        card = DetectorCard(inner.name, min_score=_custom_threshold(inner))
    threshold = next((one for one in (own, min_score, card and card.min_score) if one is not None), None)
    if threshold is None:
        raise FacadeError(
            f"{name} has no score threshold: nobody has measured these weights, and one of other weights means nothing "
            f"for them. Set it, as in --min-score 0.5; one of several, as in {name}@0.5."
        )
    return NamedDetector(name, opened.name, sha256, threshold, size, device, _runs_on(opened), card)


def split_threshold(text: str) -> tuple[str, float | None]:
    """`NAME@0.4` as the name and its threshold; None if it sets none.

    Raises:
        FacadeError: The threshold is not between 0 and 1.
    """
    name, at, number = text.rpartition("@")
    if not at or Path(text).exists():
        return text, None
    try:
        threshold = float(number)
    except ValueError:
        return text, None
    if not 0 < threshold < 1:
        raise FacadeError(f"{text} sets the threshold {number}. Choose one between 0 and 1, as in {name}@0.5.")
    return name, threshold


@lru_cache(maxsize=4)
def build_detector(detectors: tuple[NamedDetector, ...], tiles: bool) -> FaceDetector:
    """One detector of all, opened once in a process.

    Args:
        detectors: Several are joined (`facade.networks.joined`).
        tiles: Whether large pictures are detected in tiles, too (`facade.networks.tiled`).
    """
    opened = []
    for one in detectors:
        detector = one.open()
        opened.append(TiledDetector(detector, one.size or (one.card and one.card.size) or TILE) if tiles else detector)
    return join_detectors(opened, [one.threshold for one in detectors])


def _inner(opened: FaceDetector) -> FaceDetector:
    """The detector itself, without the wrapper that resizes pictures."""
    return getattr(opened, "detector", opened)


def _runs_on(opened: FaceDetector) -> str:
    return str(getattr(_inner(opened), "device", "its own code"))


def _open(name: str, device: str, size: int | None) -> tuple[FaceDetector, str]:
    """A detector, and its sha256 (`NamedDetector.sha256`)."""
    path = Path(name)
    content = sha256_of(path) if path.is_file() else ""
    opened = _open_cached(name, content, device, size)
    inner = _inner(opened)
    if isinstance(inner, CustomDetector):
        return opened, f"{sha256_of(inner.source)} {inner.key}".strip()
    return opened, content


@lru_cache(maxsize=8)
def _open_cached(name: str, sha256: str, device: str, size: int | None) -> FaceDetector:
    del sha256  # part of the cache key: a changed file is loaded again
    return open_detector(name, device, size)


def _custom_threshold(detector: CustomDetector) -> float | None:
    value = detector.min_score
    if value is not None and not (isinstance(value, int | float) and 0 < value < 1):
        raise FacadeError(f"the detector {detector.spec} has min_score {value!r}. Set a number between 0 and 1.")
    return value
