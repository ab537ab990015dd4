"""Photographs made to look like those of another camera, with their labels."""

from dataclasses import replace

import numpy as np

from facade.camera.camera import through
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Box, Face, Split, touches_border
from facade.params import Domain
from facade.seeds import generator

# Points round a face that are followed: enough that none between two reaches noticeably farther.
OUTLINE = 64
# A face that is smeared over more than this share of its smaller side is ignored.
STREAK = 0.5


def domain_of(source: str, split: Split, settings: Domain) -> str:
    """The domain of a photograph, chosen by its content, so that adding others changes none; "" where none is wanted.

    Args:
        source: sha256 of its file.
        split: Which part it belongs to.
        settings: The domains of each part.
    """
    names = settings.train if split == "train" else settings.golden
    if not names:
        return ""
    return names[int(generator("domain", split, source).integers(len(names)))]


def in_domain(
    pixels: np.ndarray, faces: tuple[Face, ...], domain: str, settings: Domain, source: str
) -> tuple[np.ndarray, tuple[Face, ...]]:
    """A photograph and its faces through the camera of a domain; labels may need to be cleaned again.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        faces: Its labels.
        domain: As `domain_of` chose it.
        settings: How strong each domain is.
        source: sha256 of its file, from which its chance comes.

    Raises:
        BadPhotographError: It is too large for it.
    """
    try:
        seen = through(domain, pixels, settings, generator("camera", source))
    except ValueError as error:
        raise BadPhotographError(str(error)) from None
    moved = []
    for face in faces:
        points = face.keypoints
        if points is not None:
            points = tuple((float(x), float(y)) for x, y in seen.moved(np.array(points)))
        cut = face.cut or touches_border(face.bbox, pixels.shape)
        outline = seen.moved(_rectangle(face.bbox) if cut else _ellipse(face.bbox))
        smear = np.array(seen.smear) / 2
        (left, top), (right, bottom) = outline.min(0) - smear, outline.max(0) + smear
        box = (float(left), float(top), float(right - left), float(bottom - top))
        # A streak has no box that two people would draw alike.
        streak = max(seen.smear) > STREAK * min(outline.max(0) - outline.min(0))
        moved.append(replace(face, bbox=box, keypoints=points, cut=cut, ignore=face.ignore or bool(streak)))
    return seen.pixels, tuple(moved)


def _rectangle(box: Box) -> np.ndarray:
    """Points round what is left of a face that the border cut: all of its box, (N, 2)."""
    x, y, width, height = box
    along = np.linspace(0, 1, OUTLINE // 4, endpoint=False)
    zero, one = np.zeros_like(along), np.ones_like(along)
    across = np.concatenate([along, one, 1 - along, zero])
    down = np.concatenate([zero, along, one, 1 - along])
    return np.stack([x + width * across, y + height * down], axis=1)


def _ellipse(box: Box) -> np.ndarray:
    """Points round a face: the ellipse in its box, (N, 2). A box's own corners hold no face."""
    x, y, width, height = box
    turn = np.linspace(0, 2 * np.pi, OUTLINE, endpoint=False)
    return np.stack([x + width / 2 * (1 + np.cos(turn)), y + height / 2 * (1 + np.sin(turn))], axis=1)
