"""Pictures of missed faces for the page. Nobody who is real can be known in them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facade.dataset import Photographs
from facade.measure.false_negatives import Miss

SHOWN = 24
# A picture shows this many times the width and height of the face's box, at most so many pixels high.
AROUND, LARGEST = 1.8, 144
# Of real people a picture is a mosaic of so many cells a side: some four across a face, everybody beside it included,
# labelled or not; eight where the face fills its photograph. It still shows light, colours and how much is hidden.
CELLS = 8


@dataclass(frozen=True)
class Tile:
    """One picture of the gallery.

    Attributes:
        source: JPEG as a `data:` URI.
        alt: What the picture shows, in words.
        height: Of the face, pixels.
        missed: Of all runs, how many missed it, percent.
        score: Of the surest detection on it, 0 if there is none.
    """

    source: str
    alt: str
    height: float
    missed: float
    score: float


def gallery(golden: Photographs, missed: Sequence[Miss], show: bool) -> list[Tile]:
    """Tiles of the most surely missed faces.

    Args:
        golden: The golden set.
        missed: Its missed faces, the most surely missed first.
        show: Whether pictures may show people as they are; else they are mosaics.
    """
    photographs = {photograph.file: photograph for photograph in golden}
    tiles = []
    for one in missed[:SHOWN]:
        picture = cut(golden.pixels(photographs[one.file]), one.face["bbox"])
        picture = picture if show else mosaic(picture)
        height = one.face["bbox"][3]
        what = "a missed face" if show else "a missed face, as a mosaic in which nobody can be known"
        alt = f"{what}, {height:.0f} pixels high, missed by {100 * one.share:.0f} % of the runs"
        tiles.append(Tile(data_uri(_jpeg(picture), "image/jpeg"), alt, height, 100 * one.share, one.best_score))
    return tiles


def mosaic(picture: np.ndarray) -> np.ndarray:
    """A picture of `CELLS` by `CELLS` flat cells, as large as before, (h, w, 3) uint8."""
    small = cv2.resize(picture, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_NEAREST)


def data_uri(content: bytes, kind: str) -> str:
    """A file as a URI that holds it, so that the page needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def cut(image: np.ndarray, bbox: Sequence[float]) -> np.ndarray:
    """The surroundings of a face, (h, w, 3) uint8, BGR, the longest side `LARGEST` pixels; bbox is x y w h."""
    x, y, w, h = bbox
    half = max(AROUND * max(w, h) / 2, 4)
    top, left = int(max(y + h / 2 - half, 0)), int(max(x + w / 2 - half, 0))
    part = image[top : int(y + h / 2 + half) + 1, left : int(x + w / 2 + half) + 1]
    scale = LARGEST / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()
