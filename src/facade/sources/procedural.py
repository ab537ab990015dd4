"""Heads drawn by formulas, laid out for their places: no weights, no photograph, nobody's face."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from facade.colour import LUMINANCE, encode_gamma, lab, spreads_away
from facade.heads.anatomy import build
from facade.heads.develop import develop, exposed
from facade.heads.expression import draw_expression
from facade.heads.field.scene import EAR, EYE, FRAME, HAIR, HEADWEAR, LENS, SKIN
from facade.heads.fit import fit_view
from facade.heads.head import Head, draw_built
from facade.heads.identity import Identity, draw_identity
from facade.heads.pose import FACE_HEIGHT
from facade.sources.source import Layer, Setting

# Rays along each side of a pixel for faces lower than so many pixels; a larger face has pixels to spare.
TWO_RAYS_BELOW = 56.0
# Luminance of skin in photographs, linear, and the melanin that goes with it: pictures are exposed for the face, but
# not so far that dark skin looks light. Each pseudonym lies a little beside the line.
TONES = (0.02, 0.06, 0.12, 0.24, 0.42)
PIGMENTS = (1.7, 1.35, 0.9, 0.48, 0.22)
BESIDE = 0.12
# A fit that leaves the landmarks farther off than this, in eye-to-mouth distances, is worse than the mean head's.
MISFIT = 0.25
# Chins that people have, cm below the eyes.
LONGEST_CHIN, SHORTEST_CHIN = -12.8, -9.9
# The face is drawn fully up to the forehead, above all that is erased, and not at all from the hairline on, cm.
FOREHEAD, HAIRLINE = 4.4, 6.4
# Above these heights, cm, what is unlike the skin is hair, and no beard. How unlike, in spreads of a skin's colours:
# hardly, and surely.
ABOVE, UNLIKE = (-2.0, 0.0), (2.0, 3.5)
# Of the camera's curve, which is in the light that was read off the photograph, but not in eyes, brows and lips. More
# than for a scene that is drawn whole: with less, faces are flatter inside than WIDER FACE's (benchmarks/realism.py).
PSEUDONYM_CONTRAST = 1.25
FACE_PARTS, HEAD_PARTS = (SKIN, EYE, FRAME, LENS), (SKIN, EYE, FRAME, LENS, EAR, HAIR, HEADWEAR)


@dataclass(frozen=True)
class ProceduralHeads:
    """Draws a person for every place.

    Attributes:
        cover: "face" leaves hair and ears to the photograph; "head" draws them too.
    """

    cover: Literal["face", "head"] = "face"

    def layers(self, settings: Iterable[Setting]) -> Iterator[Layer]:
        """A head for each place, held and lit as the person was."""
        for setting in settings:
            yield self._layer(setting)

    def _layer(self, setting: Setting) -> Layer:
        who, look = draw_identity(setting.who), draw_expression(setting.who)
        light = exposed(setting.light, who, setting.who)
        beside = float(setting.who.normal(0, BESIDE))
        if setting.tone is not None:
            who = replace(
                who, melanin=max(0.05, float(np.interp(np.dot(LUMINANCE, setting.tone), TONES, PIGMENTS)) + beside)
            )
        if self.cover == "face":
            # Hair and hats stay the photograph's own.
            who = replace(who, style="bald", headwear="none")
        who = replace(who, chin_y=_chin(setting, who) + look.jaw)
        rays = 2 if setting.view.scale * FACE_HEIGHT < TWO_RAYS_BELOW else 1
        anatomy = build(who, look, 1 / (setting.view.scale * rays), with_body=False)
        # The person has other proportions than the mean head that the view was found with.
        view, error = fit_view(setting.keypoints, anatomy.landmarks, (setting.view.pose.yaw,))
        head = draw_built(anatomy, view if error < MISFIT else setting.view, light, setting.pixels.shape[:2], rays)
        if self.cover == "face":
            alpha = head.alpha * _face_window(head) * (1 - _hair(setting, head))
        else:
            alpha = head.alpha * _head_window(head)
        x, y = np.abs(head.places[..., 0]), head.places[..., 1]
        skin = (head.parts == SKIN) & (x < 5.2) & (y < -0.8) & (y > -9.6) & ~((x < 3.0) & (np.abs(y + 6.6) < 1.4))
        skin &= (alpha > 0.6) & ~((np.abs(x - 3.1) < 1.9) & (y > -1.2))
        linear = head.linear
        if setting.tone is not None and skin.any():
            linear = linear * np.float32(
                np.dot(LUMINANCE, setting.tone) / max(np.median(linear[skin] @ LUMINANCE), 1e-4)
            )
        return Layer(develop(linear, PSEUDONYM_CONTRAST), alpha.astype(np.float32), skin)


def _chin(setting: Setting, who: Identity) -> float:
    """Height of the chin that ends where the box ends, cm; the person's own where the head lies on its side."""
    if abs(setting.view.pose.roll) > 35:
        return who.chin_y
    heights = np.linspace(LONGEST_CHIN, SHORTEST_CHIN, 30)
    ends = setting.view.project(np.column_stack([0 * heights, heights, np.full_like(heights, -1.5)]))[:, 1]
    return float(heights[np.argmin(np.abs(ends - setting.bbox[1] - setting.bbox[3]))])


def _ramp(low: float, high: float, value: np.ndarray) -> np.ndarray:
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _face_window(head: Head) -> np.ndarray:
    """1 on the face, fading in front of the ears and below the hairline."""
    x, y, z = np.moveaxis(head.places, -1, 0)
    shown = np.isin(head.parts, FACE_PARTS)
    return shown * _ramp(-8.2, -6.2, z) * _ramp(HAIRLINE, FOREHEAD, y + 0.10 * np.abs(x))


def _hair(setting: Setting, head: Head) -> np.ndarray:
    """How much of the photograph's own hair or hat lies over brows and temples, (h, w) float32, 0 to 1.

    Where nothing is erased it stays; a forehead drawn over a fringe would end in a straight line.
    """
    if setting.tone is None:
        return np.zeros(setting.gap.shape, np.float32)
    skin = lab(encode_gamma(np.array([[setting.tone]], np.float32))[..., ::-1])
    unlike = _ramp(*UNLIKE, spreads_away(lab(setting.pixels), skin))
    return unlike * (1 - setting.gap) * _ramp(*ABOVE, head.places[..., 1])


def _head_window(head: Head) -> np.ndarray:
    """1 on the head, hair and ears too, fading below the chin."""
    y, z = head.places[..., 1], head.places[..., 2]
    shown = np.isin(head.parts, HEAD_PARTS)
    return shown * np.maximum(_ramp(-11.5, -9.5, y), _ramp(-8.0, -6.0, z))
