"""Videos from strangers: what one holds, and its frames, upright, one by one."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from facade.dataset.pixels import LONGEST_SIDE
from facade.errors import FacadeError
from facade.storage import Place, readable

# Colours are taken apart and put together by the same matrix, and nothing is smoothed between.
INTERPOLATION = "BICUBIC"
# Matrices that FFmpeg can take colours apart by, as it numbers them; files that name another, or none, mean BT.601.
MATRICES, DEFAULT, RGB = (1, 4, 5, 6, 7, 9), 5, 0
# Frames ahead of a stretch from which decoding is tried where seeking right to it fails.
AHEAD = 300
# A container whose pictures end so many seconds before it says was cut off.
CUT_OFF = 1.0
# What to do, at the end of sentences.
_MEND = "A face in it could not be seen, so nothing was written. Mend the file, or cut it before that."
_REMUX = "Give it new ones, as `ffmpeg -fflags +genpts -i IN -c copy OUT` does."


@dataclass(frozen=True)
class Clip:
    """A video, as its container tells it.

    Attributes:
        path: The file.
        time_base: Seconds that one unit of a timestamp stands for.
        times: Timestamps of all pictures, rising.
    """

    path: Place
    time_base: Fraction
    times: tuple[int, ...]


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        time: Timestamp, in units of the clip's time base.
        pixels: (H, W, 3) uint8, BGR, upright.
        colours: How the file stores colours: matrix, primaries and transfer, as FFmpeg numbers them.
        aspect: Width of a pixel over its height, upright.
    """

    time: int
    pixels: np.ndarray
    colours: tuple[int, int, int]
    aspect: Fraction


@contextmanager
def opened(path: Place) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """A video and its pictures' stream.

    Raises:
        FacadeError: It cannot be opened, or shows nothing. Also what FFmpeg stumbles over inside the block.
    """
    try:
        # Nothing but the file itself is opened: playlists that name other files, or addresses, are no video.
        allowed = {"protocol_whitelist": "file" if isinstance(path, Path) else "none"}
        with readable(path) as content, av.open(content, "r", options=allowed) as container:
            streams = [stream for stream in container.streams.video if not _is_cover(stream)]
            if not streams:
                raise FacadeError(f"{path} shows no pictures (it may be sound alone). Leave it out.")
            streams[0].thread_type = "AUTO"
            yield container, streams[0]
    except av.FFmpegError as error:
        if error.errno == errno.ENOSPC:  # of what is written inside the block: nothing is wrong with the source
            raise
        raise FacadeError(f"{path} cannot be read as a video ({error.strerror}). Mend it, or leave it out.") from None


