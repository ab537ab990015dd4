"""Segments of a video: the work items of its workers, and what an interruption loses."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from facade.errors import FacadeError
from facade.files import write_bytes
from facade.networks.protocol import BOX_COLUMNS
from facade.storage import AnyPath

# Frames of a segment. Each segment begins with an encoder's key frame: every 60 frames, a still picture takes 13 % more
# bytes than with one key frame, and every 240 frames none. Short clips are cut for the sake of the cores.
SHORTEST, LONGEST = 60, 240
# Segments that a clip is cut into, within these limits.
SEGMENTS = 16


@dataclass(frozen=True)
class Segment:
    """A stretch of a video.

    Attributes:
        first: Index of its first frame.
        last: Index after its last frame.
    """

    first: int
    last: int


def cut(frame_count: int, key_frames: Iterable[int], length: int | None = None) -> list[Segment]:
    """Cut a video into segments, by what the file holds alone: bytes must not depend on the number of workers.

    Decoding begins at a key frame. A segment therefore begins at the key frame of the source that is closest to its
    regular start, if there is one within half a segment.

    Args:
        frame_count: Number of frames.
        key_frames: Indices of the frames at which decoding can begin.
        length: Frames of a segment; None for the usual number in a clip of this length.
    """
    length = length or min(max(frame_count // SEGMENTS, SHORTEST), LONGEST)
    keys = np.array(sorted(key for key in key_frames if key < frame_count), int)
    starts = [0]
    while (regular := starts[-1] + length) < frame_count:
        near = keys[(keys > starts[-1] + length // 2) & (keys <= starts[-1] + length + length // 2)]
        starts.append(int(near[np.abs(near - regular).argmin()]) if len(near) else regular)
    return [Segment(*both) for both in zip(starts, [*starts[1:], frame_count], strict=True)]


def write_faces(path: AnyPath, size: tuple[int, int], frames: Sequence[np.ndarray]) -> None:
    """Write the detections of a segment, for a run that resumes.

    Args:
        path: File to write, atomically.
        size: Width and height of the frames, pixels.
        frames: For each frame (n, C) float: box, score, and what else is known of a face. C is the same in all frames
            that have a face.
    """
    columns = max((rows.shape[1] for rows in frames if len(rows)), default=BOX_COLUMNS)
    content = io.BytesIO()
    np.savez(
        content,
        size=np.array(size),
        counts=np.array([len(rows) for rows in frames], int),
        rows=np.concatenate([np.zeros((0, columns)), *(rows for rows in frames if len(rows))]),
    )
    write_bytes(path, content.getvalue())


def read_faces(path: AnyPath) -> tuple[tuple[int, int], list[np.ndarray]]:
    """What `write_faces` wrote: the size of the frames, and the detections of each.

    Raises:
        FacadeError: The file is damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            width, height = (int(side) for side in content["size"])
            frames = np.split(content["rows"], np.cumsum(content["counts"])[:-1])
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise FacadeError(f"{path} is not what Facade wrote ({error}). Delete its folder, and run again.") from None
    return (width, height), frames
