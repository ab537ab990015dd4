"""Boxes of faces from a COCO file, instead of a detector; checked against the pictures that they are for."""

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from facade.dataset.orientation import Stored, upright_landmarks
from facade.dataset.pixels import upright_points
from facade.dataset.records import Frame
from facade.errors import FacadeError
from facade.files import read_json

# Sizes are of one picture, scaled, if they agree within this many pixels: that of rounding.
ROUNDING = 1.0


@dataclass(frozen=True)
class LabelledBoxes:
    """Boxes from a COCO file; each has the score 1.

    Attributes:
        boxes: By file name and frame, (n, 4) float, x y w h in pixels.
        files: Names of all images of the COCO file, those without a box included.
        path: The COCO file.
        sizes: Width and height of images by file name and frame, where the COCO file gives them.
        convention: What boxes of turned photographs refer to, if other photographs of the same COCO file tell.
        keypoints: By file name and frame, (n, 10) float, five landmarks x y in pixels; NaN where an annotation has
            none. Frames without any are left out.
    """

    boxes: dict[tuple[str, int], np.ndarray]
    files: frozenset[str]
    path: Path
    sizes: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    convention: Frame | None = None
    keypoints: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """See `box_sources.BoxSource.key`."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def preload(self) -> tuple[str, ...]:
        """See `box_sources.BoxSource.preload`."""
        return ()

    @property
    def description(self) -> dict[str, Any]:
        """See `box_sources.BoxSource.description`."""
        return {"name": self.path.name, "sha256": self.key}

    @property
    def warning(self) -> str | None:
        """See `box_sources.BoxSource.warning`. Whoever labels the faces is responsible for them."""
        return None

    @property
    def rendered_only(self) -> str | None:
        """See `box_sources.BoxSource.rendered_only`."""
        return None

    @cached_property
    def _frames(self) -> dict[str, list[int]]:
        frames: dict[str, list[int]] = {}
        for name, frame in dict.fromkeys([*self.boxes, *self.sizes]):
            frames.setdefault(name, []).append(frame)
        return frames

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Names as the COCO file spells them, by their plain spelling; those that two share are left out."""
        spellings: dict[str, str] = {}
        shared = set()
        for name in self.files:
            plain = _plain(name)
            shared.update({plain} & spellings.keys())
            spellings[plain] = name
        return {plain: name for plain, name in spellings.items() if plain not in shared}

    def spelled(self, name: str) -> str:
        """A file's name as the COCO file spells it: Windows writes backslashes, macOS decomposes accented letters."""
        return name if name in self.files else self._spellings.get(_plain(name), name)

    @cached_property
    def _containers(self) -> frozenset[str]:
        """Plain spellings of what is before the last slash of a name: a folder, or a video of several streams."""
        return frozenset(_plain(name).rpartition("/")[0] for name in self.files)

    def lists_streams(self, name: str) -> bool:
        """Whether the COCO file lists streams of a video (`facade.footage.job.stream_names`)."""
        return _plain(name) in self._containers

    def check_streams(self, name: str, streams: Sequence[str]) -> None:
        """Refuse boxes that name a video of several streams, of which one or the other may be meant; or other streams.

        Args:
            name: See `Job.name`.
            streams: The names of its streams.

        Raises:
            FacadeError: There is such a box.
        """
        spelled, known = self.spelled(name), {_plain(stream) for stream in streams}
        if len(streams) > 1 and spelled in self.files:
            raise FacadeError(
                f"{name} has {len(streams)} video streams, and {self.path} does not tell of which its boxes are. "
                f"Write {' and '.join(streams)} in place of {spelled}."
            )
        inside = (one for one in self.files if self.lists_streams(name) and _plain(one).startswith(f"{_plain(name)}/"))
        if unknown := sorted(one for one in inside if _plain(one) not in known):
            raise FacadeError(f"{self.path} has boxes for {unknown[0]}, but {name} has no such video stream.")

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse files that the COCO file does not list: a misspelled name would leave every face in it visible.

        Args:
            names: The files to anonymize.

        Raises:
            FacadeError: One of them is not listed.
        """
        if missing := sorted({name for name in names if self.spelled(name) not in self.files}):
            raise FacadeError(
                f"{self.path} does not list {missing[0]}. Add it to its images, without annotations if it has no face."
            )

    def check_count(self, name: str, count: int) -> None:
        """Refuse boxes of frames that a file does not have.

        Raises:
            FacadeError: There is such a box.
        """
        beyond = [frame for frame in self._frames.get(self.spelled(name), []) if not 0 <= frame < count]
        if beyond:
            raise FacadeError(f"{self.path} has boxes for frame {beyond[0]} of {name}, which has {count} (from 0).")

    def placed(self, name: str, stored: Stored, video: bool) -> "LabelledBoxes":
        """The boxes of one file, moved to where its faces are seen.

        Labelling tools that ignore the orientation of a picture give boxes of the picture as it is stored; others give
        them as it is shown. Others yet label a smaller or larger copy. The size of the image in the COCO file tells, or
        where boxes can lie, or other photographs (see `settled`).

        Args:
            name: See `Job.name`.
            stored: How the pictures of the file are stored.
            video: Whether the file is a video. Programs that take videos apart set frames upright, so the boxes are for
                frames as they are shown if nothing else tells.

        Raises:
            FacadeError: The size does not fit, a box lies beside the picture, or what boxes refer to is not certain.
        """
        spelled = self.spelled(name)
        frames = self._frames.get(spelled, [])
        boxes: dict[tuple[str, int], np.ndarray] = {}
        keypoints: dict[tuple[str, int], np.ndarray] = {}
        if frames:
            size = self._size(spelled, frames)
            rows = np.concatenate([self.boxes.get((spelled, frame), np.zeros((0, 4))) for frame in frames])
            fitting = _conventions(rows, size, stored)
            if not fitting:
                raise FacadeError(self._misfit(name, rows, size, stored))
            convention = self._convention(name, stored, fitting, bool(len(rows)), video)
            for frame in frames:
                if (spelled, frame) in self.boxes:
                    moved = _moved(self.boxes[spelled, frame], size, stored, convention)
                    boxes[name, frame] = moved
                if (spelled, frame) in self.keypoints:
                    points = self.keypoints[spelled, frame]
                    keypoints[name, frame] = _moved_landmarks(points, size, stored, convention)
        files = frozenset([name]) if spelled in self.files else frozenset()
        return replace(self, boxes=boxes, files=files, sizes={}, keypoints=keypoints)

    def _size(self, name: str, frames: Sequence[int]) -> tuple[float, float] | None:
        sizes = {self.sizes[name, frame] for frame in frames if (name, frame) in self.sizes}
        if len(sizes) > 1:
            (one, other, *_) = sorted(sizes)
            raise FacadeError(
                f"{self.path} gives {name} the sizes {_text(one)} and {_text(other)}. Correct its width and height."
            )
        return next(iter(sizes), None)

    def _convention(self, name: str, stored: Stored, fitting: list[Frame], has_boxes: bool, video: bool) -> Frame:
        if len(fitting) == 1 or not has_boxes:
            return fitting[0]
        if video:
            return "upright"
        if self.convention is not None:
            return self.convention
        raise FacadeError(
            f"{name} is stored turned (EXIF orientation {stored.orientation}), and {self.path} does not tell whether "
            "boxes are for the picture as stored or as shown. If as shown, turn the pixels (`mogrify -auto-orient`); "
            "if as stored, remove the orientation (`exiftool -Orientation=`)."
        )

    def _misfit(self, name: str, rows: np.ndarray, size: tuple[float, float] | None, stored: Stored) -> str:
        if size is not None and not _sizes_fit(size, stored):
            return (
                f"{self.path} gives {name} the size {_text(size)}, but it has {_text(stored.upright)} pixels. Its "
                "boxes would miss the faces. Make boxes for this picture, or correct width and height."
            )
        beside = next(row for row in rows if not len(_conventions(row[None], size, stored)))
        box = ", ".join(f"{value:g}" for value in beside)
        return (
            f"{self.path} has the box [{box}] for {name}, which lies outside of its {_text(stored.upright)} pixels. "
            "Correct the box, or give the image the width and height that boxes are for."
        )

    def settled(self, pictures: Iterable[tuple[str, Stored]]) -> "LabelledBoxes":
        """These boxes, with the convention that the turned photographs with a known one share.

        Args:
            pictures: Names of photographs, and how they are stored.

        Raises:
            FacadeError: Some photographs have boxes as stored, others as shown.
        """
        examples: dict[Frame, str] = {}
        for name, stored in pictures:
            spelled = self.spelled(name)
            rows = self.boxes.get((spelled, 0))
            if stored.orientation != 1 and rows is not None:
                fitting = _conventions(rows, self.sizes.get((spelled, 0)), stored)
                if len(fitting) == 1:
                    examples.setdefault(fitting[0], name)
        if len(examples) > 1:
            raise FacadeError(
                f"{self.path} has boxes of {examples['stored']} for the picture as stored, but those of "
                f"{examples['upright']} for the picture as shown. Correct one of them, or anonymize them one by one."
            )
        return replace(self, convention=next(iter(examples), None))

    def faces(self, name: str, first: int, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `box_sources.BoxSource.faces`."""
        none = np.zeros((0, 4))
        found = []
        for number in range(len(images)):
            rows = self.boxes.get((name, first + number), none)
            points = self.keypoints.get((name, first + number), np.zeros((len(rows), 0)))
            found.append(np.column_stack([rows, np.ones(len(rows)), points]))
        return found


