"""Procedural heads as a source of faces: no trained weights, no photograph, no real person's face."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from facade.color import LUMINANCE, distance_in_spreads, encode_gamma, lab
from facade.heads.anatomy import build
from facade.heads.develop import develop, expose
from facade.heads.expression import sample_expression
from facade.heads.field.scene import EAR, EYE, FRAME, HAIR, HEADWEAR, LENS, SKIN
from facade.heads.fit import fit_view
from facade.heads.head import Head, render_anatomy
from facade.heads.identity import Identity, sample_identity
from facade.heads.pose import FACE_HEIGHT
from facade.sources.source import FaceRequest, Layer

# Faces lower than this, pixels, are rendered with two rays along each side of a pixel; larger ones with one.
TWO_RAYS_BELOW = 56.0
# Linear luminance of skin in photographs, and the melanin it corresponds to: photographs are exposed for the face, but
# not so far that dark skin looks light. Each pseudonym deviates by a normal with standard deviation `MELANIN_JITTER`.
TONES = (0.02, 0.06, 0.12, 0.24, 0.42)
PIGMENTS = (1.7, 1.35, 0.9, 0.48, 0.22)
MELANIN_JITTER = 0.12
# With a larger fit error than this, in eye-to-mouth distances, the view of the mean head is better.
MAX_FIT_ERROR = 0.25
# Range of the height of the chin relative to the eyes, cm.
LOWEST_CHIN, HIGHEST_CHIN = -12.8, -9.9
# The face is opaque up to the forehead, above everything erased, and transparent from the hairline on, cm.
FOREHEAD, HAIRLINE = 4.4, 6.4
# Above these heights, cm, pixels that differ from skin are hair and not beard; color distance from the skin, in
# spreads, at which they are hair with weight 0 and 1.
HAIR_HEIGHT, HAIR_DISTANCE = (-2.0, 0.0), (2.0, 3.5)
# Contrast of the camera's tone curve, which the estimated light already includes, but eyes, brows and lips do not.
# Higher than for a fully rendered scene: with less, faces are flatter than WIDER FACE's (benchmarks/realism.py).
PSEUDONYM_CONTRAST = 1.25
FACE_PARTS, HEAD_PARTS = (SKIN, EYE, FRAME, LENS), (SKIN, EYE, FRAME, LENS, EAR, HAIR, HEADWEAR)


@dataclass(frozen=True)
class ProceduralHeads:
    """Renders a procedural head for every request.

    Attributes:
        cover: "face" keeps the hair and ears of the photograph; "head" replaces them too.
        ageless: Whether the faces go with hair and clothes of any age and sex (`Identity.ageless`): no beard beside a
            bow, no wrinkles on a baby.
    """

    cover: Literal["face", "head"] = "face"
    ageless: bool = False

    def render(self, requests: Iterable[FaceRequest]) -> Iterator[Layer]:
        """A head for each request, in its pose and light."""
        for request in requests:
            yield self._layer(request)

    def _layer(self, request: FaceRequest) -> Layer:
        identity, expression = sample_identity(request.random), sample_expression(request.random)
        if self.ageless:
            identity = identity.ageless()
        light = expose(request.light, identity, request.random)
        jitter = float(request.random.normal(0, MELANIN_JITTER))
        if request.tone is not None:
            identity = replace(
                identity, melanin=max(0.05, float(np.interp(np.dot(LUMINANCE, request.tone), TONES, PIGMENTS)) + jitter)
            )
        if self.cover == "face":
            # Hair and headwear of the photograph are kept.
            identity = replace(identity, style="bald", headwear="none")
        identity = replace(identity, chin_y=_chin(request, identity) + expression.jaw)
        rays = 2 if request.view.scale * FACE_HEIGHT < TWO_RAYS_BELOW else 1
        anatomy = build(identity, expression, 1 / (request.view.scale * rays), with_body=False)
        # This head has other proportions than the mean head that the view was fitted with.
        view, error = fit_view(request.keypoints, anatomy.landmarks, (request.view.pose.yaw,))
        view = view if error < MAX_FIT_ERROR else request.view
        head = render_anatomy(anatomy, view, light, request.pixels.shape[:2], rays)
        if self.cover == "face":
            alpha = head.alpha * _face_window(head) * (1 - _hair(request, head))
        else:
            alpha = head.alpha * _head_window(head)
        x, y = np.abs(head.positions[..., 0]), head.positions[..., 1]
        skin = (head.parts == SKIN) & (x < 5.2) & (y < -0.8) & (y > -9.6) & ~((x < 3.0) & (np.abs(y + 6.6) < 1.4))
        skin &= (alpha > 0.6) & ~((np.abs(x - 3.1) < 1.9) & (y > -1.2))
        linear = head.linear
        if request.tone is not None and skin.any():
            linear = linear * np.float32(
                np.dot(LUMINANCE, request.tone) / max(np.median(linear[skin] @ LUMINANCE), 1e-4)
            )
        return Layer(develop(linear, PSEUDONYM_CONTRAST), alpha.astype(np.float32), skin)


def _chin(request: FaceRequest, identity: Identity) -> float:
    """Height of a chin that ends at the lower edge of the box, cm; the identity's own where the head lies sideways."""
    if abs(request.view.pose.roll) > 35:
        return identity.chin_y
    heights = np.linspace(LOWEST_CHIN, HIGHEST_CHIN, 30)
    ends = request.view.project(np.column_stack([0 * heights, heights, np.full_like(heights, -1.5)]))[:, 1]
    return float(heights[np.argmin(np.abs(ends - request.bbox[1] - request.bbox[3]))])


def _ramp(low: float, high: float, value: np.ndarray) -> np.ndarray:
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _face_window(head: Head) -> np.ndarray:
    """Opacity: 1 on the face, fading out in front of the ears and below the hairline."""
    x, y, z = np.moveaxis(head.positions, -1, 0)
    shown = np.isin(head.parts, FACE_PARTS)
    return shown * _ramp(-8.2, -6.2, z) * _ramp(HAIRLINE, FOREHEAD, y + 0.10 * np.abs(x))


def _hair(request: FaceRequest, head: Head) -> np.ndarray:
    """Coverage of brows and temples by the photograph's own hair or hat, (h, w) float32, 0 to 1.

    It is kept where nothing is erased: a forehead rendered over a fringe would end in a straight line.
    """
    if request.tone is None:
        return np.zeros(request.mask.shape, np.float32)
    skin = lab(encode_gamma(np.array([[request.tone]], np.float32))[..., ::-1])
    hair = _ramp(*HAIR_DISTANCE, distance_in_spreads(lab(request.pixels), skin))
    return hair * (1 - request.mask) * _ramp(*HAIR_HEIGHT, head.positions[..., 1])


def _head_window(head: Head) -> np.ndarray:
    """Opacity: 1 on the head including hair and ears, fading out below the chin."""
    y, z = head.positions[..., 1], head.positions[..., 2]
    shown = np.isin(head.parts, HEAD_PARTS)
    return shown * np.maximum(_ramp(-11.5, -9.5, y), _ramp(-8.0, -6.0, z))
