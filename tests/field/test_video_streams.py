"""Videos whose packets do not tell plainly what is shown, and when: what the ffmpeg program decodes is right."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from facade.errors import FacadeError
from facade.footage.clip import read_clip
from tests.field.cases import anonymize, case, check_against_ffmpeg, run_without_faces
from tests.footage.films import ffmpeg

MOVES = ("-f", "lavfi", "-i", "mandelbrot=size=160x96:rate=25:end_scale=0.01")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast")


def moving(path, seconds, *options):
    log = ffmpeg(*MOVES, "-f", "lavfi", "-i", f"sine=duration={seconds}", "-t", str(seconds), *options, path)
    assert path.is_file(), log
    return path


def length(path, kind):
    """Seconds from the start to the end of a stream, by its packets."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        return float(max(packet.pts + packet.duration for packet in packets) * stream.time_base)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_alternate_reference_pictures_are_not_shown(tmp_path, codec):
    for number in ("1", "2"):
        ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=2", "-c:v", codec, "-auto-alt-ref", "1",
            "-lag-in-frames", "25", "-b:v", "300k", "-cpu-used", "8", "-deadline", "good", "-pass", number,
            "-passlogfile", tmp_path / "log", tmp_path / "in.webm",
        )  # fmt: skip
    assert len(check_against_ffmpeg(tmp_path / "in.webm", tmp_path / "shown").pts) == 50
    if codec == "libvpx":  # VP9 packs both pictures into one packet
        with av.open(str(tmp_path / "in.webm")) as container:
            assert sum(bool(packet.size) for packet in container.demux()) > 50


@pytest.mark.parametrize("options", [H264, ("-c:v", "mpeg4", "-vtag", "XVID")])
def test_avi_with_reordered_pictures(tmp_path, options):
    source = moving(tmp_path / "in.avi", 2, *options, "-bf", "2", "-g", "20", "-an")
    clip = check_against_ffmpeg(source, tmp_path / "shown")
    assert len(clip.pts) == 50
    assert set(np.diff(clip.pts)) == {1}


@pytest.mark.parametrize("ending", ["mpg", "vob"])
def test_program_streams_with_reordered_pictures(tmp_path, ending):
    source = moving(tmp_path / f"in.{ending}", 2, "-c:v", "mpeg2video", "-bf", "2", "-an")
    assert len(check_against_ffmpeg(source, tmp_path / "shown").pts) == 50


