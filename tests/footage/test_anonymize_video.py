import json
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facade.dataset import Face, Photograph
from facade.errors import FacadeError
from facade.footage.anonymize_files import run_jobs
from facade.footage.anonymize_video import anonymize_video
from facade.footage.clip import read_clip
from facade.footage.job import Job
from facade.footage.labelled_boxes import LabelledBoxes
from facade.footage.run_record import failures
from facade.footage.video import read_frames
from tests.footage.films import ffmpeg, film_of_people, frames, pattern, settings


def run(source, target, **other):
    job = Job(source, source.name, target)
    return anonymize_video(job, settings(other.pop("boxes", {}), **other), workers=1, segment=25)


def seconds(path):
    clip = read_clip(path, 100)
    return [pts * clip.time_base for pts in clip.pts]


def luma_difference(shown, written):
    """Mean difference in luma; chroma has half the resolution in a video, so hard edges blur there."""
    return np.abs(shown.astype(int) @ (1, 6, 3) - written.astype(int) @ (1, 6, 3)).mean() / 10


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.mp4"
    return path, film_of_people(path)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_a_variable_rate_keeps_every_timestamp_and_the_sound(tmp_path, ending):
    source = pattern(
        tmp_path / f"in.{ending}", 2, "160x96", "-vf", "select='not(eq(mod(n,5),2))'", "-fps_mode", "vfr",
        "-bf", "2", "-c:a", "aac",
    )  # fmt: skip
    run(source, tmp_path / f"out.{ending}")
    before, after = seconds(source), seconds(tmp_path / f"out.{ending}")
    assert len(before) == 40
    assert len({float(step) for step in np.diff(before)}) > 1
    assert after == before

    def sound(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]

    assert sound(tmp_path / f"out.{ending}") == sound(source)
    shown, written = frames(source, tmp_path / "a"), frames(tmp_path / f"out.{ending}", tmp_path / "b")
    assert np.mean([luma_difference(*both) for both in zip(shown, written, strict=True)]) < 3


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_rotated_video_is_written_upright(tmp_path, turn):
    straight = pattern(tmp_path / "straight.mp4", 0.4)
    source = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", str(turn), "-i", straight, "-c", "copy", source)
    run(source, tmp_path / "out.mp4")
    shown, written = frames(source, tmp_path / "a"), frames(tmp_path / "out.mp4", tmp_path / "b")
    assert written[0].shape == shown[0].shape == ((96, 160, 3) if turn == 180 else (160, 96, 3))
    assert luma_difference(shown[3], written[3]) < 3


def test_bt709_color_is_tagged_and_kept(tmp_path):
    source = pattern(
        tmp_path / "in.mp4", 0.4, "160x96", "-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt709",
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
    )  # fmt: skip
    run(source, tmp_path / "out.mp4")
    assert "bt709" in ffmpeg("-i", tmp_path / "out.mp4")
    shown, written = frames(source, tmp_path / "a"), frames(tmp_path / "out.mp4", tmp_path / "b")
    assert luma_difference(shown[3], written[3]) < 3


