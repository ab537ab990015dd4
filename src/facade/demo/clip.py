"""A drawn video: people who turn their heads and cross the picture, and where their faces are in each frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from facade.demo.backdrop import draw_backdrop
from facade.heads import Pose, View, develop, draw_expression, draw_head, draw_identity, draw_light, exposed
from facade.seeds import generator

# A person is drawn at so many turns of the head, degrees, and comes back by the same way.
TURNS = (-35, -20, -5, 10, 25)
# A person is drawn on a square so many face heights wide, the face's middle at this share of it from the top.
TILE, ABOVE = 2.2, 0.5


@dataclass(frozen=True)
class Moment:
    """One frame, (H, W, 3) uint8, BGR, and the boxes of the faces in it, (n, 4) float, x y w h in pixels."""

    pixels: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class _Walker:
    pictures: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    start: np.ndarray
    velocity: np.ndarray


def moving_faces(seed: int, frames: int, width: int, height: int, people: int, face: float) -> Iterator[Moment]:
    """Draw a video.

    Args:
        seed: Where all chance comes from.
        frames: How many.
        width: Pixels.
        height: Pixels.
        people: How many cross the picture.
        face: Height of a face, pixels.

    Yields:
        The frames.
    """
    chance = generator("moving", seed)
    backdrop = np.rint(255 * draw_backdrop(chance, width, height)).astype(np.uint8)
    walkers = [_walker(chance, number, people, width, height, face) for number in range(people)]
    for number in range(frames):
        pixels, boxes = backdrop.copy(), []
        for walker in walkers:
            turn = number // 4 % (2 * len(TURNS) - 2)
            picture, alpha, bbox = walker.pictures[min(turn, 2 * len(TURNS) - 2 - turn)]
            at = np.rint(_bounced(walker.start + number * walker.velocity, (width, height), alpha.shape[1::-1]))
            boxes.append(bbox + np.concatenate([at, (0, 0)]))
            _put(pixels, picture, alpha, at.astype(int))
        yield Moment(pixels, np.array(boxes).reshape(-1, 4))


def write_moving(path: Path, moments: Iterator[Moment], rate: int = 25) -> list[np.ndarray]:
    """Encode a drawn video, almost without loss.

    Returns:
        The boxes, frame by frame.
    """
    boxes = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "veryfast"})
        for number, moment in enumerate(moments):
            if not number:
                stream.height, stream.width = moment.pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
            boxes.append(moment.boxes)
            frame = av.VideoFrame.from_ndarray(moment.pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return boxes


def _walker(chance: np.random.Generator, number: int, people: int, width: int, height: int, face: float) -> _Walker:
    who, look, light = draw_identity(chance), draw_expression(chance), draw_light(chance)
    light = exposed(light, who, chance)
    side = int(np.ceil(TILE * face))
    pictures = []
    for turn in TURNS:
        view = View.of_face(Pose(turn, float(chance.uniform(-5, 5)), 0.0), face, side / 2, ABOVE * side)
        head = draw_head(who, look, view, light, (side, side))
        picture = 255 * develop(head.linear)
        pictures.append((picture, head.alpha[..., None], np.array(head.bbox)))
    start = np.array([(number + 0.5) * width / people - side / 2, chance.uniform(0, max(1, height - side))])
    velocity = face * chance.uniform(0.02, 0.05, 2) * chance.choice([-1, 1], 2)
    return _Walker(pictures, start, velocity)


def _bounced(at: np.ndarray, size: tuple[int, int], tile: tuple[int, int]) -> np.ndarray:
    """A place inside the picture: what leaves at one side comes back."""
    room = np.maximum(np.subtract(size, tile), 1)
    folded = np.mod(at, 2 * room)
    return np.where(folded > room, 2 * room - folded, folded)


def _put(pixels: np.ndarray, picture: np.ndarray, alpha: np.ndarray, at: np.ndarray) -> None:
    x, y = at
    h, w = min(alpha.shape[0], pixels.shape[0] - y), min(alpha.shape[1], pixels.shape[1] - x)
    part = pixels[y : y + h, x : x + w]
    part[:] = np.rint(part * (1 - alpha[:h, :w]) + picture[:h, :w] * alpha[:h, :w])
