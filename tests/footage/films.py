"""Test videos, made by the ffmpeg program: another encoder than the one under test."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from facade.anonymize.factory import build_treatment
from facade.dataset.pixels import decode as decode_picture
from facade.demo.backdrop import draw_backdrop
from facade.demo.clip import VideoFrame, draw_video, write_video
from facade.footage.job import Settings
from facade.footage.labelled_boxes import LabelledBoxes
from facade.footage.settings import KEEP
from facade.heads import (
    Pose,
    View,
    develop,
    expose,
    render_head,
    sample_expression,
    sample_identity,
    sample_light,
)
from facade.params import load
from facade.seeds import generator

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments: str | Path) -> str:
    done = subprocess.run(
        [FFMPEG, "-y", "-hide_banner", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.stderr


def pattern(path: Path, seconds: float = 2, size: str = "160x96", *more: str) -> Path:
    """A test pattern with a tone."""
    log = ffmpeg(
        "-f", "lavfi", "-i", f"testsrc=size={size}:rate=25:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=duration={seconds}", *more, path,
    )  # fmt: skip
    assert path.is_file(), log
    return path


def frames(path: Path, folder: Path, *more: str) -> list[np.ndarray]:
    """All frames of a video as the ffmpeg program decodes them, upright."""
    folder.mkdir(exist_ok=True)
    ffmpeg("-i", path, "-fps_mode", "passthrough", *more, folder / "%05d.png")
    return [decode_picture(file.read_bytes(), 10).pixels for file in sorted(folder.glob("*.png"))]


def film_of_people(path: Path, count: int = 60) -> list[np.ndarray]:
    """A drawn video of two people; returns their boxes by frame."""
    return write_video(path, draw_video(3, count, 320, 180, people=2, face=48))


@dataclass(frozen=True)
class TurningHead:
    """A drawn video of one person who turns the head from one side to the other.

    Attributes:
        boxes: (N, 4) float, x y w h in pixels.
        keypoints: (N, 5, 2) float, x y in pixels.
        yaws: (N,) float, degrees to the right of the picture.
    """

    boxes: np.ndarray
    keypoints: np.ndarray
    yaws: np.ndarray


def film_of_turning_head(path: Path, count: int = 60, face: float = 56, reach: float = 50) -> TurningHead:
    random = generator("turning head", 4)
    identity, expression, light = sample_identity(random), sample_expression(random), sample_light(random)
    light = expose(light, identity, random)
    backdrop = draw_backdrop(random, 224, 160)
    yaws = reach * np.sin(np.linspace(-np.pi / 2, np.pi / 2, count))
    heads, pictures = [], []
    for number, yaw in enumerate(yaws):
        view = View.of_face(Pose(float(yaw)), face, 80 + 60 * number / count, 80)
        head = render_head(identity, expression, view, light, backdrop.shape[:2])
        cover = head.alpha[..., None]
        shown = backdrop * (1 - cover) + develop(head.linear) * cover
        shown = shown + random.normal(0, 0.012, shown.shape)
        heads.append(head)
        pictures.append(VideoFrame(np.clip(np.rint(255 * shown), 0, 255).astype(np.uint8), np.array([head.bbox])))
    boxes = write_video(path, iter(pictures))
    return TurningHead(np.concatenate(boxes), np.array([head.keypoints for head in heads]), yaws)


def settings(boxes: dict[tuple[str, int], np.ndarray], **other) -> Settings:
    method = other.pop("method", "gaussian")
    params = load()
    params = params.model_copy(update={"synthesize": params.synthesize.model_copy(update={"keep": KEEP})})
    values = {
        "box_source": LabelledBoxes(boxes, frozenset(name for name, _ in boxes), Path("boxes.json")), "min_score": 1.0,
        "treatment": build_treatment(method, params, synthetic=True).treatment,
        "exempt": None, "max_gap": 15, "audio": True, "codec": params.codec, "max_megapixels": 100.0, "key": "test",
    }  # fmt: skip
    return Settings(**values | other)
