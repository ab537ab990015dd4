"""Encode anonymized frames as video: in segments, which are concatenated without re-encoding."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from facade.footage.clip import Clip
from facade.footage.container import open_container
from facade.footage.extensions import CONTAINERS
from facade.footage.sound import add_encoder, can_copy, copied_packets, encoded_packets
from facade.footage.video import DEFAULT, INTERPOLATION, RGB, Frame, decoding_matrix
from facade.storage import AnyPath, atomic_file, av_name, open_for_av

# crf: constant rate factor; at about 17 and below, frames look like their source. threads: with one, bytes do not
# depend on the number of cores. bf: without B-frames, segments can be concatenated.
X264_OPTIONS = {"crf": "17", "preset": "veryfast", "bf": "0", "threads": "1"}
# Container of segments: it keeps timestamps in any time base.
SEGMENT_FORMAT = "nut"
# FFmpeg's number of limited range: luma from 16 to 235, as players expect, whatever the source has.
LIMITED_RANGE = 1
# What is kept of how players treat a video stream: which one they show first.
KEPT_DISPOSITION = av.stream.Disposition.default
# Write neither the version of FFmpeg nor a date.
MUXER_OPTIONS = {"fflags": "+bitexact"}


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
        av.open(av_name(temporary), "w", format=SEGMENT_FORMAT, options=MUXER_OPTIONS) as container,
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


def concatenate(path: Path, videos: Sequence[tuple[Clip, Sequence[AnyPath]]], audio: bool) -> None:
    """Concatenate segments, with the sound of the source and nothing else of it. Streams keep their order.

    Args:
        path: File to write. Its extension determines the container.
        videos: The video streams of the source, and their anonymized segments in order.
        audio: Whether the sound of the source is kept (see `facade.footage.sound`).

    Raises:
        FacadeError: The sound is damaged.
    """
    by_index = {clip.stream: (clip, segments) for clip, segments in videos}
    clip, _ = videos[0]
    with open_container(clip.path) as source, ExitStack() as templates, av.open(
        av_name(path), "w", format=CONTAINERS[path.suffix.lower()], options=MUXER_OPTIONS
    ) as container:  # fmt: skip
        pictures: list[Iterator[av.Packet]] = []
        sound: list[Iterator[av.Packet]] = []
        copied: dict[int, av.AudioStream] = {}
        for stream in source.streams:
            if stream.index in by_index:
                own, segments = by_index[stream.index]
                template = templates.enter_context(_open_segment(segments[0]))
                video = container.add_stream_from_template(template.streams.video[0])
                video.time_base, video.disposition = own.time_base, stream.disposition & KEPT_DISPOSITION
                pictures.append(_video_packets(segments, own, video))
            elif audio and isinstance(stream, av.AudioStream) and can_copy(stream, container):
                copied[stream.index] = container.add_stream_from_template(stream)
            elif audio and isinstance(stream, av.AudioStream):
                sound.append(encoded_packets(clip, stream.index, add_encoder(stream, container)))
        parts = [*pictures, *sound, *([_copied_packets(clip, copied)] if copied else [])]
        container.start_encoding()
        for packet in heapq.merge(*parts, key=_seconds):
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


def _video_packets(segments: Sequence[AnyPath], clip: Clip, stream: av.VideoStream) -> Iterator[av.Packet]:
    """Encoded pictures with the timestamps of the source: segments have a time base of their own."""
    number, times = 0, (*clip.pts, clip.pts[-1] + clip.last_duration)
    for path in segments:
        with _open_segment(path) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:
                    packet.pts = packet.dts = times[number]
                    packet.duration = times[number + 1] - times[number]
                    packet.time_base = clip.time_base
                    packet.stream = stream
                    number += 1
                    yield packet


def _copied_packets(clip: Clip, streams: dict[int, av.AudioStream]) -> Iterator[av.Packet]:
    for number, packet in copied_packets(clip, list(streams)):
        packet.stream = streams[number]
        yield packet


def _seconds(packet: av.Packet) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * Fraction(packet.time_base)
