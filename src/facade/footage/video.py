"""Decode the frames of untrusted videos one by one, upright."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from facade.dataset.pixels import upright_pixels
from facade.errors import FacadeError
from facade.footage.clip import Clip, location
from facade.footage.container import decode, open_video, seek
from facade.footage.orientation import orientation_of
from facade.footage.picture_order import REPAIR

# Scaling algorithm of chroma, for conversion to BGR and back.
INTERPOLATION = "BICUBIC"
# FFmpeg's numbers of the YCbCr matrices that it can decode; any other value, or none, means BT.601.
MATRICES, DEFAULT, RGB = (1, 4, 5, 6, 7, 9), 5, 0
# If decoding from the nearest keyframe fails, it starts this many frames earlier.
SEEK_MARGIN = 300


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


def read_frames(clip: Clip, first: int, last: int) -> Iterator[Frame]:
    """Decode the frames of a segment.

    Args:
        clip: The video.
        first: Index of the first frame, from 0.
        last: Index after the last frame.

    Raises:
        FacadeError: A frame is damaged, missing, or of another size or orientation than the first of the video.
    """
    reached, problem = first, "cannot be decoded"
    # Some containers seek past the frame asked for, and some keyframes need frames before them. Then decoding starts
    # earlier, and at last from the start.
    for start in _starts(clip, first):
        problem = "cannot be decoded"
        for index, decoded in _decode_from(clip, start, reached):
            if index != clip.packets[reached]:
                break
            if decoded.is_corrupt:
                problem = "is damaged"
                break
            yield _upright(clip, reached, decoded)
            reached += 1
            if reached == last:
                return
    raise FacadeError(f"{location(clip, reached)} {problem}. {REPAIR}")


def _starts(clip: Clip, first: int) -> list[int | None]:
    """Keyframes from which to decode a frame, by index of their packet; None is the start of the file."""
    positions = {packet: position for position, packet in enumerate(clip.packets) if packet in clip.keyframes}
    starts: list[int | None] = []
    for latest in (first, first - SEEK_MARGIN):
        # Frames that are shown before a keyframe, and stored after it, may need frames before the keyframe.
        before = [packet for packet, position in positions.items() if position <= latest]
        if before and max(before) not in starts:
            starts.append(max(before))
    return [*starts, None]


def _decode_from(clip: Clip, start: int | None, first: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decoded pictures from a frame on, with the indices of their packets."""
    wanted = {packet: position for position, packet in enumerate(clip.packets) if position >= first}
    with open_video(clip.path, clip.stream) as (container, stream):
        if start is None:
            pictures = decode(container, stream, clip.start)
        else:
            seek(container, stream, clip.keyframes[start])
            pictures = decode(container, stream, start, clip.marks)
        yield from ((index, frame) for index, frame in pictures if index in wanted)


def decoding_matrix(colorspace: int) -> int:
    """FFmpeg's number of the YCbCr matrix to decode with, by the one that the file names."""
    return colorspace if colorspace in MATRICES else DEFAULT


def _upright(clip: Clip, number: int, frame: av.VideoFrame) -> Frame:
    if (frame.width, frame.height) != clip.stored:
        raise FacadeError(f"{location(clip, number)} has another size than those before. Cut the video there.")
    if orientation_of(clip.path, frame) != clip.orientation:
        raise FacadeError(f"{location(clip, number)} is turned another way than those before. Cut the video there.")
    pixels = frame.reformat(
        format="bgr24",
        src_colorspace=decoding_matrix(frame.colorspace),
        dst_colorspace=DEFAULT,
        interpolation=INTERPOLATION,
    ).to_ndarray()
    return Frame(
        pts=clip.pts[number],
        pixels=upright_pixels(pixels, clip.orientation),
        color_codes=(frame.colorspace, frame.color_primaries, frame.color_trc),
        aspect=1 / clip.aspect if clip.orientation > 4 else clip.aspect,
    )
