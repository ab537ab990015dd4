"""Was every face treated? Each is compared with its source, pixel by pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from facade.dataset import Face
from facade.dataset.records import Box

# A treated face differs from its source by more than this many times what the codec alone makes of it (root mean
# square over the box); a codec that leaves a face as it is counts as a quarter of a grey level.
BEYOND_CODEC, LEAST_NOISE = 2.0, 0.25
# Detail is looked at in a face so many pixels wide and high, or in its own size if that is less.
SIDE = 32
# Detail is what a Gaussian of so many pixels of that size takes away: eyes, nose and mouth without the shading.
COARSE = 3.0
# Share of its detail that a treated place has lost, or has got from elsewhere. On WIDER FACE the codec changes up to
# .13 of tiny faces and .02 of large ones; blurring with 2 % of the diagonal, .14 and more; other people's faces, .42.
CHANGED = 0.125
# Places are so many pixels wide and high; those count that lie in this share of the box, with
# eyes, nose and mouth.
PLACE, CORE = 5, 0.8
# Share of the core's detail from which a face counts as left as it was: a neighbour's blur, or a patch in a corner,
# changes a box and not the face in it.
KEPT = 0.5
# Detail below so many grey levels (standard deviation), or in fewer pixels a side, is none that could show anybody.
FLAT, LEAST_SIDE = 0.5, 4

Finding = Literal["treated", "nothing to see", "untreated"]


@dataclass(frozen=True)
class Untreated:
    """A face that was left as it was.

    Attributes:
        file: The photograph.
        number: Of the face, its place in the labels counted from 0; faces that nobody labelled come after them.
        bbox: x, y, width, height, in pixels.
    """

    file: str
    number: int
    bbox: Box

    def __str__(self) -> str:
        x, y, w, h = self.bbox
        return f"face {self.number} of {self.file}, at x {x:g} y {y:g}, {w:g} x {h:g} pixels"


def findings(source: np.ndarray, treated: np.ndarray, again: np.ndarray, faces: Sequence[Face]) -> list[Finding]:
    """Tell treated faces from those left as they were.

    A face is treated if its box differs from the source by more than the codec does, and its detail does, too: a blur
    that is too weak changes many pixels and hides nobody. A face without any detail shows nobody, whatever is done.

    Args:
        source: The photograph, (H, W, 3) uint8, BGR.
        treated: The same photograph after treatment, decoded from what was stored.
        again: The source, encoded and decoded once more: what the codec alone makes of it.
        faces: All faces that had to be treated, ignored ones too.

    Returns:
        One finding a face.
    """
    return [_finding(source, treated, again, face) for face in faces]


def _finding(source: np.ndarray, treated: np.ndarray, recoded: np.ndarray, face: Face) -> Finding:
    rows, columns = box_slices(face.bbox, source.shape)
    before, after, again = (picture[rows, columns].astype(np.float32) for picture in (source, treated, recoded))
    by_codec = max(_root_mean_square(again - before), LEAST_NOISE)
    changed = _root_mean_square(after - before) > BEYOND_CODEC * by_codec
    fine, fine_after, fine_again = _detail(before), _detail(after), _detail(again)
    detail = _root_mean_square(fine)
    if detail < FLAT or min(before.shape[:2]) < LEAST_SIDE:
        return "treated" if changed else "nothing to see"
    if not changed:
        return "untreated"
    noise = BEYOND_CODEC * _root_mean_square(fine_again - fine)
    return "untreated" if _kept(fine, fine_after, noise) >= KEPT else "treated"


def _kept(before: np.ndarray, after: np.ndarray, noise: float) -> float:
    """Share of the core's detail, by energy, that lies in places where it is as it was; noise is no change."""
    there, change = (_local(part**2) for part in (before, after - before))
    left = np.sqrt(change) <= np.maximum(CHANGED * np.sqrt(there), noise)
    height, width = before.shape
    down, across = np.mgrid[:height, :width]
    core = np.hypot((2 * across + 1) / width - 1, (2 * down + 1) / height - 1) <= CORE
    weight = before**2 * core
    return float(weight[left].sum() / max(weight.sum(), 1e-9))


def _local(energy: np.ndarray) -> np.ndarray:
    return cv2.blur(energy, (PLACE, PLACE), borderType=cv2.BORDER_REFLECT)


def box_slices(bbox: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a face's box in a photograph; a pixel at least."""
    x, y, w, h = bbox
    top, left = (min(max(int(np.floor(low)), 0), side - 1) for low, side in ((y, shape[0]), (x, shape[1])))
    bottom, right = min(int(np.ceil(y + h)), shape[0]), min(int(np.ceil(x + w)), shape[1])
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _detail(part: np.ndarray) -> np.ndarray:
    grey = part.mean(-1)
    size = (min(SIDE, grey.shape[1]), min(SIDE, grey.shape[0]))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), COARSE, borderType=cv2.BORDER_REFLECT))


def _root_mean_square(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))