def test_metadata_other_streams_and_chapters_are_dropped(tmp_path):
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nJane Doe\n")
    plain = pattern(tmp_path / "plain.mp4", 1)
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-i", plain, "-i", tmp_path / "words.srt", "-c", "copy", "-metadata", "title=Jane Doe",
        "-metadata", "location=+52.5+013.4/", "-metadata:s:a:0", "title=Jane Doe", "-metadata:s:v:0", "title=Jane Doe",
        source,
    )  # fmt: skip
    assert source.read_bytes().count(b"Jane Doe") == 4
    run(source, tmp_path / "out.mkv")
    content = (tmp_path / "out.mkv").read_bytes()
    assert b"Jane" not in content
    assert b"+52" not in content
    assert b"Lavf5" not in content
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    run(source, tmp_path / "silent.mkv", audio=False)
    with av.open(str(tmp_path / "silent.mkv")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize("method", ["gaussian", "pixelate", "solid", "pseudonym"])
def test_treatments_do_not_modify_the_frame_in_place(method):
    """It can be the decoder's own buffer, from which the next frames are predicted."""
    frame = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    before, somebody = frame.copy(), Photograph("a.jpg", 120, 90, (Face((30, 20, 40, 50)),))
    assert (settings({}, method=method).treatment(frame, somebody).pixels != before).any()
    np.testing.assert_array_equal(frame, before)


def test_no_face_shows_if_the_detector_misses_every_third_frame(tmp_path, people):
    source, boxes = people
    found = {(source.name, number): rows for number, rows in enumerate(boxes) if number % 3}
    record = run(source, tmp_path / "out.mp4", boxes=found)
    assert record.faces.interpolated >= 2 * len(boxes) // 3
    assert record.tracks == 2
    before, after = read_clip(source, 100), read_clip(tmp_path / "out.mp4", 100)
    count = len(boxes)
    for raw, new, rows in zip(read_frames(before, 0, count), read_frames(after, 0, count), boxes, strict=True):
        for box in rows:
            x, y, w, h = np.rint(box).astype(int)
            core = slice(y + h // 4, y + 3 * h // 4), slice(x + w // 4, x + 3 * w // 4)
            detail = np.ptp(raw.pixels[core].mean(-1)), np.ptp(new.pixels[core].mean(-1))
            assert detail[1] < 0.6 * detail[0]


def test_a_person_keeps_one_pseudonym_and_others_get_others(tmp_path, people):
    source, boxes = people
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    asked = []

    class Spy:
        def __call__(self, image, photograph):
            asked.append((photograph.file, [face.person for face in photograph.faces]))
            return settings({}).treatment(image, photograph)

    run(source, tmp_path / "out.mp4", boxes=found, treatment=Spy())
    assert len({name for name, _ in asked}) == 1
    assert {tuple(numbers) for _, numbers in asked} == {(0, 1)}


def test_workers_and_interruptions_change_no_byte(tmp_path, people):
    source, boxes = people
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    run(source, tmp_path / "one.mp4", boxes=found)

    class Stops:
        def __init__(self, after):
            self.left = after

        def __call__(self, image, photograph):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return settings({}).treatment(image, photograph)

    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "two.mp4", boxes=found, treatment=Stops(40))
    assert not (tmp_path / "two.mp4").exists()
    partial = tmp_path / ".two.mp4.partial"
    assert sorted(path.name for path in partial.glob("pictures*")) == ["pictures-0-00000000.nut"]
    # Segments that remain are anonymized: no frame in them shows an untreated face.
    left = read_frames(read_clip(partial / "pictures-0-00000000.nut", 100), 0, 25)
    for frame, raw, rows in zip(left, read_frames(read_clip(source, 100), 0, 25), boxes, strict=False):
        x, y, w, h = np.rint(rows[0]).astype(int)
        core = slice(y + h // 4, y + 3 * h // 4), slice(x + w // 4, x + 3 * w // 4)
        assert np.ptp(frame.pixels[core].mean(-1)) < 0.6 * np.ptp(raw.pixels[core].mean(-1))
    treated = Stops(10_000)
    run(source, tmp_path / "two.mp4", boxes=found, treatment=treated)
    assert 10_000 - treated.left == len(boxes) - 25
    assert (tmp_path / "two.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
    assert not partial.exists()


def test_two_workers_write_the_same_bytes_as_one(tmp_path, people):
    source, boxes = people
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    for workers in (1, 2):
        job = Job(source, source.name, tmp_path / f"{workers}.mp4")
        anonymize_video(job, settings(found), workers, segment=25)
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "2.mp4").read_bytes()


def test_an_exempt_person_stays_untreated_in_the_whole_track(tmp_path, people):
    source, boxes = people
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    exempt = LabelledBoxes({(source.name, 7): boxes[7][:1]}, frozenset(), Path("exempt.json"))
    record = run(source, tmp_path / "out.mp4", boxes=found, exempt=exempt)
    assert (record.tracks, len(record.exempt), len(record.faces)) == (1, len(boxes), len(boxes))
    before, after = (read_frames(read_clip(path, 100), 30, 31) for path in (source, tmp_path / "out.mp4"))
    raw, new = next(before).pixels, next(after).pixels
    kept, hidden = (np.rint(box).astype(int) for box in boxes[30])

    def changed(box):
        x, y, w, h = box
        return np.abs(raw[y : y + h, x : x + w].astype(int) - new[y : y + h, x : x + w]).mean()

    assert changed(kept) < changed(hidden) / 2


def test_odd_sides_are_padded_and_reported(tmp_path):
    source = pattern(tmp_path / "in.mkv", 0.4, "161x97", "-an", "-c:v", "ffv1", "-pix_fmt", "bgr0")
    record = run(source, tmp_path / "out.mp4")
    written = frames(tmp_path / "out.mp4", tmp_path / "b")
    assert written[0].shape == (98, 162, 3)
    assert "even" in record.notes[0]
    shown = frames(source, tmp_path / "a")
    assert luma_difference(shown[3], written[3][:97, :161]) < 3


def broken(tmp_path, kind):
    good = pattern(tmp_path / "good.mkv", 3)
    path = tmp_path / f"{kind}.mkv"
    content = good.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 3])
    elif kind == "truncated mp4":
        path = tmp_path / "short.mp4"
        ffmpeg("-i", good, "-c", "copy", path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "audio only":
        ffmpeg("-i", good, "-vn", "-c", "copy", path)
    elif kind == "damaged":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes(3000) + content[middle + 3000 :])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "truncated|cannot be decoded|damaged"),
        ("truncated mp4", "cannot be read"),
        ("empty", "is empty"),
        ("noise", "cannot be read"),
        ("audio only", "no video stream"),
        ("missing", "is missing"),
        ("damaged", "damaged|cannot be decoded|cannot be read"),
    ],
)
def test_bad_videos_are_refused_and_leave_no_files(tmp_path, kind, message):
    source = broken(tmp_path, kind)
    with pytest.raises(FacadeError, match=message) as caught:
        run(source, tmp_path / "out.mkv")
    assert source.name in str(caught.value)
    assert not (tmp_path / "out.mkv").exists()
    assert not list(tmp_path.glob(".*/pictures*"))


