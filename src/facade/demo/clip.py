"""A rendered video of people who move and turn their heads, with the face boxes of each frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from facade.demo.backdrop import draw_backdrop
from facade.heads import Pose, View, develop, expose, render_head, sample_expression, sample_identity, sample_light
from facade.seeds import generator

# Yaw angles of the head, degrees, played forward and then backward.
YAWS = (-35, -20, -5, 10, 25)
# Side of the square that a person is rendered on, in face heights, and vertical center of the face in it as a share.
TILE, CENTER_Y = 2.2, 0.5


@dataclass(frozen=True)
class VideoFrame:
    """A frame, (H, W, 3) uint8, BGR, and the boxes of its faces, (n, 4) float, x y w h in pixels."""

    pixels: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class _Person:
    pictures: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    start: np.ndarray
    velocity: np.ndarray


def draw_video(seed: int, frames: int, width: int, height: int, people: int, face: float) -> Iterator[VideoFrame]:
    """Render a video.

    Args:
        seed: Seed of all random numbers.
        frames: Number of frames.
        width: Width of the video, pixels.
        height: Height of the video, pixels.
        people: Number of people.
        face: Height of a face, pixels.

    Yields:
        The frames.
    """
    random = generator("moving", seed)
    backdrop = np.rint(255 * draw_backdrop(random, width, height)).astype(np.uint8)
    persons = [_person(random, number, people, width, height, face) for number in range(people)]
    for number in range(frames):
        pixels, boxes = backdrop.copy(), []
        for person in persons:
            step = number // 4 % (2 * len(YAWS) - 2)
            picture, alpha, bbox = person.pictures[min(step, 2 * len(YAWS) - 2 - step)]
            at = np.rint(_bounced(person.start + number * person.velocity, (width, height), alpha.shape[1::-1]))
            boxes.append(bbox + np.concatenate([at, (0, 0)]))
            _put(pixels, picture, alpha, at.astype(int))
        yield VideoFrame(pixels, np.array(boxes).reshape(-1, 4))


def write_video(path: Path, video: Iterator[VideoFrame], rate: int = 25) -> list[np.ndarray]:
    """Encode a rendered video almost losslessly.

    Returns:
        The boxes of each frame.
    """
    boxes = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "veryfast"})
        for number, content in enumerate(video):
            if not number:
                stream.height, stream.width = content.pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
            boxes.append(content.boxes)
            frame = av.VideoFrame.from_ndarray(content.pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return boxes


def _person(random: np.random.Generator, number: int, people: int, width: int, height: int, face: float) -> _Person:
    identity, expression, light = sample_identity(random), sample_expression(random), sample_light(random)
    light = expose(light, identity, random)
    side = int(np.ceil(TILE * face))
    pictures = []
    for yaw in YAWS:
        view = View.of_face(Pose(yaw, float(random.uniform(-5, 5)), 0.0), face, side / 2, CENTER_Y * side)
        head = render_head(identity, expression, view, light, (side, side))
        picture = 255 * develop(head.linear)
        pictures.append((picture, head.alpha[..., None], np.array(head.bbox)))
    start = np.array([(number + 0.5) * width / people - side / 2, random.uniform(0, max(1, height - side))])
    velocity = face * random.uniform(0.02, 0.05, 2) * random.choice([-1, 1], 2)
    return _Person(pictures, start, velocity)


def _bounced(at: np.ndarray, size: tuple[int, int], tile: tuple[int, int]) -> np.ndarray:
    """A position inside the picture, reflected at its borders."""
    room = np.maximum(np.subtract(size, tile), 1)
    folded = np.mod(at, 2 * room)
    return np.where(folded > room, 2 * room - folded, folded)


def _put(pixels: np.ndarray, picture: np.ndarray, alpha: np.ndarray, at: np.ndarray) -> None:
    x, y = at
    h, w = min(alpha.shape[0], pixels.shape[0] - y), min(alpha.shape[1], pixels.shape[1] - x)
    part = pixels[y : y + h, x : x + w]
    part[:] = np.rint(part * (1 - alpha[:h, :w]) + picture[:h, :w] * alpha[:h, :w])
