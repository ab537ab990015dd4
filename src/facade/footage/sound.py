"""The sound of a video: copied where its codec allows, else encoded again; without tags in both cases."""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from facade.errors import FacadeError
from facade.footage.clip import Clip
from facade.footage.container import open_container

# Codecs whose headers hold no text. Vorbis, for example, stores tags there, such as names and places.
TAGLESS_CODECS = ("aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus")
# The codec of sound that is encoded again, which every container here holds, and its bits per second and channel.
CODEC, BIT_RATE = "aac", 96_000
# Samples per frame of AAC, its sampling rates up to that of a CD player and of video, and its channel layouts.
FRAME_SIZE, RATES = 1024, (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1")
# Packets that an encoder's delay takes at most: Apple's AAC has 2,112 samples of it (QuickTime format, appendix G).
MAX_DELAY = 3
# Sound that is missing for longer than this, seconds, is replaced by silence, so that what follows stays in time.
# Timestamps of some containers are off by some milliseconds.
MAX_DRIFT = 0.1


def check_audio(clip: Clip, container_format: str) -> list[str]:
    """Notes for the user on sound that is encoded again.

    Args:
        clip: The video.
        container_format: FFmpeg's name of the container to be written.

    Raises:
        FacadeError: The video has sound that can be neither copied nor decoded.
    """
    with open_container(clip.path) as source, av.open("/dev/null", "w", format=container_format) as target:
        notes = []
        for stream in source.streams.audio:
            if stream.codec_context is None:
                raise FacadeError(f"{clip.path} has sound that FFmpeg cannot decode here. Add --no-audio.")
            if not can_copy(stream, target):
                notes.append(f"Sound ({stream.codec_context.name}) was encoded again, as {CODEC}.")
        return notes


def can_copy(stream: av.AudioStream, target: av.container.OutputContainer) -> bool:
    """Whether sound can be copied: its header holds no text, and the container takes it."""
    name = stream.codec_context.name
    return name.startswith(("pcm_", *TAGLESS_CODECS)) and name in target.supported_codecs


def copied_packets(clip: Clip, numbers: list[int]) -> Iterator[tuple[int, av.Packet]]:
    """Packets of streams of sound, with the indices of the streams, as they are: in the order of the file.

    What an edit list cuts off is dropped, because nobody who watches the video hears it; except for the delay of the
    encoder, without which the first samples cannot be decoded.
    """
    shift, ends = clip.shift * clip.time_base, dict.fromkeys(numbers, 0)
    before: dict[int, list[av.Packet] | None] = {number: [] for number in numbers}
    with open_container(clip.path) as source:
        for packet in source.demux([source.streams[number] for number in numbers]):
            if not packet.size:
                continue
            number = packet.stream.index
            waiting = before[number]
            if packet.is_discard:
                if waiting is not None:
                    waiting.append(packet)
                    before[number] = waiting if len(waiting) <= MAX_DELAY else None
                continue
            before[number] = None
            for kept in (*(waiting or ()), packet):
                pts = kept.pts if kept.pts is not None else kept.dts
                kept.pts = ends[number] if pts is None else pts + round(shift / kept.time_base)
                kept.dts = kept.pts  # sound is stored in the order in which it is heard
                kept.duration = _audible(source, kept, kept.pts - round(shift / kept.time_base))
                ends[number] = kept.pts + kept.duration
                yield number, kept


def _audible(source: av.container.InputContainer, packet: av.Packet, pts: int) -> int:
    """Duration of a packet of sound, up to where an edit list of QuickTime or MP4 ends it."""
    duration, stream = packet.duration or 0, packet.stream
    if "mov" not in source.format.name or stream.duration is None:
        return duration
    left = (stream.start_time or 0) + stream.duration - pts
    return min(duration, left) if left > 0 else duration


def add_encoder(source: av.AudioStream, target: av.container.OutputContainer) -> av.AudioStream:
    """Add a stream to a container for sound that is encoded again."""
    context = source.codec_context
    rate = next((rate for rate in RATES if rate >= context.sample_rate), RATES[-1])
    layout = context.layout.name if context.layout.name in LAYOUTS else "mono" if context.channels == 1 else "stereo"
    stream: av.AudioStream = target.add_stream(CODEC, rate=rate, layout=layout)  # type: ignore[assignment]
    stream.codec_context.bit_rate = BIT_RATE * stream.codec_context.channels
    stream.codec_context.flags |= av.codec.context.Flags.bitexact.value  # else it writes the version of FFmpeg
    return stream


def encoded_packets(clip: Clip, number: int, into: av.AudioStream) -> Iterator[av.Packet]:
    """Sound, decoded and encoded again.

    Args:
        clip: The video.
        number: Index of the stream of sound in it.
        into: See `add_encoder`.

    Raises:
        FacadeError: It is damaged.
    """
    context = into.codec_context
    rate, layout = context.sample_rate, context.layout.name
    written = 0
    for block in _blocks(clip, number, rate, layout):
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), written
        written += block.shape[1]
        yield from into.encode(frame)
    yield from into.encode(None)


def _blocks(clip: Clip, number: int, rate: int, layout: str) -> Iterator[np.ndarray]:
    """Samples from the beginning of the video on, (channels, 1024) float, the last block shorter."""
    rest = np.zeros((av.AudioLayout(layout).nb_channels, 0), np.float32)
    for part in _samples(clip, number, rate, layout):
        rest = np.concatenate([rest, part], axis=1)
        while rest.shape[1] >= FRAME_SIZE:
            yield np.ascontiguousarray(rest[:, :FRAME_SIZE])
            rest = rest[:, FRAME_SIZE:]
    if rest.shape[1]:
        yield np.ascontiguousarray(rest)


def _samples(clip: Clip, number: int, rate: int, layout: str) -> Iterator[np.ndarray]:
    """Decoded samples, (channels, n) float, with silence where there are none."""
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    channels = av.AudioLayout(layout).nb_channels
    shift, count = clip.shift * clip.time_base, 0
    with open_container(clip.path) as source:
        for decoded in source.decode(source.streams[number]):
            if not isinstance(decoded, av.AudioFrame):
                continue
            if decoded.pts is not None and decoded.time_base is not None:
                missing = round(float(decoded.pts * decoded.time_base + shift) * rate) - count
                if missing > MAX_DRIFT * rate or (not count and missing > 0):
                    # In pieces, because a file may claim a gap of years.
                    for first in range(0, missing, rate):
                        yield np.zeros((channels, min(rate, missing - first)), np.float32)
                    count += missing
            decoded.pts = None  # else the resampler would fill gaps, too
            for part in resampler.resample(decoded):
                count += part.samples
                yield part.to_ndarray()
        for part in resampler.resample(None):
            yield part.to_ndarray()
