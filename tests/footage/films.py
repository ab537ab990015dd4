"""Test videos, made by the ffmpeg program: another encoder than the one under test."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from facade.anonymize.factory import build_treatment
from facade.dataset.pixels import decode as decode_picture
from facade.demo.clip import draw_video, write_video
from facade.footage.box_sources import LabelledBoxes
from facade.footage.job import Settings
from facade.params import load

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


def settings(boxes: dict[tuple[str, int], np.ndarray], **other) -> Settings:
    method = other.pop("method", "gaussian")
    params = load()
    values = {
        "box_source": LabelledBoxes(boxes, frozenset(name for name, _ in boxes), Path("boxes.json")), "min_score": 1.0,
        "treatment": build_treatment(method, params, synthetic=True).treatment,
        "exempt": None, "max_gap": 15, "audio": True, "codec": params.codec, "max_megapixels": 100.0, "key": "test",
    }  # fmt: skip
    return Settings(**values | other)