def read_boxes(path: Path) -> LabelledBoxes:
    """Boxes of a COCO file.

    Args:
        path: The file. `file_name` is relative to the folder that is anonymized. An image of a video has a `frame`,
            counted from 0. `width` and `height` are those of the picture that the boxes are for. An annotation may
            have `keypoints`: five landmarks, all visible.

    Raises:
        FacadeError: The file is missing, or is no COCO file.
    """
    content = read_json(path)
    try:
        images: dict[str, tuple[str, int]] = {}
        sizes: dict[tuple[str, int], tuple[float, float]] = {}
        for image in content["images"]:
            if str(image["id"]) in images:
                raise FacadeError(f"{path} gives two images the id {image['id']}. Make the ids of images unique.")
            picture = (str(image["file_name"]), int(image.get("frame", 0)))
            images[str(image["id"])] = picture
            if image.get("width") and image.get("height"):
                size = (float(image["width"]), float(image["height"]))
                if not 0 < min(size) <= max(size) < np.inf:
                    raise FacadeError(
                        f"{path} gives {picture[0]} the size {_text(size)}. Correct its width and height."
                    )
                if sizes.setdefault(picture, size) != size:
                    raise FacadeError(f"{path} gives {picture[0]} two sizes. Correct its width and height.")
        boxes: dict[tuple[str, int], list[Any]] = {}
        keypoints: dict[tuple[str, int], list[Any]] = {}
        for annotation in content["annotations"]:
            picture_id = str(annotation["image_id"])
            if picture_id not in images:
                raise FacadeError(
                    f"{path}: annotation {annotation.get('id')} is for image {picture_id}, which is not listed."
                )
            boxes.setdefault(images[picture_id], []).append(_box(path, annotation))
            keypoints.setdefault(images[picture_id], []).append(_five_landmarks(annotation))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FacadeError(f"{path} is no COCO file of boxes ({type(error).__name__}: {error}). Correct it.") from None
    files = frozenset(name for name, _ in images.values())
    landmarks = {frame: np.array(rows) for frame, rows in keypoints.items() if not np.isnan(rows).all()}
    in_frames = {frame: np.array(rows) for frame, rows in boxes.items()}
    return LabelledBoxes(in_frames, files, path, sizes, keypoints=landmarks)


