"""Which pictures a video shows, and in what order: from its packets if they tell, else by decoding it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av

from facade.errors import FacadeError
from facade.footage.container import Packet, decode, open_video, seek
from facade.storage import AnyPath

# Advice in error messages.
REPAIR = "Faces in it could not be detected, so nothing was written. Repair the file, or cut it before that."
REMUX = "Regenerate them, as `ffmpeg -fflags +genpts -i IN -c copy OUT` does."


@dataclass(frozen=True)
class PictureOrder:
    """The pictures that a video shows.

    Attributes:
        packets: Of each picture, in the order of presentation: indices of packets of the stream.
        pts: When each is shown, ascending, in units of the time base.
        leading: Number of pictures at the beginning that nobody can decode: a recording that began in the middle of a
            group of pictures lacks what they are predicted from.
        cut_off: Number of pictures at the end whose data are incomplete.
        start: Index of the packet from which decoding starts.
        first: The first picture.
    """

    packets: tuple[int, ...]
    pts: tuple[int, ...]
    leading: int
    cut_off: int
    start: int
    first: av.VideoFrame


def picture_order(
    path: AnyPath, stream: int, packets: Sequence[Packet], marks: dict[Hashable, int], base: Fraction, reorders: bool
) -> PictureOrder:
    """Find out which pictures a video shows, and when.

    Args:
        path: The file.
        stream: Index of the video stream among all streams.
        packets: Of the video stream, in the order of the file; at least one is shown.
        marks: See `container.landmarks`.
        base: The time base, seconds.
        reorders: Whether the codec presents pictures in another order than that of the file.

    Raises:
        FacadeError: A picture inside the video cannot be decoded, or timestamps contradict each other.
    """
    start = next((index for index, packet in enumerate(packets) if packet.is_keyframe), 0)
    if not _tells_order(packets, reorders):
        if not (_ascend([packet.dts for packet in packets]) or _differ([p.pts for p in packets if p.is_shown])):
            raise FacadeError(f"frames of {path} have missing or duplicate timestamps. {REMUX}")
        return _decoded_order(path, stream, packets, start, base)
    shown = [index for index, packet in enumerate(packets) if packet.is_shown]
    order = sorted(shown, key=lambda index: packets[index].pts or 0)
    index, first = _first_picture(path, stream, packets, start, base)
    leading = order.index(index)
    if leading and index != start and packets[start].is_shown:
        raise undecodable(path, packets[start].pts, base)
    cut_off = _cut_off(path, stream, packets, marks, order)
    order = order[leading : len(order) - cut_off]
    return PictureOrder(tuple(order), tuple(packets[index].pts or 0 for index in order), leading, cut_off, start, first)


def undecodable(path: AnyPath, pts: int | None, base: Fraction) -> FacadeError:
    """The error that a picture cannot be decoded."""
    return FacadeError(f"{path}: the frame at {float((pts or 0) * base):.2f} seconds cannot be decoded. {REPAIR}")


def _tells_order(packets: Sequence[Packet], reorders: bool) -> bool:
    """Whether timestamps are complete, unique and plausible.

    AVI and some Matroska files have no presentation timestamps, and FFmpeg counts up instead: the order of the file,
    which is wrong if the codec reorders pictures.
    """
    pts = [packet.pts for packet in packets if packet.is_shown]
    return _differ(pts) and not (reorders and len(pts) > 1 and _ascend(pts))


def _differ(times: Sequence[int | None]) -> bool:
    return None not in times and len(set(times)) == len(times)


def _ascend(times: Sequence[int | None]) -> bool:
    return all(one is not None and other is not None and one < other for one, other in pairwise(times))


def _first_picture(
    path: AnyPath, stream: int, packets: Sequence[Packet], start: int, base: Fraction
) -> tuple[int, av.VideoFrame]:
    with open_video(path, stream) as opened:
        for index, frame in decode(*opened, start):
            if packets[index].is_shown:
                return index, frame
    raise undecodable(path, packets[start].pts, base)


def _cut_off(
    path: AnyPath, stream: int, packets: Sequence[Packet], marks: dict[Hashable, int], order: Sequence[int]
) -> int:
    """Number of pictures at the end that give no picture: the last packets of a recording that stopped abruptly."""
    start = max((index for index in marks.values() if packets[index].is_shown), default=None)
    if start is None:
        return 0
    with open_video(path, stream) as opened:
        seek(*opened, packets[start])
        decoded = {index for index, _ in decode(*opened, start, marks)}
    if not decoded:
        return 0  # seeking failed; reading decides
    count = next((count for count, index in enumerate(reversed(order)) if index in decoded), 0)
    return count if all(index > max(decoded) for index in order[len(order) - count :]) else 0


def _decoded_order(path: AnyPath, stream: int, packets: Sequence[Packet], start: int, base: Fraction) -> PictureOrder:
    first: av.VideoFrame | None = None
    order: list[int] = []
    with open_video(path, stream) as opened:
        for index, frame in decode(*opened, start):
            order.append(index)
            first = first or frame
    if first is None or len(set(order)) < len(order):
        raise undecodable(path, packets[start].pts, base)
    missing = {index for index, packet in enumerate(packets) if packet.is_shown}.difference(order)
    leading = {index for index in missing if index < start or index < min(order[1:2], default=0)}
    cut_off = {index for index in missing if index > max(order)}
    if inside := sorted(missing - leading - cut_off):
        packet = packets[inside[0]]
        raise undecodable(path, packet.pts if packet.pts is not None else packet.dts, base)
    pts = _timestamps(path, packets, order)
    return PictureOrder(tuple(order), pts, len(leading), len(cut_off), start, first)


def _timestamps(path: AnyPath, packets: Sequence[Packet], order: Sequence[int]) -> tuple[int, ...]:
    """Timestamps of decoded pictures: their own if these ascend, else the times of decoding, in ascending order."""
    own = [packets[index].pts for index in order]
    decoding = sorted((packets[index].dts for index in order), key=lambda time: time or 0)
    for times in (own, decoding):
        if _ascend(times):
            return tuple(time or 0 for time in times)
    raise FacadeError(f"frames of {path} have missing or duplicate timestamps. {REMUX}")
