"""A photograph as one of several cameras would have taken it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facade.camera.fisheye import LONGEST_SIDE, Fisheye
from facade.camera.sensor import fewer_pixels, grey, low_light
from facade.camera.shake import shaken
from facade.params import Domain

Move = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Seen:
    """A picture, and where it shows what the photograph showed.

    Attributes:
        pixels: (h, w, 3) uint8, BGR.
        moved: From points of the photograph, (N, 2) x y in pixels, to those of the picture.
        smear: How far, across and down, everything reaches beyond where it would be seen, pixels of the picture on
            both sides together: what a movement during the exposure does.
    """

    pixels: np.ndarray
    moved: Move
    smear: tuple[float, float]


def through(domain: str, pixels: np.ndarray, settings: Domain, random: np.random.Generator) -> Seen:
    """A photograph through the camera of a domain.

    Args:
        domain: `plain`, or one or more of `params.DOMAINS`, joined by +; the order does not matter, light's way does.
        pixels: (H, W, 3) uint8, BGR.
        settings: How strong each is.
        random: The photograph's chance.

    Raises:
        ValueError: The photograph is too large for it.
    """
    parts, smear = set(domain.split("+")), np.zeros(2)
    # Drawn whatever the domain is: a photograph's angle or shake is the same in all that have one.
    degrees = random.uniform(*settings.field_of_view)
    length, angle = random.uniform(*settings.shake), random.uniform(0, np.pi)
    factor, electrons = random.uniform(*settings.shrink), random.uniform(*settings.electrons)
    picture, moves = pixels, list[Move]()
    if "fisheye" in parts:
        if max(pixels.shape[:2]) > LONGEST_SIDE:
            raise ValueError(f"the fisheye takes at most {LONGEST_SIDE} pixels a side")
        lens = Fisheye(pixels.shape[1], pixels.shape[0], degrees)
        picture = lens.picture(picture)
        moves.append(lens.moved)
    if "motion_blur" in parts:
        pixels_long = length / 100 * max(picture.shape[:2])
        picture = shaken(picture, pixels_long, angle)
        smear = pixels_long * np.abs([np.cos(angle), np.sin(angle)])
    if "low_resolution" in parts:
        before = picture.shape[1::-1]
        picture = fewer_pixels(picture, factor)
        ratio = np.array(picture.shape[1::-1]) / before
        moves.append(lambda points: points * ratio)
        smear = smear * ratio
    if "grey" in parts:
        picture = grey(picture)
    if "low_light" in parts:
        picture = low_light(picture, electrons, random)

    def moved(points: np.ndarray) -> np.ndarray:
        for move in moves:
            points = move(points)
        return points

    return Seen(picture, moved, (float(smear[0]), float(smear[1])))