def _five_landmarks(annotation: dict[str, Any]) -> list[float]:
    """Ten numbers, x y of five landmarks; NaN where an annotation has no five visible ones."""
    flat = [float(value) for value in annotation.get("keypoints") or []]
    if len(flat) != 15 or not all(flat[2::3]) or not np.isfinite(flat).all():
        return [float("nan")] * 10
    return [value for index, value in enumerate(flat) if index % 3 < 2]


def _box(path: Path, annotation: dict[str, Any]) -> tuple[float, float, float, float]:
    """The box of an annotation; that around its outline if it has no box of its own."""
    bbox, outlines = annotation.get("bbox"), annotation.get("segmentation")
    if bbox is None and isinstance(outlines, list) and outlines:
        points = np.concatenate([np.reshape(np.asarray(outline, float), (-1, 2)) for outline in outlines])
        (left, top), (right, bottom) = points.min(0), points.max(0)
        bbox = [left, top, right - left, bottom - top]
    if bbox is None:
        raise FacadeError(f"{path}: annotation {annotation.get('id')} has no box. Add its bbox, or remove it.")
    x, y, w, h = (float(value) for value in bbox)
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        raise FacadeError(f"{path}: annotation {annotation.get('id')} has the box {bbox}, which has no area.")
    return x, y, w, h


