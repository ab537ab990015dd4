"""Replacing faces: a synthetic person takes the place of a real one."""

from dataclasses import dataclass

import cv2
import numpy as np

from facade.anonymize.align import placement, pose_of, trusted_keypoints
from facade.anonymize.region import Region, blend, region
from facade.dataset import Face, Photograph
from facade.heads.head import Pose
from facade.heads.portrait import Portrait
from facade.heads.source import FaceSource
from facade.params import Synthesize
from facade.seeds import generator

# Share of the treated area, about its middle, over which tones are compared: skin, hardly any hair or background.
INNER = 0.55
# How far the spread of tones may be narrowed (light and dark alone) or stretched to that of the photograph.
LEAST_SPREAD, MOST_SPREAD = 0.6, 1.4
# Blurs tried to make a portrait as soft as the photograph, standard deviations in pixels.
SOFTNESS = (0.0, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
# Faces are drawn no larger than this, in pixels; a larger one is enlarged.
MOST_DRAWN = 112
# Spread of the poses drawn for faces without landmarks, degrees: people in photographs mostly face the camera.
YAW_SPREAD, PITCH_SPREAD, ROLL_SPREAD = 22.0, 7.0, 6.0


@dataclass(frozen=True)
class ReplaceFaces:
    """Replaces every labelled face of a photograph, the ignored ones too.

    Which synthetic face a person gets depends on the seed, the photograph's name and the face's number: never on
    the person's pixels.
    """

    params: Synthesize
    source: FaceSource

    def __call__(self, image: np.ndarray, photograph: Photograph) -> np.ndarray:
        """A treated copy of a photograph, (H, W, 3) uint8, BGR."""
        treated = image.copy()
        for number, face in enumerate(photograph.faces):
            who = (self.params.seed, photograph.file, number)
            keypoints = trusted_keypoints(face)
            pose = drawn_pose(generator("pose", *who)) if keypoints is None else pose_of(keypoints)
            portrait = self.source.portrait(
                generator("pseudonym", *who), pose, float(np.clip(face.bbox[3], 12, MOST_DRAWN))
            )
            replace_face(treated, face, portrait, keypoints, self.params)
        return treated


def drawn_pose(random: np.random.Generator) -> Pose:
    """A pose at random, for a person whose pose is not known."""
    yaw, pitch, roll = random.standard_normal(3).clip(-2, 2) * (YAW_SPREAD, PITCH_SPREAD, ROLL_SPREAD)
    return Pose(float(yaw), float(pitch), float(roll))


def replace_face(
    image: np.ndarray, face: Face, portrait: Portrait, keypoints: np.ndarray | None, params: Synthesize
) -> None:
    """Put a synthetic face in the place of a real one, in place.

    Args:
        image: (H, W, 3) uint8, BGR.
        face: The person who is replaced.
        portrait: Who takes the place.
        keypoints: The person's landmarks, (5, 2), or None to align on the box.
        params: How wide and how soft the replaced area is.
    """
    area = region(face.bbox, image.shape, params.widen, params.feather, ellipse=True)
    pixels, cover = _laid_out(portrait, placement(portrait, face, keypoints), area)
    # Hair and neck stay the person's own. What the face leaves free is filled with its colours, so that nothing of
    # the person shows beside it.
    patch = pixels * cover[..., None] + _spread(pixels, cover) * (1 - cover[..., None])
    original = image[area.rows, area.columns].astype(np.float32) / 255
    inner = _inner(area)
    patch = _same_tone(patch, original, inner)
    patch = _same_softness(patch, original, inner)
    blend(image, area, patch * 255)


def _laid_out(portrait: Portrait, to_photograph: np.ndarray, area: Region) -> tuple[np.ndarray, np.ndarray]:
    """The portrait as it comes to lie in the area: pixels (h, w, 3) and cover (h, w), float32, 0 to 1."""
    height, width = area.weight.shape
    to_area = to_photograph.copy()
    to_area[:, 2] -= (area.columns.start, area.rows.start)
    # Pixel centres lie at halves in the data set's boxes, at whole numbers in OpenCV.
    to_area[:, 2] += to_area[:, :2] @ (0.5, 0.5) - 0.5
    sheet = np.dstack([portrait.pixels * portrait.face[..., None], portrait.face])
    laid = cv2.warpAffine(sheet, to_area, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    cover = laid[..., 3]
    return laid[..., :3] / np.maximum(cover, 1e-4)[..., None], cover


def _spread(pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Colours of the covered part, carried smoothly over the rest, (h, w, 3).

    Pull-push (Gortler et al., "The Lumigraph", 1996): halved until one pixel knows the mean of all, then enlarged
    again, each size keeping what it knows itself.
    """
    sizes = [(pixels * cover[..., None], cover)]
    while max(sizes[-1][1].shape) > 1:
        height, width = sizes[-1][1].shape
        half = ((width + 1) // 2, (height + 1) // 2)
        sizes.append(tuple(cv2.resize(layer, half, interpolation=cv2.INTER_AREA) for layer in sizes[-1]))
    spread = np.full((1, 1, 3), 0.5, np.float32)
    for weighted, known in reversed(sizes):
        height, width = known.shape
        spread = cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)
        own = weighted.reshape(height, width, 3) / np.maximum(known, 1e-4)[..., None]
        trust = np.clip(4 * known, 0, 1)[..., None]
        spread = own * trust + spread.reshape(height, width, 3) * (1 - trust)
    return spread


def _inner(area: Region) -> np.ndarray:
    """The middle of the area, (h, w) bool, never empty."""
    height, width = area.weight.shape
    across = (np.arange(width) + 0.5) / width * 2 - 1
    down = (np.arange(height) + 0.5) / height * 2 - 1
    inner = np.hypot(across[None], down[:, None]) < INNER
    return inner if inner.any() else np.ones_like(inner)


def _same_tone(patch: np.ndarray, original: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Give the patch the median colour and the contrast of the original's skin, in CIE Lab."""
    lab, wanted = cv2.cvtColor(patch, cv2.COLOR_BGR2LAB), cv2.cvtColor(original, cv2.COLOR_BGR2LAB)
    middle, aim = np.median(lab[inner], axis=0), np.median(wanted[inner], axis=0)
    spread = np.diff(np.percentile(lab[inner], (15, 85), axis=0), axis=0)[0]
    wanted_spread = np.diff(np.percentile(wanted[inner], (15, 85), axis=0), axis=0)[0]
    # Light and dark keep some life in flat light; colour may vanish altogether, as in a grey photograph.
    stretch = np.clip(wanted_spread / np.maximum(spread, 1e-3), (LEAST_SPREAD, 0, 0), MOST_SPREAD)
    shifted = (lab - middle) * stretch + aim
    return np.clip(cv2.cvtColor(shifted.astype(np.float32), cv2.COLOR_LAB2BGR), 0, 1)


def _same_softness(patch: np.ndarray, original: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Blur the patch until it holds no more fine detail than the original, by the energy of the Laplacian."""

    def detail(picture: np.ndarray) -> float:
        grey = cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_BGR2GRAY)
        return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[inner].mean())

    aim = detail(original)
    softer = patch
    for sigma in SOFTNESS:
        softer = cv2.GaussianBlur(patch, (0, 0), sigma) if sigma else patch
        if detail(softer) <= aim:
            break
    return softer
