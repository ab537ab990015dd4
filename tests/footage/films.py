"""Videos to anonymize, made by FFmpeg's own program: another writer than the one under test."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from facade.dataset.pixels import decode as decode_picture
from facade.demo.clip import moving_faces, write_moving
from facade.footage.box_sources import Given
from facade.footage.job import Settings
from facade.footage.method import treatment
from facade.params import load

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*arguments: str | Path) -> str:
    done = subprocess.run(
        [FFMPEG, "-y", "-hide_banner", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.stderr


def pattern(path: Path, seconds: float = 2, size: str = "160x96", *more: str) -> Path:
    """A test pattern with a tone."""
    told = ffmpeg(
        "-f", "lavfi", "-i", f"testsrc=size={size}:rate=25:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=duration={seconds}", *more, path,
    )  # fmt: skip
    assert path.is_file(), told
    return path


def frames(path: Path, folder: Path, *more: str) -> list[np.ndarray]:
    """All pictures of a video as FFmpeg's program shows them, upright."""
    folder.mkdir(exist_ok=True)
    ffmpeg("-i", path, "-fps_mode", "passthrough", *more, folder / "%05d.png")
    return [decode_picture(one.read_bytes(), 10).pixels for one in sorted(folder.glob("*.png"))]


def film_of_people(path: Path, count: int = 60) -> list[np.ndarray]:
    """A drawn video of two people; their boxes by frame."""
    return write_moving(path, moving_faces(3, count, 320, 180, people=2, face=48))


def settings(boxes: dict[tuple[str, int], np.ndarray], **other) -> Settings:
    method = other.pop("method", "gaussian")
    params = load()
    values = {
        "finder": Given(boxes, frozenset(name for name, _ in boxes), Path("boxes.json")), "sure": 1.0,
        "treatment": treatment(params, method, shows_nobody=True),
        "exempt": None, "bridge": 15, "audio": True, "codec": params.codec, "max_megapixels": 100.0, "key": "test",
    }  # fmt: skip
    return Settings(**values | other)
