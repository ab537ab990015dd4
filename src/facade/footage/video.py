"""Read untrusted videos: inspect the container, and decode frames one by one, upright."""

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
from facade.storage import AnyPath, open_for_av

# Scaling algorithm of chroma, for conversion to BGR and back.
INTERPOLATION = "BICUBIC"
# FFmpeg's numbers of the YCbCr matrices that it can decode; any other value, or none, means BT.601.
MATRICES, DEFAULT, RGB = (1, 4, 5, 6, 7, 9), 5, 0
# If seeking to a segment fails, decoding starts this many frames earlier.
SEEK_MARGIN = 300
# A video that ends this many seconds before its stated duration is truncated.
TRUNCATED = 1.0
# Advice in error messages.
_REPAIR = "Faces in it could not be detected, so nothing was written. Repair the file, or cut it before that."
_REMUX = "Regenerate them, as `ffmpeg -fflags +genpts -i IN -c copy OUT` does."


@dataclass(frozen=True)
class Clip:
    """A video and its timestamps.

    Attributes:
        path: The file.
        time_base: Seconds per unit of a timestamp.
        pts: Presentation timestamps of all frames, ascending.
    """

    path: AnyPath
    time_base: Fraction
    pts: tuple[int, ...]


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
        pts: Presentation timestamp, in units of the clip's time base.
        pixels: (H, W, 3) uint8, BGR, upright.
        color_codes: FFmpeg's numbers of the YCbCr matrix, the primaries and the transfer function.
        aspect: Width of a pixel over its height, upright.
    """

    pts: int
    pixels: np.ndarray
    color_codes: tuple[int, int, int]
    aspect: Fraction


@contextmanager
def open_video(path: AnyPath) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open a video: its container, and its first video stream.

    Raises:
        FacadeError: It cannot be opened, or has no video stream; or FFmpeg fails inside the block.
    """
    try:
        # Only the file itself may be opened. Otherwise a playlist could make FFmpeg read other files or URLs.
        allowed = {"protocol_whitelist": "file" if isinstance(path, Path) else "none"}
        with open_for_av(path) as content, av.open(content, "r", options=allowed) as container:
            streams = [stream for stream in container.streams.video if not _is_cover(stream)]
            if not streams:
                raise FacadeError(f"{path} has no video stream (it may be audio only). Leave it out.")
            streams[0].thread_type = "AUTO"
            yield container, streams[0]
    except av.FFmpegError as error:
        if error.errno == errno.ENOSPC:  # from writing inside the block, not from the source
            raise
        raise FacadeError(f"{path} cannot be read as a video ({error.strerror}). Repair it, or leave it out.") from None