def test_a_full_disk_is_reported_and_the_job_resumes_later(tmp_path, people):
    source, boxes = people
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", small], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    try:
        job = Job(source, source.name, small / "out.mp4")
        (error,) = failures(run_jobs([job], settings(found), overwrite=False, log_line=print, workers=1))
        assert "no space" in str(error)
        assert not job.target.exists()
        assert not [path for path in small.rglob("*") if path.suffix in (".mp4", ".partial") and path.is_file()]
        subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
        assert not failures(run_jobs([job], settings(found), overwrite=False, log_line=print, workers=1))
        assert len(read_clip(job.target, 100).pts) == len(boxes)
        assert json.loads(job.record.read_text())["counts"]["tracks"] == 2
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("ending", ["ts", "avi", "mpg", "flv", "webm"])
def test_segments_hold_the_right_frames_in_containers_that_seek_inexactly(tmp_path, ending):
    more = {"avi": ("-c:v", "mpeg4", "-bf", "0"), "mpg": ("-c:v", "mpeg1video", "-bf", "0")}.get(ending, ())
    source = pattern(tmp_path / f"in.{ending}", 4, "160x96", "-an", *more)
    clip = read_clip(source, 100)
    every = [frame.pixels for frame in read_frames(clip, 0, len(clip.pts))]
    for first in (30, 64):
        for number, frame in enumerate(read_frames(clip, first, first + 10)):
            assert np.array_equal(frame.pixels, every[first + number])


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_audio_with_tags_in_its_header_is_encoded_again(tmp_path, ending):
    tags = ("-metadata:s:a:0", "title=Jane Doe")
    source = pattern(tmp_path / "in.mkv", 1, "160x96", "-c:a", "libvorbis", *tags)
    assert b"Jane" in source.read_bytes()
    report = run(source, tmp_path / f"out.{ending}")
    assert report.notes == ["Sound (vorbis) was encoded again, as aac."]
    assert b"Jane" not in (tmp_path / f"out.{ending}").read_bytes()
    assert b"Lavc" not in (tmp_path / f"out.{ending}").read_bytes()

    def samples(path):
        """Mono at 44,100 Hz as the ffmpeg program decodes it: gaps as silence, delays of encoders removed."""
        ffmpeg(
            "-i", path, "-vn", "-af", "aresample=async=1:first_pts=0", "-ar", "44100", "-f", "f32le", tmp_path / "raw"
        )
        return np.fromfile(tmp_path / "raw", np.float32)

    before, after = samples(source), samples(tmp_path / f"out.{ending}")
    assert abs(len(before) - len(after)) <= 1024
    count = min(len(before), len(after))
    # FFmpeg's encoder of AAC distorts the first 60 ms.
    assert np.abs(before[:count] - after[:count])[3000:-1000].max() < 0.05


