"""Coverage: whether every face was treated, by a pixel-wise comparison with its source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from facade.dataset import Face
from facade.dataset.records import Box

# The difference of a treated face from its source exceeds that of recoding by this factor (root mean square over the
# box). The difference of recoding is at least a quarter of a gray level.
CODEC_FACTOR, MIN_NOISE = 2.0, 0.25
# Maximum width and height at which details are compared, pixels. Smaller faces are compared at their own size.
MAX_SIDE = 32
# Details are what a Gaussian with this standard deviation removes at that size, pixels: eyes, nose and mouth without
# the shading.
COARSE_SIGMA = 3.0
# Minimum relative change of the details in a treated window. On WIDER FACE the codec changes up to 0.13 in tiny faces
# and 0.02 in large ones; a blur with 2 % of the diagonal, 0.14 and more; a face of another person, 0.42.
MIN_CHANGE = 0.125
# Side of the window in which details are compared, pixels; and the central part of the box that counts, with eyes, nose
# and mouth.
WINDOW, CORE = 5, 0.8
# A face counts as untreated if at least this share of the details in its core is unchanged: the blur of a neighbor, or
# a patch in a corner, changes the box but not the face.
MIN_UNCHANGED = 0.5
# Details below this standard deviation in gray levels, or in fewer pixels per side, cannot identify a person.
MIN_CONTRAST, MIN_SIDE = 0.5, 4

Finding = Literal["treated", "nothing to see", "untreated"]


@dataclass(frozen=True)
class Untreated:
    """An untreated face.

    Attributes:
        file: The photograph.
        number: Index of the face in the labels, counted from 0; unlabelled faces follow the labelled ones.
        bbox: x, y, width, height, in pixels.
    """

    file: str
    number: int
    bbox: Box

    def __str__(self) -> str:
        x, y, w, h = self.bbox
        return f"face {self.number} of {self.file}, at x {x:g} y {y:g}, {w:g} x {h:g} pixels"


def classify_faces(source: np.ndarray, treated: np.ndarray, again: np.ndarray, faces: Sequence[Face]) -> list[Finding]:
    """Classify faces as treated, untreated, or without detail ("nothing to see").

    A face is treated if both its box and its details differ from the source by more than recoding explains: a blur that
    is too weak changes many pixels but hides nobody. A face without detail cannot be recognized, treated or not.

    Args:
        source: The photograph, (H, W, 3) uint8, BGR.
        treated: The treated photograph, decoded from the stored file.
        again: The source, encoded and decoded once more, as a reference for the effect of the codec.
        faces: All faces that had to be treated, including ignored ones.

    Returns:
        One finding per face.
    """
    return [_finding(source, treated, again, face) for face in faces]


def _finding(source: np.ndarray, treated: np.ndarray, recoded: np.ndarray, face: Face) -> Finding:
    rows, columns = box_slices(face.bbox, source.shape)
    before, after, again = (picture[rows, columns].astype(np.float32) for picture in (source, treated, recoded))
    by_codec = max(_root_mean_square(again - before), MIN_NOISE)
    changed = _root_mean_square(after - before) > CODEC_FACTOR * by_codec
    fine, fine_after, fine_again = _detail(before), _detail(after), _detail(again)
    detail = _root_mean_square(fine)
    if detail < MIN_CONTRAST or min(before.shape[:2]) < MIN_SIDE:
        return "treated" if changed else "nothing to see"
    if not changed:
        return "untreated"
    noise = CODEC_FACTOR * _root_mean_square(fine_again - fine)
    return "untreated" if _unchanged_share(fine, fine_after, noise) >= MIN_UNCHANGED else "treated"


def _unchanged_share(before: np.ndarray, after: np.ndarray, noise: float) -> float:
    """Share of the core's details, by energy, in windows where they are unchanged up to noise."""
    energy, change = (_local(part**2) for part in (before, after - before))
    unchanged = np.sqrt(change) <= np.maximum(MIN_CHANGE * np.sqrt(energy), noise)
    height, width = before.shape
    down, across = np.mgrid[:height, :width]
    core = np.hypot((2 * across + 1) / width - 1, (2 * down + 1) / height - 1) <= CORE
    weight = before**2 * core
    return float(weight[unchanged].sum() / max(weight.sum(), 1e-9))


def _local(energy: np.ndarray) -> np.ndarray:
    return cv2.blur(energy, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)


def box_slices(bbox: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a face box in a photograph, at least one pixel each."""
    x, y, w, h = bbox
    top, left = (min(max(int(np.floor(low)), 0), side - 1) for low, side in ((y, shape[0]), (x, shape[1])))
    bottom, right = min(int(np.ceil(y + h)), shape[0]), min(int(np.ceil(x + w)), shape[1])
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _detail(part: np.ndarray) -> np.ndarray:
    gray = part.mean(-1)
    size = (min(MAX_SIDE, gray.shape[1]), min(MAX_SIDE, gray.shape[0]))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), COARSE_SIGMA, borderType=cv2.BORDER_REFLECT))


def _root_mean_square(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))
