"""Image tiles of missed faces for the report. Of real people, it shows silhouettes only."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np

from facade.anonymize.region import widen_box
from facade.dataset import Photographs
from facade.dataset.records import Box
from facade.measure.false_negatives import FalseNegative

SHOWN = 24
# Side of the crop, in longer sides of the face box, and longest side of a tile, pixels.
CROP_FACTOR, TILE_SIZE = 1.8, 144
# In photographs of real people, every labelled face is painted over before anything else happens, because a mosaic of
# a face can be linked to it (docs/privacy.md). The rest is a mosaic with this many cells per side, which also covers
# faces without a label. What tells why a face was missed stays: its size and shape, colors around it, the crowd.
CELLS = 8
# Percent by which a silhouette is wider and higher than the face's box, and its color, BGR.
SILHOUETTE_WIDEN, SILHOUETTE_COLOR = 15.0, (150, 150, 150)


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
        show: Whether tiles may show people unmodified; otherwise they are silhouettes in mosaics.
    """
    photographs = {photograph.file: photograph for photograph in golden}
    tiles = []
    for one in missed[:SHOWN]:
        photograph, bbox = photographs[one.file], one.face["bbox"]
        pixels = golden.pixels(photograph)
        picture = crop(pixels, bbox) if show else silhouettes(pixels, [face.bbox for face in photograph.faces], bbox)
        height = bbox[3]
        what = "a missed face" if show else "silhouette of a missed face"
        alt = f"{what}, {height:.0f} pixels high, missed by {100 * one.share:.0f} % of the runs"
        tiles.append(Tile(data_uri(_jpeg(picture), "image/jpeg"), alt, height, 100 * one.share, one.best_score))
    return tiles


def silhouettes(image: np.ndarray, faces: Sequence[Box], bbox: Sequence[float]) -> np.ndarray:
    """The crop around a face as a mosaic, with the silhouettes of all faces in it and a frame around this one.

    Args:
        image: (H, W, 3) uint8, BGR.
        faces: Boxes of all labelled faces of the photograph, x y w h in pixels.
        bbox: The box to crop around.

    Returns:
        (h, w, 3) uint8, BGR. No pixel of a labelled box went into it.
    """
    covered, painted = np.zeros(image.shape[:2], np.uint8), image.copy()
    for face in faces:
        x, y, w, h = widen_box(face, SILHOUETTE_WIDEN)
        cv2.ellipse(covered, ((x + w / 2, y + h / 2), (max(w, 1), max(h, 1)), 0), 255, cv2.FILLED)
        painted[max(floor(y), 0) : ceil(y + h), max(floor(x), 0) : ceil(x + w)] = SILHOUETTE_COLOR
    tile = mosaic(crop(painted, bbox))
    tile[crop(covered, bbox) > 127] = SILHOUETTE_COLOR
    framed = np.zeros(image.shape[:2], np.uint8)
    x, y, w, h = (round(value) for value in bbox)
    framed[max(y, 0) : y + h, max(x, 0) : x + w] = 255
    outlines, _ = cv2.findContours(
        (crop(framed, bbox) > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    return cv2.drawContours(tile, outlines, -1, (0, 0, 0), 1)


def mosaic(picture: np.ndarray) -> np.ndarray:
    """The picture reduced to `CELLS` by `CELLS` flat cells, at its original size, (h, w, 3) uint8."""
    small = cv2.resize(picture, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_NEAREST)


def data_uri(content: bytes, kind: str) -> str:
    """A file as a `data:` URI, so that the page is self-contained."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def crop(image: np.ndarray, bbox: Sequence[float]) -> np.ndarray:
    """A face with its surroundings, of (H, W) or (H, W, 3) uint8; the longest side is `TILE_SIZE` pixels.

    `bbox` is x y w h.
    """
    x, y, w, h = bbox
    half = max(CROP_FACTOR * max(w, h) / 2, 4)
    top, left = int(max(y + h / 2 - half, 0)), int(max(x + w / 2 - half, 0))
    part = image[top : int(y + h / 2 + half) + 1, left : int(x + w / 2 + half) + 1]
    scale = TILE_SIZE / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()