def test_boxes_of_frames_beyond_the_end_are_refused(tmp_path):
    source = pattern(tmp_path / "in.mp4", 0.4)
    with pytest.raises(FacadeError, match=r"frame 10 of in\.mp4, which has 10"):
        run(source, tmp_path / "out.mp4", boxes={("in.mp4", 10): np.array([[1.0, 1, 20, 20]])})


def test_an_exempt_box_keeps_one_person_and_only_without_jumps(tmp_path):
    source = pattern(tmp_path / "in.mp4", 2)
    alone, close = np.array([[20.0, 20, 40, 50]]), np.array([[20.0, 20, 40, 50], [28, 20, 40, 50]])
    apart = np.array([[44.0, 30, 40, 50]])
    boxes = {("in.mp4", n): close if n < 5 else alone if n < 20 else apart for n in range(50)}
    exempt = LabelledBoxes({("in.mp4", 3): alone}, frozenset(), Path("exempt.json"))
    record = run(source, tmp_path / "out.mp4", boxes=boxes, exempt=exempt)
    # The other of two close people is treated, and so is the track after a jump.
    assert len(record.exempt) == 20
    assert len(record.faces) >= 5 + 30


@pytest.mark.parametrize("turn", [0, 90])
def test_the_aspect_ratio_of_pixels_is_kept(tmp_path, turn):
    straight = pattern(tmp_path / "straight.mp4", 0.4, "160x96", "-vf", "setsar=4/3")
    source = tmp_path / "in.mp4"
    ffmpeg("-display_rotation", str(turn), "-i", straight, "-c", "copy", source)
    run(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == (Fraction(3, 4) if turn else Fraction(4, 3))


@pytest.mark.parametrize(
    ("later", "message"), [("0", "missing or duplicate timestamps"), ("3", "another size|cannot be decoded")]
)
def test_concatenated_videos_are_refused_if_timestamps_or_sizes_differ(tmp_path, later, message):
    wide = pattern(tmp_path / "a.ts", 1, "160x96", "-an", "-c:v", "mpeg2video", "-bf", "0")
    high = pattern(tmp_path / "b.ts", 1, "96x160", "-an", "-c:v", "mpeg2video", "-bf", "0", "-output_ts_offset", later)
    source = tmp_path / "in.ts"
    source.write_bytes(wide.read_bytes() + high.read_bytes())
    # FFmpeg drops the last frame before a change of size, so the error may be about either.
    with pytest.raises(FacadeError, match=message):
        run(source, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_disk_that_is_full_during_concatenation_is_not_reported_as_a_bad_source(tmp_path, people):
    source, boxes = people
    found = {(source.name, number): rows for number, rows in enumerate(boxes)}
    run(source, tmp_path / "whole.mp4", boxes=found)
    room = int(1.5 * (tmp_path / "whole.mp4").stat().st_size) // 1024
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", small], check=False).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        job = Job(source, source.name, small / "out.mp4")
        (error,) = failures(run_jobs([job], settings(found), overwrite=False, log_line=print, workers=1))
        assert "no space" in str(error)
        assert list(job.partial.glob("pictures*")), "anonymized segments stay for the next run"
        assert not job.target.exists()
    finally:
        subprocess.run(["umount", small], check=True)
