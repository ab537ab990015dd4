"""What a learner is given of a face: pixels, figures of color and sharpness, and embeddings of recognition networks."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from facade.audit.frames import Patch
from facade.recognition import Recognizer

# Percentiles of L, a and b; and standard deviations of the Gaussians between which contrast is measured, pixels.
PERCENTILES, SCALES = (10, 50, 90), (1.0, 2.0, 4.0)
# Added to contrasts before the logarithm, gray levels.
FLOOR = 0.1


class Features(NamedTuple):
    """Features of a patch, each (D,) float32.

    Attributes:
        pixels: CIE Lab of a reduced picture.
        figures: Color and sharpness.
        embedding: Embeddings of recognition networks, one after the other; empty without networks.
    """

    pixels: np.ndarray
    figures: np.ndarray
    embedding: np.ndarray


def describe(patch: Patch, networks: Sequence[Recognizer] = ()) -> Features:
    """Features of a patch."""
    lab = cv2.cvtColor(patch.pixels.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    reduced = cv2.resize(lab, patch.reduced.shape, interpolation=cv2.INTER_AREA)[patch.reduced]
    inside = lab[patch.inside]
    gray = cv2.cvtColor(patch.pixels.astype(np.float32), cv2.COLOR_BGR2GRAY)
    # The border of the patch is an edge of its own.
    core = cv2.erode(patch.inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    core = core if core.any() else patch.inside
    edges = np.abs(cv2.Laplacian(gray, cv2.CV_32F, ksize=3))[core]
    contrasts = [float((gray - cv2.GaussianBlur(gray, (0, 0), sigma))[core].std()) for sigma in SCALES]
    figures = np.concatenate(
        [
            np.percentile(inside, PERCENTILES, axis=0).ravel(),
            inside.mean(0),
            np.log(np.array([float(edges.mean()), float(np.median(edges)), *contrasts]) + FLOOR),
        ]
    )
    embeddings = [network.embed(patch.pixels) for network in networks]
    return Features(
        reduced.ravel().astype(np.float32),
        figures.astype(np.float32),
        np.concatenate(embeddings) if embeddings else np.zeros(0, np.float32),
    )
