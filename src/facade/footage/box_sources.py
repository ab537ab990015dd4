"""Where faces come from: a trained detector, or boxes that somebody gives."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facade.detector.infer import load_model
from facade.errors import FacadeError
from facade.files import read_json, sha256_of
from facade.parallel import one_torch_thread
from facade.params import Detect, Detector

# Score from which a detection may go on with a track that surer ones began, as a share of the operating threshold.
UNSURE = 0.3


class Finder(Protocol):
    """Says where faces are."""

    @property
    def key(self) -> str:
        """Changes with whatever it may find."""
        ...

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules that it imports when it first looks, and that take much memory."""
        ...

    def find(self, name: str, first: int, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Faces in pictures of a file.

        Args:
            name: The file, as the person who runs Facade names it, below the folder that was given.
            first: Number of the first picture in it, from 0.
            pictures: (H, W, 3) uint8, BGR, all of one size.

        Returns:
            For each picture (n, 5) float: x y w h in pixels, score.
        """
        ...


@dataclass(frozen=True)
class Trained:
    """A detector of the experiment.

    Attributes:
        weights: `models/<arm>/seed-<n>.pth`; `model.json` beside it says what it is.
        content: The sha256 of that file: another machine may have another one under that name.
        detect: How it is run: at which size, and from which score on detections are given.
    """

    weights: Path
    content: str
    detect: Detect

    @property
    def key(self) -> str:
        """Of the weights, and how they are run."""
        return f"{self.content} {self.detect!r}"

    @property
    def imports(self) -> tuple[str, ...]:
        """See `Finder.imports`."""
        return ("facade.detector.model", "facade.detector.data")

    def find(self, name: str, first: int, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `Finder.find`."""
        del name, first
        model = _model(self.weights, self.content, self.detect)
        import torch
        from mmengine.dataset import Compose, pseudo_collate

        from facade.detector.data import detection_steps

        steps = Compose(detection_steps(self.detect))
        with one_torch_thread(), torch.no_grad():
            answers = model.test_step(pseudo_collate([steps({"img": picture, "img_id": 0}) for picture in pictures]))
        found = []
        for answer in answers:
            boxes = answer.pred_instances.bboxes.cpu().numpy().astype(float)
            scores = answer.pred_instances.scores.cpu().numpy().astype(float)
            rows = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores])
            # Where people see nothing there is nothing to treat.
            found.append(rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)].round(3))
        return found


def trained(models: Path, seed: int | None, least: float, size: int | None, detect: Detect) -> Trained:
    """A detector of the experiment.

    Args:
        models: `models/<arm>`.
        seed: Which run; None for the first.
        least: Score from which detections are given.
        size: Longest side that pictures are resized to; None for that of the training.
        detect: The section of params.yaml.

    Raises:
        FacadeError: There is no such model.
    """
    told = read_json(models / "model.json")
    try:
        seeds, trained_at = told["train"]["seeds"], told["size"]
        seed = seeds[0] if seed is None else seed
    except (KeyError, TypeError, IndexError):
        raise FacadeError(f"{models / 'model.json'} is not what `dvc repro` writes. Run it again.") from None
    weights = models / f"seed-{seed}.pth"
    if not weights.is_file():
        raise FacadeError(f"{weights} is missing; {models} holds seeds {', '.join(map(str, seeds))}.")
    return Trained(weights, sha256_of(weights), detect.model_copy(update={"size": size or trained_at, "score": least}))


def operating_threshold(models: Path, metrics: Path = Path("metrics/golden.json")) -> float:
    """The score at which an arm's detectors are used, mean over the seeds, as the experiment measured it.

    Raises:
        FacadeError: It was not measured.
    """
    try:
        value = read_json(metrics)[read_json(models / "model.json")["arm"]]["threshold"] if metrics.is_file() else None
    except (KeyError, TypeError):
        value = None
    if not isinstance(value, float) or not 0 < value < 1:
        raise FacadeError(f"the operating threshold of {models} was not measured. Name one, as in --score 0.3.")
    return value


@dataclass(frozen=True)
class Given:
    """Boxes that somebody gives: of them all are sure.

    Attributes:
        boxes: By file and number of the picture, (n, 4) float, x y w h in pixels.
        files: All that are named, those without a box among them.
        path: The COCO file that says so.
    """

    boxes: dict[tuple[str, int], np.ndarray]
    files: frozenset[str]
    path: Path

    @property
    def key(self) -> str:
        """Of the COCO file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def imports(self) -> tuple[str, ...]:
        """See `Finder.imports`."""
        return ()

    def check(self, names: Iterable[str]) -> None:
        """Refuse files that are not named: a name written differently would leave everybody as they are.

        Args:
            names: The files that are to be anonymized.

        Raises:
            FacadeError: One of them is not named.
        """
        if missing := sorted(set(names) - self.files):
            raise FacadeError(
                f"{self.path} says nothing of {missing[0]}. Name it among the images, without annotations if it shows "
                "nobody."
            )

    def check_count(self, name: str, count: int) -> None:
        """Refuse boxes of pictures that a file does not have.

        Raises:
            FacadeError: There is one.
        """
        beyond = [frame for file, frame in self.boxes if file == name and not 0 <= frame < count]
        if beyond:
            raise FacadeError(f"boxes are given for picture {beyond[0]} of {name}, which has {count}, counted from 0.")

    def find(self, name: str, first: int, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `Finder.find`."""
        none = np.zeros((0, 4))
        here = [self.boxes.get((name, first + number), none) for number in range(len(pictures))]
        return [np.column_stack([rows, np.ones(len(rows))]) for rows in here]


def given(path: Path) -> Given:
    """Boxes of a COCO file: `file_name` is relative to the folder that is anonymized; in videos, `frame` counts from 0.

    Raises:
        FacadeError: The file is missing, or is no COCO file.
    """
    content = read_json(path)
    try:
        places = {image["id"]: (str(image["file_name"]), int(image.get("frame", 0))) for image in content["images"]}
        boxes: dict[tuple[str, int], list[Any]] = {}
        for one in content["annotations"]:
            x, y, w, h = (float(value) for value in one["bbox"])
            if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
                raise FacadeError(f"{path}: annotation {one.get('id')} has the box {one['bbox']}, which has no area.")
            boxes.setdefault(places[one["image_id"]], []).append((x, y, w, h))
    except (KeyError, TypeError, ValueError) as error:
        raise FacadeError(f"{path} is no COCO file of boxes ({type(error).__name__}: {error}). Mend it.") from None
    files = frozenset(name for name, _ in places.values())
    return Given({place: np.array(rows) for place, rows in boxes.items()}, files, path)


@lru_cache(maxsize=16)  # the runs of a few arms
def _model(weights: Path, content: str, detect: Detect) -> Any:
    if not weights.is_file() or sha256_of(weights) != content:
        raise FacadeError(f"{weights} is not, on {os.uname().nodename}, the file that it is where the work began.")
    told = read_json(weights.parent / "model.json")
    return load_model(weights, Detector.model_validate(told["detector"]), detect, "cpu")