def read_clip(path: Place, max_megapixels: float) -> Clip:
    """Look through a video without decoding it.

    Args:
        path: The file.
        max_megapixels: A video of larger pictures is refused.

    Raises:
        FacadeError: It is no video, is cut off, or its timestamps cannot be trusted.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise FacadeError(f"{path} is {'empty' if path.is_file() else 'missing'}. Check the path.")
    with opened(path) as (container, stream):
        if stream.codec_context is None:
            raise FacadeError(f"{path} is of a kind that FFmpeg cannot decode here. Convert it first.")
        width, height = stream.width, stream.height
        if width * height > max_megapixels * 1e6 or max(width, height) > LONGEST_SIDE or not width * height:
            raise FacadeError(
                f"{path} has pictures of {width}x{height} pixels, and ingest.max_megapixels is {max_megapixels:g}. "
                "Leave it out, or raise the limit."
            )
        if stream.time_base is None:
            raise FacadeError(f"{path} does not say what its timestamps mean. {_REMUX}")
        packets, end = [], Fraction(0)
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream.index == stream.index and packet.size and not packet.is_discard:
                packets.append(packet.pts)
        times = sorted(time for time in packets if time is not None)
        if not times:
            raise FacadeError(f"{path} holds no picture. Leave it out.")
        if len(times) < len(packets) or len(set(times)) < len(times):
            raise FacadeError(f"pictures of {path} have no timestamps of their own. {_REMUX}")
        _refuse_cut_off(path, container, stream, times, float(end))
        return Clip(path, stream.time_base, tuple(times))


def read_frames(clip: Clip, first: int, last: int) -> Iterator[Frame]:
    """Decode the pictures of a stretch.

    Args:
        clip: The video.
        first: Number of the first picture of the stretch, from 0.
        last: Number of the picture behind its last one.

    Raises:
        FacadeError: A picture is damaged, missing, or of another size than the others.
    """
    wanted = clip.times[first:last]
    # Some containers seek to a place behind the one asked for: then from farther ahead, at last from the start.
    for ahead in (0, AHEAD, first):
        with opened(clip.path) as (container, stream):
            if first > ahead:
                container.seek(clip.times[first - ahead], stream=stream, backward=True)
            frames = _from(container.decode(stream), wanted[0])
            frame = next(frames, None)
            if frame is None or frame.pts != wanted[0]:
                continue
            shape = None
            for time, one in zip(wanted, chain([frame], frames), strict=False):
                if one.pts != time:
                    raise FacadeError(f"{_where(clip, time)} cannot be decoded. {_MEND}")
                if one.is_corrupt:
                    raise FacadeError(f"{_where(clip, time)} is damaged. {_MEND}")
                upright = _upright(one, stream.sample_aspect_ratio or Fraction(1))
                if shape not in (None, upright.pixels.shape):
                    raise FacadeError(f"{_where(clip, time)} has another size than those before. Cut the video there.")
                shape = upright.pixels.shape
                yield upright
            if one.pts != wanted[-1]:
                raise FacadeError(f"{_where(clip, wanted[-1])} cannot be decoded. {_MEND}")
            return
    raise FacadeError(f"{_where(clip, wanted[0])} cannot be decoded. {_MEND}")


def _from(frames: Iterator[av.VideoFrame], first: int) -> Iterator[av.VideoFrame]:
    """Frames from a timestamp on; those ahead of it are decoded for the others' sake."""
    return (frame for frame in frames if frame.pts is not None and frame.pts >= first)


def matrix(named: int) -> int:
    """The matrix of a file's colours, by its number in the file."""
    return named if named in MATRICES else DEFAULT


def _upright(frame: av.VideoFrame, aspect: Fraction) -> Frame:
    pixels = frame.reformat(
        format="bgr24", src_colorspace=matrix(frame.colorspace), dst_colorspace=DEFAULT, interpolation=INTERPOLATION
    ).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return Frame(
        time=frame.pts or 0,
        pixels=np.ascontiguousarray(np.rot90(pixels, turns)),
        colours=(frame.colorspace, frame.color_primaries, frame.color_trc),
        aspect=1 / aspect if turns % 2 else aspect,
    )


def _is_cover(stream: av.VideoStream) -> bool:
    """Whether a stream is one still picture, as music files and some cameras attach."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _refuse_cut_off(
    path: Place, container: av.container.InputContainer, stream: av.VideoStream, times: list[int], end: float
) -> None:
    """Refuse a video that is shorter than it says: its pictures, or all of it (its last packet ends at `end`)."""
    base = stream.time_base or Fraction(1)
    step = float(base) * (times[-1] - times[0]) / max(len(times) - 1, 1)
    slack = max(CUT_OFF, 2 * step)
    start = stream.start_time if stream.start_time is not None else times[0]
    if stream.duration is not None:
        there, told = float((times[-1] - start) * base) + step, float(stream.duration * base)
    elif container.duration is not None:
        there, told = end, (container.duration + (container.start_time or 0)) / av.time_base
    else:
        return
    if there < told - slack:
        raise FacadeError(f"{path} ends after {there:.1f} of {told:.1f} seconds: it was cut off. {_MEND}")


def _where(clip: Clip, time: int) -> str:
    return f"{clip.path}: the picture at {float(time * clip.time_base):.2f} seconds"