def test_a_clock_that_wraps_around(tmp_path):
    source = moving(
        tmp_path / "in.ts", 4, *H264, "-bf", "2", "-c:a", "aac", "-output_ts_offset", str(2**33 / 90000 - 3)
    )
    with av.open(str(source)) as container:
        assert min(packet.pts for packet in container.demux(video=0) if packet.pts is not None) < 0
    clip = check_against_ffmpeg(source, tmp_path / "shown")
    assert len(clip.pts) == 100
    run_without_faces(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert 0 <= container.start_time < 50_000
    assert length(tmp_path / "out.mp4", "video") == pytest.approx(4, abs=0.06)
    assert length(tmp_path / "out.mp4", "audio") == pytest.approx(4, abs=0.06)


def test_sound_and_pictures_outside_of_an_edit_list_are_dropped(tmp_path):
    whole = moving(tmp_path / "whole.mp4", 3, *H264, "-g", "100", "-c:a", "aac")
    source = tmp_path / "in.mp4"
    ffmpeg("-ss", "1", "-i", whole, "-t", "1.5", "-c", "copy", source)
    with av.open(str(source)) as container:
        assert sum(packet.is_discard for packet in container.demux(audio=0)) > 20, "the trimmed sound is in the file"
    check_against_ffmpeg(source, tmp_path / "shown")
    run_without_faces(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        assert float(sum(packet.duration for packet in packets) * packets[0].time_base) == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_last_picture_of_a_slide_show_lasts_as_long_as_it_should(tmp_path, ending):
    source = tmp_path / f"in.{ending}"
    # Pictures of 1 second, and a last one of 5.
    options = ("-vf", "setpts=N/TB", "-frames:v", "5", "-fps_mode", "vfr", "-an", *H264, "-bf", "0")
    ffmpeg(*MOVES, *options, tmp_path / "plain.mp4")
    with av.open(str(tmp_path / "plain.mp4")) as plain, av.open(str(source), "w") as container:
        stream = container.add_stream_from_template(plain.streams.video[0])
        packets = [packet for packet in plain.demux(video=0) if packet.size]
        times = sorted(packet.pts for packet in packets)
        for packet in packets:
            if packet.pts == times[-1]:
                packet.duration = int(5 / packet.time_base)
            packet.stream = stream
            container.mux(packet)
    clip = read_clip(source, 100)
    end = float(clip.pts[-1] * clip.time_base) + 5
    assert float(clip.last_duration * clip.time_base) == pytest.approx(5, abs=0.01)
    run_without_faces(source, tmp_path / "out.mp4")
    assert length(tmp_path / "out.mp4", "video") == pytest.approx(end, abs=0.01)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_recording_that_begins_inside_an_open_group_of_pictures(tmp_path, codec):
    params = {"libx264": "-x264-params", "libx265": "-x265-params"}[codec]
    whole = moving(
        tmp_path / "whole.ts", 3, "-c:v", codec, "-pix_fmt", "yuv420p", "-preset", "ultrafast", params,
        "open-gop=1:keyint=27:min-keyint=27:scenecut=0:bframes=3:b-adapt=0:log-level=error", "-an",
    )  # fmt: skip
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        second = [packet for packet in packets if packet.is_keyframe][1]
        leading = sum(packet.pts < second.pts for packet in packets if packet.dts > second.dts)
    assert leading, "pictures that are stored after the keyframe, and shown before it"
    source = tmp_path / "in.ts"
    source.write_bytes(whole.read_bytes()[: 188 * 3] + whole.read_bytes()[second.pos :])
    clip = check_against_ffmpeg(source, tmp_path / "shown")
    if len(clip.pts) < 75 - 27 + leading:
        assert "cannot be decoded: the recording begins inside" in clip.notes[0]
    run_without_faces(source, tmp_path / "out.mp4")


def test_a_damaged_picture_is_named_where_it_is(tmp_path):
    source = moving(tmp_path / "in.mkv", 3, *H264, "-g", "25", "-bf", "0", "-an")
    with av.open(str(source)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][50]
        assert packet.is_keyframe
        start, size = source.read_bytes().index(bytes(packet)), packet.size
    content = bytearray(source.read_bytes())
    content[start : start + size] = bytes(size)
    source.write_bytes(content)
    with pytest.raises(FacadeError, match=r"the frame at 2\.00 seconds cannot be decoded"):
        check_against_ffmpeg(source, tmp_path / "shown")


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (("-vf", "interlace", "-flags", "+ildct+ilme", "-c:v", "mpeg2video"), "interlaced"),
        (("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error"), "10 bits per sample"),
        (("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error", "-vf",
          "setparams=color_trc=smpte2084:color_primaries=bt2020:colorspace=bt2020nc"), "HDR (PQ)"),
        (("-c:v", "qtrle", "-pix_fmt", "argb"), "Transparency"),
    ],
)  # fmt: skip
def test_what_is_lost_is_noted(tmp_path, options, note):
    source = moving(tmp_path / "in.mov", 0.4, *options, "-an")
    assert any(note in text for text in read_clip(source, 100).notes)
    run_without_faces(source, tmp_path / "out.mp4")
    assert note in " ".join(json.loads((tmp_path / "out.mp4.json").read_text())["notes"])


def test_sound_that_cannot_be_copied_is_encoded_again(tmp_path):
    for number, codec in enumerate(["wmav2", "adpcm_ms", "pcm_alaw"]):
        ending = "wmv" if codec == "wmav2" else "avi"
        source = moving(tmp_path / f"{codec}.{ending}", 1, "-c:v", "mpeg4" if number else "wmv2", "-c:a", codec)
        run_without_faces(source, tmp_path / f"{codec}.mp4")
        with av.open(str(tmp_path / f"{codec}.mp4")) as container:
            assert container.streams.audio[0].codec_context.name == "aac"
        assert length(tmp_path / f"{codec}.mp4", "audio") == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("name", "file", "target", "pictures"),
    [
        ("vp8-altref", "in.webm", "out.mkv", 75), ("ts-wrap", "in.ts", "out.mp4", 350),
        ("avi-h264", "in.avi", "out.mkv", 75), ("trim-front", "in.mp4", "out.mp4", 37),
        ("slideshow", "in.mp4", "out.mp4", 10), ("wmv", "in.wmv", "out.mkv", 75),
    ],
)  # fmt: skip
def test_the_cases_reported(tmp_path, name, file, target, pictures):
    folder = case(name)
    check_against_ffmpeg(folder / file, tmp_path / "shown")
    assert anonymize(folder / file, tmp_path / target, "--boxes", folder / "boxes.json") == 0
    assert json.loads((tmp_path / f"{target}.json").read_text())["counts"]["pictures"] == pictures
    clip = read_clip(tmp_path / target, 100)
    assert len(clip.pts) == pictures
    if name == "slideshow":
        assert clip.pts[-1] * clip.time_base + clip.last_duration * clip.time_base == Fraction(20)
    if name == "trim-front":
        assert length(tmp_path / target, "audio") == pytest.approx(1.5, abs=0.03)
