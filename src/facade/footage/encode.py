"""Anonymized frames back into a video: stretches of their own, joined without encoding again."""

import errno
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from facade.errors import FacadeError
from facade.footage.video import DEFAULT, INTERPOLATION, RGB, Clip, Frame, matrix, opened
from facade.storage import Place, readable, whole_file

# Constant rate factor: from some 17 on down, pictures look like their source. One thread: bytes do not depend on the
# number of cores. No pictures that look ahead: stretches can be joined where they end.
SETTINGS = {"crf": "17", "preset": "veryfast", "bf": "0", "threads": "1"}
# A stretch keeps timestamps of any unit in this container.
STRETCH = "nut"
# Brightness from 16 to 235, as players expect it of video, whatever the source had.
LIMITED = 1
# Sound whose header holds no text. Vorbis keeps its tags there, names and places among them.
SILENT_ABOUT_ITSELF = ("aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus")
# Neither the version of FFmpeg nor a date is written.
QUIET = {"fflags": "+bitexact"}
# Containers that H.264 and all usual sound go into, as FFmpeg calls them; Matroska takes any sound.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


def write_stretch(path: Place, clip: Clip, frames: Iterable[Frame], treat: Callable[[Frame], np.ndarray]) -> None:
    """Encode anonymized pictures, each at the time that it had.

    Args:
        path: File to write; it appears when it is whole.
        clip: The video that they are from.
        frames: Its pictures.
        treat: Gives what is written of one, (H, W, 3) uint8, BGR.
    """
    with whole_file(path) as beside, av.open(str(beside), "w", format=STRETCH, options=QUIET) as container:
        stream: av.VideoStream | None = None
        for frame in frames:
            pixels = _even(treat(frame))
            if stream is None:
                stream = _stream(container, clip, frame, pixels.shape)
            picture = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(
                format="yuv420p", src_colorspace=DEFAULT, dst_colorspace=matrix(frame.colours[0]),
                interpolation=INTERPOLATION,
            )  # fmt: skip
            picture.pts, picture.time_base = frame.time, clip.time_base
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode())


def check_sound(clip: Clip) -> None:
    """Refuse sound that cannot be copied without what it tells of itself.

    Raises:
        FacadeError: The video has such sound.
    """
    with opened(clip.path) as (source, _):
        for stream in source.streams.audio:
            name = stream.codec_context.name
            if not name.startswith(("pcm_", *SILENT_ABOUT_ITSELF)):
                raise FacadeError(f"{clip.path} has {name} sound, whose header may hold tags. Add --no-audio.")


def join(path: Path, stretches: Sequence[Place], clip: Clip, audio: bool) -> None:
    """Put stretches together, with the sound of their source; nothing else of it comes along.

    Args:
        path: File to write. Its ending says in which container.
        stretches: In their order.
        clip: The source.
        audio: Whether its sound is copied (see `check_sound`).

    Raises:
        FacadeError: The container cannot hold the sound.
    """
    with opened(clip.path) as (source, _), _stretch(stretches[0]) as pattern, av.open(
        str(path), "w", format=CONTAINERS[path.suffix.lower()], options=QUIET
    ) as container:  # fmt: skip
        pictures = container.add_stream_from_template(pattern.streams.video[0])
        pictures.time_base = clip.time_base
        parts = [_pictures(stretches, clip.times)]
        sounds = {}
        try:
            for stream in source.streams.audio if audio else ():
                sounds[stream.index] = container.add_stream_from_template(stream)
            container.start_encoding()
        except (ValueError, av.FFmpegError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC or not sounds:
                raise
            raise _unfit(path, source.streams.audio[0]) from None
        if sounds:
            parts.append(packet for packet in source.demux(list(source.streams.audio)) if packet.size)
        for packet in heapq.merge(*parts, key=_seconds):
            packet.stream = sounds[packet.stream.index] if packet.stream.type == "audio" else pictures
            container.mux(packet)


def _stream(
    container: av.container.OutputContainer, clip: Clip, frame: Frame, shape: tuple[int, ...]
) -> av.VideoStream:
    stream = container.add_stream("libx264", options=SETTINGS)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = clip.time_base
    stream.codec_context.sample_aspect_ratio = frame.aspect
    context = stream.codec_context
    named, context.color_primaries, context.color_trc = frame.colours
    context.colorspace = DEFAULT if named == RGB else named
    context.color_range = LIMITED
    return stream


def _even(pixels: np.ndarray) -> np.ndarray:
    """H.264 halves the resolution of colours: a side of odd length gets its last line twice."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)


@contextmanager
def _stretch(path: Place) -> Iterator[av.container.InputContainer]:
    with readable(path) as content, av.open(content, "r") as container:
        yield container


def _pictures(stretches: Sequence[Place], times: Sequence[int]) -> Iterator[av.Packet]:
    number = 0
    for path in stretches:
        with _stretch(path) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    # The last one has no next: it is shown as long as the one before.
                    near = min(number, len(times) - 2)
                    packet.duration = times[near + 1] - times[near] if len(times) > 1 else 0
                    number += 1
                    yield packet


def _seconds(packet: av.Packet) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * Fraction(packet.time_base)


def _unfit(path: Path, stream: av.AudioStream) -> FacadeError:
    return FacadeError(
        f"{path.suffix} files cannot hold {stream.codec_context.name} sound. Name it .mkv, or add --no-audio."
    )
