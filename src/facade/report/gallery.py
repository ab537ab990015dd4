"""Image tiles of missed faces for the report. Real people are shown as mosaics only."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facade.dataset import Photographs
from facade.measure.false_negatives import FalseNegative

SHOWN = 24
# Side of the crop, in longer sides of the face box, and longest side of a tile, pixels.
CROP_FACTOR, TILE_SIZE = 1.8, 144
# Real people are shown as a mosaic with this many cells per side: about four across a face, eight where the face fills
# its photograph. It covers all other faces in the crop, labelled or not. Light, colors and occlusion stay visible.
CELLS = 8


@dataclass(frozen=True)
class Tile:
    """One picture of the gallery.

    Attributes:
        source: JPEG as a `data:` URI.
        alt: Alternative text.
        height: Height of the face, pixels.
        missed: Share of the runs that miss it, percent.
        score: Highest score of a detection on it, 0 if there is none.
    """

    source: str
    alt: str
    height: float
    missed: float
    score: float


def gallery(golden: Photographs, missed: Sequence[FalseNegative], show: bool) -> list[Tile]:
    """Tiles of the hardest missed faces.

    Args:
        golden: The golden set.
        missed: Its missed faces, hardest first.
        show: Whether tiles may show people unmodified; otherwise they are mosaics.
    """
    photographs = {photograph.file: photograph for photograph in golden}
    tiles = []
    for one in missed[:SHOWN]:
        picture = crop(golden.pixels(photographs[one.file]), one.face["bbox"])
        picture = picture if show else mosaic(picture)
        height = one.face["bbox"][3]
        what = "a missed face" if show else "a missed face, as a mosaic"
        alt = f"{what}, {height:.0f} pixels high, missed by {100 * one.share:.0f} % of the runs"
        tiles.append(Tile(data_uri(_jpeg(picture), "image/jpeg"), alt, height, 100 * one.share, one.best_score))
    return tiles


def mosaic(picture: np.ndarray) -> np.ndarray:
    """The picture reduced to `CELLS` by `CELLS` flat cells, at its original size, (h, w, 3) uint8."""
    small = cv2.resize(picture, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_NEAREST)


def data_uri(content: bytes, kind: str) -> str:
    """A file as a `data:` URI, so that the page is self-contained."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def crop(image: np.ndarray, bbox: Sequence[float]) -> np.ndarray:
    """A face with its surroundings, (h, w, 3) uint8, BGR, the longest side `TILE_SIZE` pixels; bbox is x y w h."""
    x, y, w, h = bbox
    half = max(CROP_FACTOR * max(w, h) / 2, 4)
    top, left = int(max(y + h / 2 - half, 0)), int(max(x + w / 2 - half, 0))
    part = image[top : int(y + h / 2 + half) + 1, left : int(x + w / 2 + half) + 1]
    scale = TILE_SIZE / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()