def read_clip(path: AnyPath, max_megapixels: float) -> Clip:
    """Inspect a video without decoding it.

    Args:
        path: The file.
        max_megapixels: A video with larger frames is refused.

    Raises:
        FacadeError: It is no video, is truncated, or has invalid timestamps.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise FacadeError(f"{path} is {'empty' if path.is_file() else 'missing'}. Check the path.")
    with open_video(path) as (container, stream):
        if stream.codec_context is None:
            raise FacadeError(f"{path} has a codec that FFmpeg cannot decode here. Convert it first.")
        width, height = stream.width, stream.height
        if width * height > max_megapixels * 1e6 or max(width, height) > LONGEST_SIDE or not width * height:
            raise FacadeError(
                f"{path} has frames of {width}x{height} pixels, but ingest.max_megapixels is {max_megapixels:g}. "
                "Leave it out, or raise the limit."
            )
        if stream.time_base is None:
            raise FacadeError(f"{path} has no time base for its timestamps. {_REMUX}")
        packets, end = [], Fraction(0)
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream.index == stream.index and packet.size and not packet.is_discard:
                packets.append(packet.pts)
        timestamps = sorted(pts for pts in packets if pts is not None)
        if not timestamps:
            raise FacadeError(f"{path} holds no frames. Leave it out.")
        if len(timestamps) < len(packets) or len(set(timestamps)) < len(timestamps):
            raise FacadeError(f"frames of {path} have missing or duplicate timestamps. {_REMUX}")
        _refuse_truncated(path, container, stream, timestamps, float(end))
        return Clip(path, stream.time_base, tuple(timestamps))


def read_frames(clip: Clip, first: int, last: int) -> Iterator[Frame]:
    """Decode the frames of a segment.

    Args:
        clip: The video.
        first: Index of the first frame, from 0.
        last: Index after the last frame.

    Raises:
        FacadeError: A frame is damaged, missing, or of another size than the others.
    """
    wanted = clip.pts[first:last]
    # Some containers seek past the frame asked for. Then decoding starts earlier, and at last from the start.
    for margin in (0, SEEK_MARGIN, first):
        with open_video(clip.path) as (container, stream):
            if first > margin:
                container.seek(clip.pts[first - margin], stream=stream, backward=True)
            frames = _skip_before(container.decode(stream), wanted[0])
            frame = next(frames, None)
            if frame is None or frame.pts != wanted[0]:
                continue
            shape = None
            for pts, decoded in zip(wanted, chain([frame], frames), strict=False):
                if decoded.pts != pts:
                    raise FacadeError(f"{_location(clip, pts)} cannot be decoded. {_REPAIR}")
                if decoded.is_corrupt:
                    raise FacadeError(f"{_location(clip, pts)} is damaged. {_REPAIR}")
                upright = _upright(decoded, stream.sample_aspect_ratio or Fraction(1))
                if shape not in (None, upright.pixels.shape):
                    raise FacadeError(
                        f"{_location(clip, pts)} has another size than those before. Cut the video there."
                    )
                shape = upright.pixels.shape
                yield upright
            if decoded.pts != wanted[-1]:
                raise FacadeError(f"{_location(clip, wanted[-1])} cannot be decoded. {_REPAIR}")
            return
    raise FacadeError(f"{_location(clip, wanted[0])} cannot be decoded. {_REPAIR}")


def _skip_before(frames: Iterator[av.VideoFrame], first: int) -> Iterator[av.VideoFrame]:
    """Frames from a timestamp on. Earlier ones must be decoded, because later ones are predicted from them."""
    return (frame for frame in frames if frame.pts is not None and frame.pts >= first)


def decoding_matrix(colorspace: int) -> int:
    """FFmpeg's number of the YCbCr matrix to decode with, by the one that the file names."""
    return colorspace if colorspace in MATRICES else DEFAULT


def _upright(frame: av.VideoFrame, aspect: Fraction) -> Frame:
    pixels = frame.reformat(
        format="bgr24",
        src_colorspace=decoding_matrix(frame.colorspace),
        dst_colorspace=DEFAULT,
        interpolation=INTERPOLATION,
    ).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return Frame(
        pts=frame.pts or 0,
        pixels=np.ascontiguousarray(np.rot90(pixels, turns)),
        color_codes=(frame.colorspace, frame.color_primaries, frame.color_trc),
        aspect=1 / aspect if turns % 2 else aspect,
    )


def _is_cover(stream: av.VideoStream) -> bool:
    """Whether a stream is an attached cover image, as in music files and from some cameras."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _refuse_truncated(
    path: AnyPath, container: av.container.InputContainer, stream: av.VideoStream, timestamps: list[int], end: float
) -> None:
    """Refuse a video that is shorter than its stated duration: that of the video stream, else that of the container.

    Args:
        path: The file.
        container: The open video.
        stream: Its video stream.
        timestamps: Of all frames, ascending.
        end: End of the last packet of any stream, seconds.
    """
    base = stream.time_base or Fraction(1)
    step = float(base) * (timestamps[-1] - timestamps[0]) / max(len(timestamps) - 1, 1)
    tolerance = max(TRUNCATED, 2 * step)
    start = stream.start_time if stream.start_time is not None else timestamps[0]
    if stream.duration is not None:
        actual, stated = float((timestamps[-1] - start) * base) + step, float(stream.duration * base)
    elif container.duration is not None:
        actual, stated = end, (container.duration + (container.start_time or 0)) / av.time_base
    else:
        return
    if actual < stated - tolerance:
        raise FacadeError(f"{path} ends after {actual:.1f} of {stated:.1f} seconds: it is truncated. {_REPAIR}")


def _location(clip: Clip, pts: int) -> str:
    return f"{clip.path}: the frame at {float(pts * clip.time_base):.2f} seconds"
