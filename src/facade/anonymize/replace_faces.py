"""Replacing faces: a synthetic person takes the place of a real one, held, lit and toned as the person was."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from facade.anonymize.align import face_height, held
from facade.anonymize.erase import features_in, fill, gap_of
from facade.anonymize.harmonize import noise_of, same_noise, same_softness, same_tone
from facade.anonymize.illumination import read_light, skin_coloured
from facade.anonymize.occluder import in_front
from facade.anonymize.region import check_box, shrunk
from facade.anonymize.treat import Treated
from facade.dataset import Face, Photograph
from facade.dataset.records import Box
from facade.heads.fit import mean_head
from facade.heads.light import draw_light
from facade.heads.pose import View, draw_pose
from facade.params import Synthesize
from facade.parsing import face_parser
from facade.seeds import generator
from facade.sources.source import FaceSource, Layer, Setting

# The place of a face, or of a whole head, reaches so far beyond the box of all that is erased, in shares of its width
# and height.
AROUND = {"face": 0.45, "head": 1.2}
# A larger face is worked on at this height in pixels, and enlarged again.
LARGEST = 256.0
# WIDER FACE's attribute `occlusion` from which something is looked for in front of the face.
HIDDEN = 1
# Faces lower than this show no sharpness and no grain that could be measured, pixels.
MEASURABLE = 10.0


@dataclass(frozen=True)
class _Found:
    """A labelled face, and how the person holds the head, in the pixels of its place in the photograph."""

    number: int
    face: Face
    rows: slice
    columns: slice
    bbox: Box
    view: View
    keypoints: np.ndarray
    by_landmarks: bool

    @property
    def hidden(self) -> bool:
        """Whether the label says that something is in front of the face."""
        return self.face.attributes.get("occlusion", 0) >= HIDDEN


@dataclass(frozen=True)
class ReplaceFaces:
    """Replaces every labelled face of a photograph, the ignored ones too.

    Which synthetic face a person gets depends on the key, the photograph's name and the face's number: never on the
    person's pixels. Pose, light and tone of the person may be kept (`synthesize.keep`).

    Attributes:
        params: What is kept, and how faces are blended in.
        source: Where synthetic faces come from.
        key: The secret, from `facade.secret_key`. It is never printed.
    """

    params: Synthesize
    source: FaceSource
    key: str = field(repr=False)

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """A treated copy of a photograph, (H, W, 3) uint8, BGR, and counts of what was done.

        Raises:
            ValueError: A box has no area, holds a value that is not finite, or lies outside the photograph.
        """
        found = [
            _find(number if face.person is None else face.person, face, image.shape, AROUND[self.params.cover])
            for number, face in enumerate(photograph.faces)
        ]
        # The far ones first, so that the near ones come to lie in front of them.
        found.sort(key=lambda one: (one.face.bbox[3], one.number))
        counts: Counter[str] = Counter()
        # Every person vanishes before anybody is drawn: no source, no blend and no fill meets a pixel of a gap.
        gaps = np.zeros(image.shape[:2], bool)
        for one in found:
            gaps[one.rows, one.columns] |= self._gap(image, one, counts)
            counts["faces"] += 1
            counts["held_by_landmarks" if one.by_landmarks else "held_by_box"] += 1
        erased = image.copy()
        for one in found:
            gap = gaps[one.rows, one.columns]
            filled = fill(image[one.rows, one.columns].astype(np.float32) / 255, ~gap)
            erased[one.rows, one.columns][gap] = _bytes(filled[gap])
        treated = erased.copy()
        layers = self.source.layers(self._settings(image, erased, gaps, found, photograph.file))
        for one, layer in zip(found, layers, strict=True):
            self._put(treated, image, one, layer, generator("grain", self.key, photograph.file, one.number))
        return Treated(treated, counts)

    def _gap(self, image: np.ndarray, one: _Found, counts: Counter[str]) -> np.ndarray:
        shape = (one.rows.stop - one.rows.start, one.columns.stop - one.columns.start)
        gap = gap_of(one.view, one.bbox, shape, one.by_landmarks)
        if one.hidden:
            front = self._front(image, one)
            counts["occluders_kept" if front.any() else "occluders_painted_over"] += 1
            gap &= ~front
        return gap

    def _front(self, image: np.ndarray, one: _Found) -> np.ndarray:
        """What stays in front of a face, (h, w) bool; nothing where the box alone tells where the features lie."""
        if not one.by_landmarks:
            return np.zeros((one.rows.stop - one.rows.start, one.columns.stop - one.columns.start), bool)
        weights = self.params.parsing_weights
        parser = None if weights is None else face_parser(weights)
        return in_front(image[one.rows, one.columns], one.view, one.keypoints, one.bbox, parser)

    def _settings(
        self, image: np.ndarray, erased: np.ndarray, gaps: np.ndarray, found: list[_Found], name: str
    ) -> Iterator[Setting]:
        for one in found:
            owner = (self.key, name, one.number)
            pixels, factor = _worked_on(image, one)
            view, keypoints = one.view, one.keypoints
            if "pose" not in self.params.keep:
                x, y, w, h = one.bbox
                view = View.of_face(draw_pose(generator("pose", *owner)), h, x + w / 2, y + h / 2)
                keypoints = view.project(mean_head().landmarks)
            light, tone = read_light(pixels, one.view.enlarged(factor), one.hidden)
            if "light" not in self.params.keep:
                light = draw_light(generator("light", *owner))
            yield Setting(
                who=generator("pseudonym", *owner),
                pixels=_worked_on(erased, one)[0].astype(np.float32) / 255,
                gap=_scaled(gaps[one.rows, one.columns].astype(np.float32), pixels.shape),
                view=view.enlarged(factor),
                keypoints=(keypoints * factor).astype(np.float32),
                bbox=tuple(value * factor for value in one.bbox),  # type: ignore[arg-type]
                light=light,
                tone=tone if "tone" in self.params.keep else None,
            )

    def _put(
        self, treated: np.ndarray, image: np.ndarray, one: _Found, layer: Layer, random: np.random.Generator
    ) -> None:
        """Blend a layer into the photograph, in place; nothing in front of the face is touched."""
        pixels, factor = _worked_on(image, one)
        original = pixels.astype(np.float32) / 255
        height = face_height(one.view) * factor
        sure = layer.alpha > 0.7
        face = layer.pixels
        if "tone" in self.params.keep:
            skin = layer.skin if layer.skin.any() else sure
            face = same_tone(face, original, skin_coloured(pixels, skin, sure) if one.hidden else skin)
        if height >= MEASURABLE:
            face = same_softness(face, original, sure)
        alpha = _feathered(layer.alpha, self.params.feather / 100 * height)
        full = (one.rows.stop - one.rows.start, one.columns.stop - one.columns.start)
        place = treated[one.rows, one.columns]
        alpha, face = _scaled(alpha, full), _scaled(face, full)
        if one.hidden:
            alpha = alpha * ~self._front(image, one)
        if height >= MEASURABLE:
            face = same_noise(face, noise_of(image[one.rows, one.columns].astype(np.float32) / 255), random)
        mixed = place * (1 - alpha[..., None]) + 255 * face * alpha[..., None]
        place[:] = np.where(alpha[..., None] > 0, np.clip(np.rint(mixed), 0, 255), place).astype(np.uint8)


def _find(number: int, face: Face, shape: tuple[int, ...], around: float) -> _Found:
    check_box(face.bbox, shape)
    x, y, w, h = face.bbox
    view, points, fits = held(face)
    # Landmarks may lie far outside their box, and a box may be no face's: the place holds what either makes vanish.
    erased = np.concatenate([features_in(view), [(x, y), (x + w, y + h)]])
    (left, top), (right, bottom) = erased.min(0), erased.max(0)
    across, down = around * (right - left), around * (bottom - top)
    rows = slice(max(0, int(top - down)), min(shape[0], int(np.ceil(bottom + down)) + 1))
    columns = slice(max(0, int(left - across)), min(shape[1], int(np.ceil(right + across)) + 1))
    corner = (columns.start, rows.start)
    bbox = (x - corner[0], y - corner[1], w, h)
    return _Found(number, face, rows, columns, bbox, view.shifted(*corner), points - corner, fits)


def _worked_on(image: np.ndarray, one: _Found) -> tuple[np.ndarray, float]:
    """The place of a face at the size at which it is worked on, and that size as a factor."""
    factor = min(1.0, LARGEST / max(face_height(one.view), one.face.bbox[3]))
    return shrunk(image[one.rows, one.columns], factor), factor


def _scaled(layer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if layer.shape[:2] == shape[:2]:
        return layer
    larger = shape[0] > layer.shape[0]
    return cv2.resize(layer, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)


def _feathered(alpha: np.ndarray, width: float) -> np.ndarray:
    """The same cover, drawn in by the width of its soft edge, so that nothing of its surroundings is dragged along."""
    reach = int(width)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    drawn_in = cv2.erode((alpha > 0.5).astype(np.float32), kernel) if reach else 1.0
    return cv2.GaussianBlur(np.minimum(alpha, drawn_in).astype(np.float32), (0, 0), max(width, 0.4))


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(255 * pixels), 0, 255).astype(np.uint8)
