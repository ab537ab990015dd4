"""Replace faces: a synthetic face takes the place of a real one, in the same pose, light and skin tone."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from facade.anonymize.appearance import LENGTH, Appearance, measure_appearance
from facade.anonymize.coarse import coarse_light, coarse_pose, coarse_tone
from facade.anonymize.erase import erased_mask, feature_points, pull_push_fill
from facade.anonymize.harmonize import (
    estimate_noise,
    is_grayscale,
    match_noise,
    match_sharpness,
    match_tone,
    sample_noise,
    sample_sharpness,
    to_grayscale,
)
from facade.anonymize.head_pose import estimate_view, projected_face_height
from facade.anonymize.illumination import estimate_light, skin_colored_mask
from facade.anonymize.occluder import occluder_mask
from facade.anonymize.region import check_box, downscale
from facade.anonymize.treat import Treated
from facade.dataset import Face, Photograph
from facade.dataset.records import Box, Point
from facade.heads.fit import mean_head
from facade.heads.light import sample_light
from facade.heads.pose import View, sample_pose
from facade.params import Synthesize
from facade.parsing import face_parser
from facade.seeds import generator
from facade.sources.source import FaceRequest, FaceSource, Layer

# Margin of the crop of a face, or of a whole head, around the bounding box of everything that is erased, in fractions
# of its width and height.
CROP_MARGIN = {"face": 0.45, "head": 1.2}
# Larger faces are processed at this height, pixels, and upscaled again.
MAX_HEIGHT = 256.0
# Minimum value of WIDER FACE's attribute `occlusion` at which occluders are segmented.
MIN_OCCLUSION = 1
# On lower faces, pixels, neither sharpness nor grain can be measured.
MIN_MEASURABLE_HEIGHT = 10.0


@dataclass(frozen=True)
class _Held:
    """How a face is held: box, view and landmarks in pixels of its crop."""

    bbox: Box
    view: View
    keypoints: np.ndarray
    from_landmarks: bool

    def shifted(self, x: int, y: int) -> "_Held":
        """The same face in a crop whose top left corner is x, y."""
        bbox = (self.bbox[0] - x, self.bbox[1] - y, *self.bbox[2:])
        return _Held(bbox, self.view.shifted(x, y), self.keypoints - (x, y), self.from_landmarks)


@dataclass(frozen=True)
class _FaceCrop:
    """A labelled face and its crop of the photograph.

    Attributes:
        held: How the pseudonym is held.
        detected: How the face is held by its own box and landmarks, which must be erased; in a video they differ from
            the smoothed ones of the pseudonym.
        appearance: The face's, smoothed along its track; None to measure it.
    """

    number: int
    face: Face
    rows: slice
    columns: slice
    held: _Held
    detected: _Held
    appearance: Appearance | None

    @property
    def bbox(self) -> Box:
        """x, y, width, height, in pixels of the crop."""
        return self.held.bbox

    @property
    def view(self) -> View:
        """Pose and position of the pseudonym in the crop."""
        return self.held.view

    @property
    def keypoints(self) -> np.ndarray:
        """(5, 2) float, x y in pixels of the crop."""
        return self.held.keypoints

    @property
    def occluded(self) -> bool:
        """Whether the label says that something is in front of the face."""
        return self.face.attributes.get("occlusion", 0) >= MIN_OCCLUSION


@dataclass(frozen=True)
class ReplaceFaces:
    """Replaces every labelled face of a photograph, including ignored ones.

    The pseudonym of a face depends on the key, the photograph's name and the face's number, never on the person's
    pixels. Pose, light and skin tone of the person may be kept (`synthesize.keep`).

    Attributes:
        params: What is kept, and how faces are blended in.
        source: The source of synthetic faces.
        key: The secret, from `facade.secret_key`. It is never printed.
        whole_box: Whether all of a face's box is erased, and more where there are no landmarks. For boxes of a
            detector, which may cut a face; a labelled box is the face.
    """

    params: Synthesize
    source: FaceSource
    key: str = field(repr=False)
    whole_box: bool = False

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """A treated copy of a photograph, (H, W, 3) uint8, BGR, and counts of what was done.

        Raises:
            ValueError: A box has no area, holds a value that is not finite, or lies outside the photograph.
        """
        crops = [
            _crop(number if face.person is None else face.person, face, image.shape, CROP_MARGIN[self.params.cover])
            for number, face in enumerate(photograph.faces)
        ]
        # Small (distant) faces first, so that large (near) ones are drawn over them.
        crops.sort(key=lambda crop: (crop.face.bbox[3], crop.number))
        counts: Counter[str] = Counter()
        # All faces are erased before the first one is rendered: no source, blend or fill ever reads an erased pixel.
        erased = np.zeros(image.shape[:2], bool)
        for crop in crops:
            erased[crop.rows, crop.columns] |= self._erased(image, crop, counts)
            counts["faces"] += 1
            counts["posed_by_landmarks" if crop.held.from_landmarks else "posed_by_box"] += 1
        background = image.copy()
        for crop in crops:
            mask = erased[crop.rows, crop.columns]
            filled = pull_push_fill(image[crop.rows, crop.columns].astype(np.float32) / 255, ~mask)
            background[crop.rows, crop.columns][mask] = _to_uint8(filled[mask])
        treated, grayscale = background.copy(), is_grayscale(image)
        layers = self.source.render(self._requests(image, background, erased, crops, photograph.file))
        for crop, layer in zip(crops, layers, strict=True):
            self._blend(treated, image, grayscale, crop, layer, (self.key, photograph.file, crop.number))
        return Treated(treated, counts)

    def measure(self, image: np.ndarray, bbox: Box, keypoints: tuple[Point, ...] | None) -> np.ndarray:
        """See `facade.anonymize.treat.HoldsFaces`; NaN for a box outside of the image."""
        if bbox[0] >= image.shape[1] or bbox[1] >= image.shape[0] or bbox[0] + bbox[2] <= 0 or bbox[1] + bbox[3] <= 0:
            return np.full(LENGTH, np.nan)
        crop = _crop(0, Face(bbox, keypoints), image.shape, CROP_MARGIN["face"])
        pixels, factor = _working_copy(image, crop)
        return measure_appearance(pixels, crop.view.enlarged(factor)).row()

    def _erased(self, image: np.ndarray, crop: _FaceCrop, counts: Counter[str]) -> np.ndarray:
        """Pixels of the crop to erase, (h, w) bool."""
        shape = (crop.rows.stop - crop.rows.start, crop.columns.stop - crop.columns.start)
        mask = np.zeros(shape, bool)
        for held in {id(held): held for held in (crop.detected, crop.held)}.values():
            mask |= erased_mask(held.view, held.bbox, shape, held.from_landmarks, self.whole_box)
        if crop.occluded:
            occluders = self._occluders(image, crop)
            counts["occluders_kept" if occluders.any() else "occluders_painted_over"] += 1
            mask &= ~occluders
        return mask

    def _occluders(self, image: np.ndarray, crop: _FaceCrop) -> np.ndarray:
        """Objects to keep in front of a face, (h, w) bool; none where the positions of the features are unknown."""
        if not crop.held.from_landmarks:
            return np.zeros((crop.rows.stop - crop.rows.start, crop.columns.stop - crop.columns.start), bool)
        weights = self.params.parsing_weights
        parser = None if weights is None else face_parser(weights)
        return occluder_mask(image[crop.rows, crop.columns], crop.view, crop.keypoints, crop.bbox, parser)

    def _requests(
        self, image: np.ndarray, background: np.ndarray, erased: np.ndarray, crops: list[_FaceCrop], file: str
    ) -> Iterator[FaceRequest]:
        for crop in crops:
            owner = (self.key, file, crop.number)
            pixels, factor = _working_copy(image, crop)
            view, keypoints = crop.view, crop.keypoints
            if "pose" not in self.params.keep:
                x, y, w, h = crop.bbox
                view = View.of_face(sample_pose(generator("pose", *owner)), h, x + w / 2, y + h / 2)
                keypoints = view.project(mean_head().landmarks)
            elif "pose" in self.params.coarse:
                x, y, w, h = crop.bbox
                pose = coarse_pose(crop.view.pose, generator("coarse pose", *owner))
                view = View.of_face(pose, h, x + w / 2, y + h / 2)
                keypoints = view.project(mean_head().landmarks)
            if crop.appearance is None:
                light, tone = estimate_light(pixels, crop.view.enlarged(factor), crop.occluded)
            else:
                light, tone = crop.appearance.light, crop.appearance.tone
            if "light" not in self.params.keep:
                light = sample_light(generator("light", *owner))
            elif "light" in self.params.coarse:
                light = coarse_light(light, generator("coarse light", *owner))
            if tone is not None and "tone" in self.params.coarse:
                tone = coarse_tone(tone, generator("coarse tone", *owner))
            yield FaceRequest(
                random=generator("pseudonym", *owner),
                pixels=_working_copy(background, crop)[0].astype(np.float32) / 255,
                mask=_resized(erased[crop.rows, crop.columns].astype(np.float32), pixels.shape),
                view=view.enlarged(factor),
                keypoints=(keypoints * factor).astype(np.float32),
                bbox=tuple(value * factor for value in crop.bbox),  # type: ignore[arg-type]
                light=light,
                tone=tone if "tone" in self.params.keep else None,
            )

    def _blend(
        self,
        treated: np.ndarray,
        image: np.ndarray,
        grayscale: bool,
        crop: _FaceCrop,
        layer: Layer,
        owner: tuple[int | str, ...],
    ) -> None:
        """Blend a layer into the photograph, in place; occluders are left untouched."""
        pixels, factor = _working_copy(image, crop)
        original = pixels.astype(np.float32) / 255
        height = projected_face_height(crop.view) * factor
        tones, sharpness, noise = None, None, None
        if crop.appearance is not None:
            tones, sharpness, noise = crop.appearance.tones, crop.appearance.detail, crop.appearance.noise
        opaque = layer.alpha > 0.7
        face = layer.pixels
        if "tone" in self.params.keep and "tone" not in self.params.coarse:
            skin = layer.skin if layer.skin.any() else opaque
            skin = skin_colored_mask(pixels, skin, opaque) if crop.occluded else skin
            face = match_tone(face, original, skin, tones)
        if "sharpness" not in self.params.keep:
            face = sample_sharpness(face, height, generator("sharpness", *owner))
        elif height >= MIN_MEASURABLE_HEIGHT:
            face = match_sharpness(face, original, opaque, sharpness)
        alpha = _feathered(layer.alpha, self.params.feather / 100 * height)
        full = (crop.rows.stop - crop.rows.start, crop.columns.stop - crop.columns.start)
        target = treated[crop.rows, crop.columns]
        alpha, face = _resized(alpha, full), _resized(face, full)
        if crop.occluded:
            alpha = alpha * ~self._occluders(image, crop)
        random = generator("grain", *owner)
        if "grain" not in self.params.keep:
            face = match_noise(face, sample_noise(generator("noise", *owner)), random)
        elif height >= MIN_MEASURABLE_HEIGHT:
            if noise is None:
                noise = estimate_noise(image[crop.rows, crop.columns].astype(np.float32) / 255)
            face = match_noise(face, noise, random)
        if grayscale:
            # Whatever is kept of the person: a colored face in a black-and-white photograph is no face to learn from.
            face = to_grayscale(face)
        mixed = target * (1 - alpha[..., None]) + 255 * face * alpha[..., None]
        target[:] = np.where(alpha[..., None] > 0, np.clip(np.rint(mixed), 0, 255), target).astype(np.uint8)


def _crop(number: int, face: Face, shape: tuple[int, ...], margin: float) -> _FaceCrop:
    check_box(face.bbox, shape)
    detected = held = _held(face)
    appearance = None
    if face.smoothed is not None:
        held = _held(replace(face, bbox=face.smoothed.bbox, keypoints=face.smoothed.keypoints))
        row = face.smoothed.appearance
        appearance = None if row is None else Appearance.from_row(row)
    # Landmarks may lie far outside their box, and a box may hold no face: the crop contains what either of them erases.
    corners = np.concatenate([_corners(detected), _corners(held)])
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    across, down = margin * (right - left), margin * (bottom - top)
    rows = slice(max(0, int(top - down)), min(shape[0], int(np.ceil(bottom + down)) + 1))
    columns = slice(max(0, int(left - across)), min(shape[1], int(np.ceil(right + across)) + 1))
    corner = (columns.start, rows.start)
    detected, held = detected.shifted(*corner), held.shifted(*corner)
    return _FaceCrop(number, face, rows, columns, held, detected, appearance)


def _held(face: Face) -> _Held:
    view, points, from_landmarks = estimate_view(face)
    return _Held(face.bbox, view, points, from_landmarks)


def _corners(held: _Held) -> np.ndarray:
    """Points around all that is erased of a face, (N, 2)."""
    x, y, w, h = held.bbox
    return np.concatenate([feature_points(held.view), [(x, y), (x + w, y + h)]])


def _working_copy(image: np.ndarray, crop: _FaceCrop) -> tuple[np.ndarray, float]:
    """The crop at the resolution at which it is processed, and that resolution as a factor."""
    factor = min(1.0, MAX_HEIGHT / max(projected_face_height(crop.view), crop.face.bbox[3]))
    return downscale(image[crop.rows, crop.columns], factor), factor


def _resized(layer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if layer.shape[:2] == shape[:2]:
        return layer
    larger = shape[0] > layer.shape[0]
    return cv2.resize(layer, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)


def _feathered(alpha: np.ndarray, width: float) -> np.ndarray:
    """The alpha mask eroded by the width of its soft edge, then blurred: no background of the layer is blended in."""
    reach = int(width)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    eroded = cv2.erode((alpha > 0.5).astype(np.float32), kernel) if reach else 1.0
    return cv2.GaussianBlur(np.minimum(alpha, eroded).astype(np.float32), (0, 0), max(width, 0.4))


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(255 * pixels), 0, 255).astype(np.uint8)
