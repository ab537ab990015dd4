"""Inspect a video before any work: which pictures it shows, when, and which way up."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import av

from facade.dataset.pixels import LONGEST_SIDE
from facade.errors import FacadeError
from facade.footage.container import Contents, Packet, footage_streams, is_cover, landmarks, open_video, read_contents
from facade.footage.matroska import is_complete
from facade.footage.orientation import orientation_of
from facade.footage.picture_order import REMUX, REPAIR, PictureOrder, picture_order
from facade.storage import AnyPath

# A video that ends this many seconds before its stated duration is truncated.
TRUNCATED = 1.0
# FFmpeg's flag of formats whose timestamps may start anywhere and jump (AVFMT_TS_DISCONT).
TS_DISCONT = 0x200
# FFmpeg's numbers of the transfer functions of HDR: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67).
HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Clip:
    """A video stream: its pictures in the order of presentation, and how they are stored.

    Attributes:
        path: The file.
        stream: Index of the stream among all streams of the file.
        time_base: Seconds per unit of a timestamp.
        pts: When each picture is shown, ascending, after `shift`.
        last_duration: How long the last picture is shown, in units of the time base.
        shift: What is added to timestamps of the file, in units of the time base: where clocks start anywhere
            (MPEG-TS), the first picture or sound is at 0.
        packets: For each picture, the index of its packet in the video stream.
        start: Index of the packet from which a decoder starts that reads the whole file.
        keyframes: Packets at which decoding may begin, by index.
        marks: See `container.landmarks`.
        stored: Width and height of the pictures before they are set upright, pixels.
        orientation: EXIF orientation of the stored pictures, 1 to 8; 1 is upright.
        aspect: Width of a stored pixel over its height.
        notes: What the user should know about the source.
    """

    path: AnyPath
    stream: int
    time_base: Fraction
    pts: tuple[int, ...]
    last_duration: int
    shift: int
    packets: tuple[int, ...]
    start: int
    keyframes: dict[int, Packet]
    marks: dict[Hashable, int]
    stored: tuple[int, int]
    orientation: int
    aspect: Fraction
    notes: tuple[str, ...]

    @property
    def key_frames(self) -> tuple[int, ...]:
        """Indices of the pictures at which decoding may begin, ascending."""
        return tuple(index for index, packet in enumerate(self.packets) if packet in self.keyframes)

    def shifted(self, shift: int) -> "Clip":
        """The same clip with another `shift`."""
        return replace(self, pts=tuple(pts - self.shift + shift for pts in self.pts), shift=shift)


def location(clip: Clip, index: int) -> str:
    """A picture in words, for error messages."""
    return f"{clip.path}: the frame at {float(clip.pts[index] * clip.time_base):.2f} seconds"


def read_clips(path: AnyPath, max_megapixels: float) -> tuple[list[Clip], list[dict[str, str]]]:
    """Inspect the video streams of a file.

    Args:
        path: The file.
        max_megapixels: A video with larger frames is refused.

    Returns:
        The streams that show something, in the order of the file; and the others, as `Record.left_out` lists them.

    Raises:
        FacadeError: It is no video, is truncated or damaged, or has invalid timestamps.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise FacadeError(f"{path} is {'empty' if path.is_file() else 'missing'}. Check the path.")
    streams, left_out = footage_streams(path)
    clips = [read_clip(path, max_megapixels, stream) for stream in streams]
    # If the clock of one stream is shifted, those of the others are: they stay in time.
    shift = max((clip.shift * clip.time_base for clip in clips), key=abs)
    return [clip.shifted(round(shift / clip.time_base)) for clip in clips], left_out


