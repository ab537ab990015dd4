"""Drawn data sets whose labels can be checked against their pixels: faces are white, everything else is dark."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facade.dataset import Photographs
from facade.dataset.ingest import ingest
from facade.errors import FacadeError
from facade.params import Params

# How Pillow stores a picture so that a viewer that applies an EXIF orientation shows it upright.
STORE = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
# White pixels are faces.
WHITE = 200
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawn:
    """A drawn photograph: its name without ending, its upright pixels (H, W, 3), and its faces x y w h."""

    name: str
    split: str
    pixels: np.ndarray
    boxes: tuple[Box, ...]

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    def stored(self, orientation: int) -> Image.Image:
        picture = Image.fromarray(self.pixels)
        return picture if STORE[orientation] is None else picture.transpose(STORE[orientation])

    def stored_boxes(self, orientation: int) -> list[Box]:
        """Where the faces are in the stored picture, found there."""
        return [
            whites(np.asarray(Drawn("", "", paint(np.zeros_like(self.pixels), [box]), ()).stored(orientation)))
            for box in self.boxes
        ]

    def save(self, path: Path, orientation: int = 1) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = orientation
        self.stored(orientation).save(path, quality=95, subsampling=0, exif=exif)


def paint(pixels: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    painted = pixels.copy()
    for x, y, w, h in boxes:
        painted[y : y + h, x : x + w] = 255
    return painted


def whites(pixels: np.ndarray) -> Box:
    """The box around all white pixels."""
    rows, columns = np.nonzero(pixels[..., 0] > WHITE)
    left, top = int(columns.min()), int(rows.min())
    return left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top


def background(width: int, height: int, seed: int) -> np.ndarray:
    """A dark picture that a perceptual hash tells from others, whatever is painted on it."""
    rough = np.random.default_rng(seed).integers(0, 160, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR)


def draw(train: int = 6, golden: int = 4, size: tuple[int, int] = (160, 96)) -> list[Drawn]:
    """Photographs with one to three faces each, of different sizes, some of them far to the right."""
    width, height = size
    drawn = []
    for number in range(train + golden):
        boxes: list[Box] = [(8 + 3 * number, 10, 20, 24), (width - 40, height - 40 - number, 22, 28), (60, 50, 18, 20)]
        boxes = boxes[: 1 + number % 3]
        split = "train" if number < train else "golden"
        pixels = paint(background(width, height, number), boxes)
        drawn.append(Drawn(f"{split}_{number:03}", split, pixels, tuple(boxes)))
    return drawn


@dataclass(frozen=True)
class Ingested:
    """What ingest wrote."""

    counts: dict
    out: Path

    @property
    def photographs(self) -> list[tuple[Photographs, object]]:
        return [
            (photographs, one)
            for split in ("train", "golden")
            for photographs in [Photographs(self.out / split)]
            for one in photographs
        ]

    @property
    def quarantine(self) -> dict[str, str]:
        with (self.out / "quarantine.csv").open(newline="") as text:
            return {row["photograph"]: row["reason"] for row in csv.DictReader(text)}

    @property
    def faces(self) -> int:
        return self.counts["train"]["faces"] + self.counts["golden"]["faces"]

    def right_boxes(self) -> int:
        """Number of boxes that lie on a white face, and on nothing else, to a pixel."""
        right = 0
        for photographs, one in self.photographs:
            white = photographs.pixels(one)[..., 0] > WHITE
            for face in one.faces:
                x, y, w, h = (round(value) for value in face.bbox)
                inside = white[y : y + h, x : x + w]
                around = white[max(0, y - 4) : y + h + 4, max(0, x - 4) : x + w + 4]
                right += bool(inside.mean() > 0.9 and around.sum() < inside.size * 1.2)
        return right

    def assert_everything_is_accounted_for(self) -> None:
        """What the labels hold is taken, refused or counted; nothing is lost and nothing is new."""
        counts, labels = self.counts, self.counts["labels"]
        assert labels["annotations"] == (
            self.faces + counts["boxes_dropped"] + labels["other_categories"] + labels["in_quarantined"]
            + labels["in_near_duplicates"] + labels["without_box"]
        ), counts  # fmt: skip


def run_ingest(root: Path, out: Path, params: Params, **changes: object) -> Ingested:
    """Ingest a data set with one process, and accept its golden set. Only equal photographs are near-duplicates."""
    settings = params.ingest.model_copy(update={"path": root, "duplicate_distance": 0, **changes})
    outputs = (out / "train", out / "golden", out / "quarantine.csv")
    try:
        return Ingested(ingest(settings, params.codec, *outputs, workers=1), out)
    except FacadeError as error:
        if "golden_lock=" not in str(error):
            raise
        lock = str(error).partition("golden_lock=")[2][:16]
    return Ingested(ingest(settings.model_copy(update={"golden_lock": lock}), params.codec, *outputs, workers=1), out)


def write_json(path: Path, content: object, mark: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mark + json.dumps(content).encode())


def coco_content(
    drawn: Sequence[Drawn],
    name: Callable[[Drawn], str] = lambda one: f"{one.name}.jpg",
    categories: Sequence[str] = ("face",),
    **extra: object,
) -> dict:
    """The content of a COCO file; the faces take turns in the categories."""
    images, annotations = [], []
    for number, one in enumerate(drawn, 1):
        images.append({"id": number, "file_name": name(one), "width": one.size[0], "height": one.size[1]})
        for box in one.boxes:
            category = len(annotations) % len(categories) + 1
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": category, "bbox": list(box), **extra}
            )
    listed = [{"id": number, "name": category} for number, category in enumerate(categories, 1)]
    return {"images": images, "annotations": annotations, "categories": listed}


def parts(drawn: Sequence[Drawn]) -> dict[str, list[Drawn]]:
    return {split: [one for one in drawn if one.split == split] for split in ("train", "golden")}
