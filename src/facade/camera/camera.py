"""Simulation of other cameras: fisheye lens, motion blur, low resolution, no color, and low light."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facade.camera.fisheye import LONGEST_SIDE, Fisheye
from facade.camera.sensor import downsample, grayscale, low_light
from facade.camera.shake import motion_blur
from facade.params import Domain

PointMap = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SimulatedPhotograph:
    """A simulated photograph, and the mapping of points from the original.

    Attributes:
        pixels: (h, w, 3) uint8, BGR.
        map_points: Maps points of the original, (N, 2) x y in pixels, to the simulated photograph.
        blur_extent: Horizontal and vertical extent of the motion blur, both sides together, pixels of the simulated
            photograph.
    """

    pixels: np.ndarray
    map_points: PointMap
    blur_extent: tuple[float, float]


def simulate(domain: str, pixels: np.ndarray, settings: Domain, random: np.random.Generator) -> SimulatedPhotograph:
    """Simulate the camera of a domain.

    Args:
        domain: `plain`, or one or more of `params.DOMAINS`, joined by +. Their order does not matter: effects are
            applied in the order of the light path.
        pixels: (H, W, 3) uint8, BGR.
        settings: Strength of each effect.
        random: Random generator of the photograph.

    Raises:
        ValueError: The photograph is too large for the fisheye.
    """
    parts, blur_extent = set(domain.split("+")), np.zeros(2)
    # All values are drawn for every domain, so that a photograph has the same ones in each domain that uses them.
    degrees = random.uniform(*settings.field_of_view)
    length, angle = random.uniform(*settings.shake), random.uniform(0, np.pi)
    factor, electrons = random.uniform(*settings.shrink), random.uniform(*settings.electrons)
    picture, maps = pixels, list[PointMap]()
    if "fisheye" in parts:
        if max(pixels.shape[:2]) > LONGEST_SIDE:
            raise ValueError(f"the fisheye takes at most {LONGEST_SIDE} pixels a side")
        lens = Fisheye(pixels.shape[1], pixels.shape[0], degrees)
        picture = lens.picture(picture)
        maps.append(lens.map_points)
    if "motion_blur" in parts:
        pixels_long = length / 100 * max(picture.shape[:2])
        picture = motion_blur(picture, pixels_long, angle)
        blur_extent = pixels_long * np.abs([np.cos(angle), np.sin(angle)])
    if "low_resolution" in parts:
        before = picture.shape[1::-1]
        picture = downsample(picture, factor)
        ratio = np.array(picture.shape[1::-1]) / before
        maps.append(lambda points: points * ratio)
        blur_extent = blur_extent * ratio
    if "grey" in parts:
        picture = grayscale(picture)
    if "low_light" in parts:
        picture = low_light(picture, electrons, random)

    def map_points(points: np.ndarray) -> np.ndarray:
        for point_map in maps:
            points = point_map(points)
        return points

    return SimulatedPhotograph(picture, map_points, (float(blur_extent[0]), float(blur_extent[1])))