def read_clip(path: AnyPath, max_megapixels: float, stream_index: int = 0) -> Clip:
    """Inspect a video stream. It is decoded only if its packets do not tell which pictures are shown, and when.

    Args:
        path: The file.
        max_megapixels: A video with larger frames is refused.
        stream_index: Index of the stream among all streams of the file.

    Raises:
        FacadeError: See `read_clips`.
    """
    with open_video(path, stream_index) as (container, stream):
        _refuse_large(path, stream.width, stream.height, max_megapixels)
        if stream.time_base is None:
            raise FacadeError(f"{path} has no time base for its timestamps. {REMUX}")
        contents, base = read_contents(path, container, stream), stream.time_base
        if not any(packet.is_shown for packet in contents.packets):
            raise FacadeError(f"{path} holds no frames. Leave it out.")
        marks, reorders = landmarks(contents.packets), stream.codec_context.has_b_frames > 0
        order = picture_order(path, stream_index, contents.packets, marks, base, reorders)
        first = order.first
        _refuse_large(path, first.width, first.height, max_megapixels)
        _refuse_truncated(path, container, stream, contents, order.pts)
        last = _last_duration(path, container, stream, contents, order)
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        # Clocks of broadcasts start anywhere, and may wrap around.
        starts_anywhere = bool(container.format.flags & TS_DISCONT) or order.pts[0] < 0
    shift = -round(contents.start / base) if starts_anywhere else 0
    return Clip(
        path, stream_index, base, tuple(pts + shift for pts in order.pts), last, shift, order.packets, order.start,
        {index: contents.packets[index] for index in marks.values()}, marks, (first.width, first.height),
        orientation_of(path, first), aspect, tuple(_notes(order)),
    )  # fmt: skip


def _refuse_large(path: AnyPath, width: int, height: int, max_megapixels: float) -> None:
    if width * height > max_megapixels * 1e6 or max(width, height) > LONGEST_SIDE or not width * height:
        raise FacadeError(
            f"{path} has frames of {width}x{height} pixels, but ingest.max_megapixels is {max_megapixels:g}. "
            "Leave it out, or raise the limit."
        )


def _last_duration(
    path: AnyPath,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    contents: Contents,
    order: PictureOrder,
) -> int:
    """How long the last picture is shown, in units of the time base: as stated, else as long as the one before."""
    pts, base = order.pts, stream.time_base or Fraction(1)
    before = pts[-1] - pts[-2] if len(pts) > 1 else 0
    stated = contents.packets[order.packets[-1]].duration
    if "mov" in container.format.name and stream.duration is not None:
        # Durations belong to packets in the order of the file; the track ends where the last picture does.
        stated = max(stated, (stream.start_time or 0) + stream.duration - pts[-1]) if not order.cut_off else stated
    elif "matroska" in container.format.name and container.duration is not None and is_complete(path, contents.size):
        # Matroska gives video packets no duration of their own. A slide show ends with the file.
        total = round(Fraction(container.duration, av.time_base) / base) - pts[-1]
        alone = all(other == stream or is_cover(other) for other in container.streams)
        stated = max(stated, total) if alone else stated
    return stated or before


def _refuse_truncated(
    path: AnyPath,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    contents: Contents,
    pts: Sequence[int],
) -> None:
    """Refuse a video that is shorter than its stated duration: that of the video stream, else that of the container."""
    if "matroska" in container.format.name and is_complete(path, contents.size):
        return
    base = stream.time_base or Fraction(1)
    step = float(base) * (pts[-1] - pts[0]) / max(len(pts) - 1, 1)
    tolerance = max(TRUNCATED, 2 * step)
    start = stream.start_time if stream.start_time is not None else pts[0]
    if stream.duration is not None:
        # The last packet of the file may be shown before others, for long.
        times = [(packet.dts, packet.duration) for packet in contents.packets if packet.dts is not None]
        decoding = times[-1][0] + times[-1][1] - times[0][0] if times else 0
        actual = max(float((pts[-1] - start) * base) + step, float(decoding * base))
        stated = float(stream.duration * base)
    elif container.duration is not None:
        actual, stated = float(contents.end), (container.duration + (container.start_time or 0)) / av.time_base
    else:
        return
    if actual < stated - tolerance:
        raise FacadeError(f"{path} ends after {actual:.1f} of {stated:.1f} seconds: it is truncated. {REPAIR}")


def _notes(order: PictureOrder) -> list[str]:
    first, notes = order.first, []
    if order.leading:
        notes.append(
            f"The first {order.leading} pictures were left out. They cannot be decoded: the recording begins inside a "
            "group of pictures."
        )
    if order.cut_off:
        notes.append(f"The last {order.cut_off} pictures were left out. They cannot be decoded: they are cut off.")
    if first.interlaced_frame:
        notes.append("The source is interlaced. Its pictures were kept as they are, and written as progressive ones.")
    bits = max(component.bits for component in first.format.components)
    if bits > 8:
        notes.append(f"{bits} bits per sample were reduced to 8.")
    if first.color_trc in HDR:
        notes.append(f"The source is HDR ({HDR[first.color_trc]}). Its colors are kept and tagged, in 8 bits.")
    if first.format.name.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya", "pal8")):
        notes.append("Transparency was dropped.")
    return notes
