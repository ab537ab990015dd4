"""Open untrusted video files, and decode them packet by packet."""

import errno
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from facade.errors import FacadeError
from facade.parallel import library_threads
from facade.storage import AnyPath, open_for_av

# A picture of VP8 or VP9 that is decoded but not shown ("alternate reference") comes in a packet of its own.
HIDING_CODECS = ("vp8", "vp9")
# MPEG-4 packets of at most so many bytes say "no picture here" (FFmpeg's MAX_NVOP_SIZE).
EMPTY_MPEG4 = 19
# Decoders may not allocate pictures larger than this multiple of the stated size, plus blocks at the border.
MAX_GROWTH, BORDER = 2, 2**17
# A video stream in FFmpeg's description of a file.
VIDEO_STREAM = re.compile(r"^\s*Stream #\d+:\d+.*: Video: ", re.MULTILINE)


@dataclass(frozen=True)
class Packet:
    """A packet of a video stream, without its content.

    Attributes:
        pts: Presentation timestamp, as the file gives it; None if it gives none.
        dts: Decoding timestamp, likewise.
        pos: Position in the file, bytes; None if unknown.
        is_keyframe: Whether decoding may begin here.
        is_shown: Whether its picture is presented, as far as packets tell: neither hidden nor cut off by an edit list.
        duration: How long its picture is shown, in units of the time base; 0 if unknown.
    """

    pts: int | None
    dts: int | None
    pos: int | None
    is_keyframe: bool
    is_shown: bool
    duration: int


@contextmanager
def open_container(path: AnyPath) -> Iterator[av.container.InputContainer]:
    """Open a file for FFmpeg.

    Raises:
        FacadeError: It cannot be opened, or FFmpeg fails inside the block.
    """
    try:
        # Only the file itself may be opened. Otherwise a playlist could make FFmpeg read other files or URLs.
        allowed = {"protocol_whitelist": "file" if isinstance(path, Path) else "none"}
        with (
            open_for_av(path) as content,
            av.open(content, "r", options=allowed, metadata_errors="replace") as container,
        ):
            yield container
    except av.FFmpegError as error:
        if error.errno == errno.ENOSPC:  # from writing inside the block, not from the source
            raise
        raise FacadeError(f"{path} cannot be read as a video ({error.strerror}). Repair it, or leave it out.") from None


@contextmanager
def open_video(path: AnyPath, index: int) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open a video to decode one of its streams.

    Args:
        path: The file.
        index: Of the stream, among all streams of the file.

    Raises:
        FacadeError: It cannot be opened, or there is no decoder for it; or FFmpeg fails inside the block.
    """
    with open_container(path) as container:
        stream = container.streams[index]
        if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
            raise FacadeError(f"{path} has a codec that FFmpeg cannot decode here. Convert it first.")
        stream.thread_type = "AUTO"
        stream.thread_count = library_threads()
        yield container, stream


def footage_streams(path: AnyPath) -> tuple[list[int], list[dict[str, str]]]:
    """The video streams of a file that show something, by index; and the others, as `Record.left_out` lists them.

    Raises:
        FacadeError: It has no video stream; or one turns up in the middle of the file, which players would not show.
    """
    with open_container(path) as container:
        covers = [stream.index for stream in container.streams.video if is_cover(stream)]
        indices = [stream.index for stream in container.streams.video if stream.index not in covers]
        if not indices:
            raise FacadeError(f"{path} has no video stream (it may be audio only). Leave it out.")
        left_out = [{"what": f"stream {index} of the file", "why": "a cover image"} for index in covers]
        if len(indices) > 1:
            shown = {packet.stream.index for packet in _packets(path, container) if not packet.is_discard}
            # A broadcast may announce a stream that it does not send. A single stream is refused by its reader.
            empty = [index for index in indices if index not in shown] if shown.intersection(indices) else []
            indices = [index for index in indices if index not in empty]
            left_out += [{"what": f"stream {index} of the file", "why": "it shows no picture"} for index in empty]
    return indices, left_out


@dataclass(frozen=True)
class _Index:
    """The index of a packet, as an object of its own: PyAV finds what travels with a packet by the object's address."""

    value: int


@dataclass(frozen=True)
class Contents:
    """What a container holds.

    Attributes:
        packets: Of the video stream, in the order of the file.
        start: The earliest timestamp of a shown picture or of sound, seconds.
        end: The end of the last packet of any stream, seconds.
        size: Where the last packet ends in the file, at least, bytes.
    """

    packets: list[Packet]
    start: Fraction
    end: Fraction
    size: int