def _plain(name: str) -> str:
    parts = [part for part in unicodedata.normalize("NFC", name).replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts)


def _text(size: tuple[float, float]) -> str:
    return f"{size[0]:g}x{size[1]:g}"


def _is_scaled(size: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether one size is the other times a factor, but for rounding."""
    small, large = sorted([size, other], key=math.prod)
    return any(abs(large[1 - axis] * small[axis] / large[axis] - small[1 - axis]) <= ROUNDING for axis in (0, 1))


def _sizes_fit(size: tuple[float, float], stored: Stored) -> list[Frame]:
    """Pictures that a size may be of: exactly if possible, else scaled."""
    both: tuple[Frame, Frame] = ("upright", "stored")
    exact = [one for one in both if size == stored.frame(one)]
    return exact or [one for one in both if _is_scaled(size, stored.frame(one))]


def _conventions(rows: np.ndarray, size: tuple[float, float] | None, stored: Stored) -> list[Frame]:
    """Pictures of which the size fits, and into which all boxes (n, 4) reach; one if they do not differ."""
    fitting: list[Frame] = ["upright", "stored"] if size is None else _sizes_fit(size, stored)
    if stored.orientation == 1:
        fitting = fitting[:1]
    possible: list[Frame] = []
    for frame in fitting:
        width, height = size or stored.frame(frame)
        x, y, w, h = rows.T
        if ((x < width) & (y < height) & (x + w > 0) & (y + h > 0)).all():
            possible.append(frame)
    return possible


def _moved(rows: np.ndarray, size: tuple[float, float] | None, stored: Stored, frame: Frame) -> np.ndarray:
    """Boxes (n, 4) on the upright picture."""
    corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]]) * _scale(size, stored, frame)
    if frame == "stored":
        corners = upright_points(corners, stored.size, stored.orientation)
    one, other = corners[: len(rows)], corners[len(rows) :]
    low, high = np.minimum(one, other), np.maximum(one, other)
    return np.concatenate([low, high - low], axis=1)


def _moved_landmarks(rows: np.ndarray, size: tuple[float, float] | None, stored: Stored, frame: Frame) -> np.ndarray:
    """Landmarks (n, 10) on the upright picture."""
    points = rows.reshape(-1, 5, 2) * _scale(size, stored, frame)
    if frame == "stored":
        points = np.array([upright_landmarks(one, stored) for one in points])
    return points.reshape(-1, 10)


def _scale(size: tuple[float, float] | None, stored: Stored, frame: Frame) -> np.ndarray:
    """Pixels of a picture for each pixel of the one that was labelled, (2,) float."""
    return np.ones(2) if size is None else np.divide(stored.frame(frame), size)
