"""Domain simulation: photographs and their labels as another camera would have taken them."""

from dataclasses import replace

import numpy as np

from facade.camera.camera import simulate
from facade.dataset.pixels import BadPhotographError
from facade.dataset.records import Box, Face, Split, touches_border
from facade.params import Domain
from facade.seeds import generator

# Number of points on the outline of a face that are mapped through the camera. More points do not change the box.
OUTLINE_POINTS = 64
# A face with more motion blur than this share of its smaller side is ignored.
MAX_BLUR_SHARE = 0.5


def domain_of(source: str, split: Split, settings: Domain) -> str:
    """The domain of a photograph; "" if the split has none.

    It is chosen by the photograph's content, so that adding photographs does not change the domain of others.

    Args:
        source: sha256 of its file.
        split: The split of the photograph.
        settings: The domains of each split.
    """
    names = settings.train if split == "train" else settings.golden
    if not names:
        return ""
    return names[int(generator("domain", split, source).integers(len(names)))]


def in_domain(
    pixels: np.ndarray, faces: tuple[Face, ...], domain: str, settings: Domain, source: str
) -> tuple[np.ndarray, tuple[Face, ...]]:
    """Simulate the camera of a domain on a photograph and its labels, which may need cleaning afterwards.

    Args:
        pixels: (H, W, 3) uint8, BGR.
        faces: Its labels.
        domain: As returned by `domain_of`.
        settings: Strength of each domain.
        source: sha256 of its file, which seeds the random numbers.

    Raises:
        BadPhotographError: The photograph is too large for the simulation.
    """
    try:
        simulated = simulate(domain, pixels, settings, generator("camera", source))
    except ValueError as error:
        raise BadPhotographError(str(error)) from None
    mapped = []
    for face in faces:
        points = face.keypoints
        if points is not None:
            points = tuple((float(x), float(y)) for x, y in simulated.map_points(np.array(points)))
        cut = face.cut or touches_border(face.bbox, pixels.shape)
        outline = simulated.map_points(_rectangle(face.bbox) if cut else _ellipse(face.bbox))
        margin = np.array(simulated.blur_extent) / 2
        (left, top), (right, bottom) = outline.min(0) - margin, outline.max(0) + margin
        box = (float(left), float(top), float(right - left), float(bottom - top))
        # Annotators would not agree on the box of a face that is blurred this much.
        too_blurred = max(simulated.blur_extent) > MAX_BLUR_SHARE * min(outline.max(0) - outline.min(0))
        mapped.append(replace(face, bbox=box, keypoints=points, cut=cut, ignore=face.ignore or bool(too_blurred)))
    return simulated.pixels, tuple(mapped)


def _rectangle(box: Box) -> np.ndarray:
    """Points on the box of a face that the border truncates, (N, 2) x y. Its corners may belong to the face."""
    x, y, width, height = box
    along = np.linspace(0, 1, OUTLINE_POINTS // 4, endpoint=False)
    zero, one = np.zeros_like(along), np.ones_like(along)
    across = np.concatenate([along, one, 1 - along, zero])
    down = np.concatenate([zero, along, one, 1 - along])
    return np.stack([x + width * across, y + height * down], axis=1)


def _ellipse(box: Box) -> np.ndarray:
    """Points on the ellipse inscribed in a face box, (N, 2) x y. The corners of the box hold no face."""
    x, y, width, height = box
    angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    return np.stack([x + width / 2 * (1 + np.cos(angle)), y + height / 2 * (1 + np.sin(angle))], axis=1)