def read_contents(path: AnyPath, container: av.container.InputContainer, stream: av.VideoStream) -> Contents:
    """Read a container to its end, without decoding it.

    Raises:
        FacadeError: A video stream turns up in the middle of the file.
    """
    packets: list[Packet] = []
    starts, end, size, codec = [], Fraction(0), 0, stream.codec_context.name
    for packet in _packets(path, container):
        size = max(size, (packet.pos or 0) + packet.size)
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if not packet.is_discard and packet.stream.type in ("audio", "video"):
                starts.append(packet.pts * packet.time_base)
        if packet.stream.index == stream.index:
            shown = not packet.is_discard and _holds_shown_picture(codec, packet)
            duration = max(packet.duration or 0, 0)
            packets.append(Packet(packet.pts, packet.dts, packet.pos, packet.is_keyframe, shown, duration))
    return Contents(packets, min(starts, default=Fraction(0)), end, size)


def _packets(path: AnyPath, container: av.container.InputContainer) -> Iterator[av.Packet]:
    """Packets of all streams. A broadcast may begin a stream in the middle of the file, which PyAV does not return."""
    known = _count_video_streams(container)
    with suppress(IndexError):  # at the end of the file, PyAV looks for its object of a stream that it did not know
        yield from (packet for packet in container.demux() if packet.size)
    if _count_video_streams(container) != known:
        raise FacadeError(
            f"{path} begins another video stream in the middle, as where a recorder changes the channel. "
            "Cut it there, or collect its streams: `ffmpeg -probesize 1G -analyzeduration 1G -i IN -map 0 -c copy "
            "OUT.mkv`."
        )


def _count_video_streams(container: av.container.InputContainer) -> int:
    """Number of video streams that FFmpeg knows by now. PyAV lists those alone that were known at the beginning."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # at lower levels, FFmpeg describes nothing
    try:
        return len(VIDEO_STREAM.findall(container.dumps_format()))  # type: ignore[attr-defined]  # stubs lack it
    finally:
        av.logging.set_level(level)


def landmarks(packets: Sequence[Packet]) -> dict[Hashable, int]:
    """Indices of the keyframes that are unlike all other packets, by position and timestamps."""
    count = Counter(_identity(packet) for packet in packets)
    return {
        identity: index
        for index, packet in enumerate(packets)
        if packet.is_keyframe and count[identity := _identity(packet)] == 1
    }


def seek(container: av.container.InputContainer, stream: av.VideoStream, packet: Packet) -> None:
    """Go to a packet, or to one before it. Some containers seek past it; see `landmarks`."""
    times = [time for time in (packet.pts, packet.dts) if time is not None]
    container.seek(min(times, default=0), stream=stream, backward=True)


def decode(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    start: int,
    marks: Mapping[Hashable, int] | None = None,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Pictures in the order of presentation, each with the index of its packet in the stream.

    Timestamps do not identify pictures: some files have none, others wrong ones. So each packet carries its index
    through the decoder. A packet that cannot be decoded gives no picture, and decoding continues, as in players. So a
    caller must check that it gets every picture.

    Args:
        container: Open, at its start or after a seek.
        stream: Its video stream.
        start: Index of the packet from which on packets are decoded.
        marks: See `landmarks`: they tell where reading resumes after a seek. None: the container is at its start.
    """
    context = stream.codec_context
    context.copy_opaque = True
    context.options = {"max_pixels": str(MAX_GROWTH * context.width * context.height + BORDER)}
    index = 0 if marks is None else None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if index is None:
            index = (marks or {}).get(_identity(packet)) if packet.is_keyframe else None
            if index is None:
                continue
        if index >= start:
            packet.opaque = _Index(index)
            yield from _pictures(context, packet)
        index += 1
    yield from _pictures(context, None)


def _pictures(context: av.VideoCodecContext, packet: av.Packet | None) -> Iterator[tuple[int, av.VideoFrame]]:
    try:
        frames = context.decode(packet)
    except av.FFmpegError:
        return
    for frame in frames:
        if isinstance(frame.opaque, _Index):
            yield frame.opaque.value, frame


def _identity(packet: Packet | av.Packet) -> Hashable:
    # After a seek in a program stream, the first packets have timestamps of others. So no part alone is enough.
    return packet.pts, packet.dts, packet.pos


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is an attached cover image, as in music files and from some cameras."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _holds_shown_picture(codec: str, packet: av.Packet) -> bool:
    if codec == "mpeg4":
        return packet.size > EMPTY_MPEG4
    if codec not in HIDING_CODECS:
        return True
    first = memoryview(packet)[0]
    if codec == "vp8":  # RFC 6386, section 9.1: show_frame follows the frame type and three bits of the version
        return bool(first >> 4 & 1)
    # VP9 bitstream specification, section 6.2: marker 10, two bits of the profile, show_existing_frame, frame_type,
    # show_frame; profile 3 has one bit more. A superframe, which ends with its marker, holds a shown picture.
    if memoryview(packet)[-1] >> 5 == 0b110:
        return True
    extra = first >> 4 & 0b11 == 0b11
    return bool((first >> (2 if extra else 3)) & 1 or (first >> (0 if extra else 1)) & 1)
