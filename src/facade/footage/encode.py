"""Encode anonymized frames as video: in segments, which are concatenated without re-encoding."""

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
from facade.footage.video import DEFAULT, INTERPOLATION, RGB, Clip, Frame, decoding_matrix, open_video
from facade.storage import AnyPath, atomic_file, open_for_av

# crf: constant rate factor; at about 17 and below, frames look like their source. threads: with one, bytes do not
# depend on the number of cores. bf: without B-frames, segments can be concatenated.
X264_OPTIONS = {"crf": "17", "preset": "veryfast", "bf": "0", "threads": "1"}
# Container of segments: it keeps timestamps in any time base.
SEGMENT_FORMAT = "nut"
# FFmpeg's number of limited range: luma from 16 to 235, as players expect, whatever the source has.
LIMITED_RANGE = 1
# Audio codecs whose header holds no text. Vorbis stores tags there, such as names and places.
TAGLESS_CODECS = ("aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus")
# Write neither the version of FFmpeg nor a date.
MUXER_OPTIONS = {"fflags": "+bitexact"}
# FFmpeg's names of containers for H.264 and the usual audio codecs; Matroska takes any codec.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


def write_segment(path: AnyPath, clip: Clip, frames: Iterable[Frame], treat: Callable[[Frame], np.ndarray]) -> None:
    """Encode anonymized frames with their timestamps.

    Args:
        path: File to write, atomically.
        clip: The source video.
        frames: Its frames.
        treat: Gives the anonymized frame, (H, W, 3) uint8, BGR.
    """
    with (
        atomic_file(path) as temporary,
        av.open(str(temporary), "w", format=SEGMENT_FORMAT, options=MUXER_OPTIONS) as container,
    ):
        stream: av.VideoStream | None = None
        for frame in frames:
            pixels = _even(treat(frame))
            if stream is None:
                stream = _stream(container, clip, frame, pixels.shape)
            encoded = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(
                format="yuv420p", src_colorspace=DEFAULT, dst_colorspace=decoding_matrix(frame.color_codes[0]),
                interpolation=INTERPOLATION,
            )  # fmt: skip
            encoded.pts, encoded.time_base = frame.pts, clip.time_base
            container.mux(stream.encode(encoded))
        if stream is not None:
            container.mux(stream.encode())


def check_audio(clip: Clip) -> None:
    """Refuse audio that cannot be copied without its tags.

    Raises:
        FacadeError: The video has such audio.
    """
    with open_video(clip.path) as (source, _):
        for stream in source.streams.audio:
            name = stream.codec_context.name
            if not name.startswith(("pcm_", *TAGLESS_CODECS)):
                raise FacadeError(f"{clip.path} has {name} audio, whose header may hold tags. Add --no-audio.")


def concatenate(path: Path, segments: Sequence[AnyPath], clip: Clip, audio: bool) -> None:
    """Concatenate segments, with the audio of the source and nothing else of it.

    Args:
        path: File to write. Its extension determines the container.
        segments: In order.
        clip: The source.
        audio: Whether its audio is copied (see `check_audio`).

    Raises:
        FacadeError: The container cannot hold the audio.
    """
    with open_video(clip.path) as (source, _), _open_segment(segments[0]) as template, av.open(
        str(path), "w", format=CONTAINERS[path.suffix.lower()], options=MUXER_OPTIONS
    ) as container:  # fmt: skip
        video = container.add_stream_from_template(template.streams.video[0])
        video.time_base = clip.time_base
        parts = [_video_packets(segments, clip.pts)]
        audio_streams = {}
        try:
            for stream in source.streams.audio if audio else ():
                audio_streams[stream.index] = container.add_stream_from_template(stream)
            container.start_encoding()
        except (ValueError, av.FFmpegError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC or not audio_streams:
                raise
            raise _unsupported_audio(path, source.streams.audio[0]) from None
        if audio_streams:
            parts.append(packet for packet in source.demux(list(source.streams.audio)) if packet.size)
        for packet in heapq.merge(*parts, key=_seconds):
            packet.stream = audio_streams[packet.stream.index] if packet.stream.type == "audio" else video
            container.mux(packet)


def _stream(
    container: av.container.OutputContainer, clip: Clip, frame: Frame, shape: tuple[int, ...]
) -> av.VideoStream:
    stream = container.add_stream("libx264", options=X264_OPTIONS)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = clip.time_base
    stream.codec_context.sample_aspect_ratio = frame.aspect
    context = stream.codec_context
    colorspace, context.color_primaries, context.color_trc = frame.color_codes
    context.colorspace = DEFAULT if colorspace == RGB else colorspace
    context.color_range = LIMITED_RANGE
    return stream


def _even(pixels: np.ndarray) -> np.ndarray:
    """Pad odd sides by repeating their last line: chroma subsampling of H.264 needs even sides."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)


@contextmanager
def _open_segment(path: AnyPath) -> Iterator[av.container.InputContainer]:
    with open_for_av(path) as content, av.open(content, "r") as container:
        yield container


def _video_packets(segments: Sequence[AnyPath], pts: Sequence[int]) -> Iterator[av.Packet]:
    number = 0
    for path in segments:
        with _open_segment(path) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    # The last frame is shown as long as the one before.
                    shown = min(number, len(pts) - 2)
                    packet.duration = pts[shown + 1] - pts[shown] if len(pts) > 1 else 0
                    number += 1
                    yield packet


def _seconds(packet: av.Packet) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * Fraction(packet.time_base)


def _unsupported_audio(path: Path, stream: av.AudioStream) -> FacadeError:
    return FacadeError(
        f"{path.suffix} files cannot hold {stream.codec_context.name} audio. Use .mkv, or add --no-audio."
    )
