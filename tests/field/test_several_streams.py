"""Files with several video streams, as of two cameras: each is anonymized, refused or counted."""

import json
import shutil

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from facade.demo.clip import draw_video, write_video
from facade.errors import FacadeError
from facade.footage.anonymize_files import run_jobs
from facade.footage.anonymize_video import anonymize_video
from facade.footage.clip import read_clips
from facade.footage.job import Job
from facade.footage.run_record import failures
from tests.field.cases import anonymize, case, coverage, run_without_faces
from tests.footage.films import ffmpeg, film_of_people, frames, pattern, settings


@pytest.fixture(scope="module")
def cameras(tmp_path_factory):
    """Two films of 30 and 20 frames, of other sizes; and their boxes by frame."""
    folder = tmp_path_factory.mktemp("cameras")
    front = film_of_people(folder / "front.mp4", 30)
    rear = write_video(folder / "rear.mp4", draw_video(5, 20, 224, 160, people=1, face=48))
    return folder, front, rear


def recorder(cameras, path, *options):
    """The front camera, sound, the rear camera, which players show first."""
    folder, _, _ = cameras
    log = ffmpeg(
        "-i", folder / "front.mp4", "-f", "lavfi", "-i", "sine=duration=1", "-i", folder / "rear.mp4",
        "-map", "0:v", "-map", "1:a", "-map", "2:v", "-c:v", "copy", "-c:a", "aac", "-disposition:v:0", "0",
        "-disposition:v:1", "default", *options, path,
    )  # fmt: skip
    assert path.is_file(), log
    return path


def labels(path, name, *streams):
    """A COCO file of boxes, each stream under its own name."""
    images, annotations = [], []
    for number, boxes in enumerate(streams):
        for frame, rows in enumerate(boxes):
            images.append({"id": len(images), "file_name": f"{name}/{number}", "frame": frame})
            annotations += [{"id": 1, "image_id": images[-1]["id"], "bbox": row.tolist()} for row in rows]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def packets(path):
    """For each stream its type, and the times of its packets in seconds."""
    with av.open(str(path)) as container:
        times = [[] for _ in container.streams]
        for packet in container.demux():
            if packet.size:
                times[packet.stream.index].append(float(packet.pts * packet.time_base))
        return [(stream.type, sorted(own)) for stream, own in zip(container.streams, times, strict=True)]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_each_stream_is_anonymized_with_its_own_boxes(cameras, tmp_path, ending):
    _, *boxes = cameras
    source, target = recorder(cameras, tmp_path / f"in.{ending}"), tmp_path / f"out.{ending}"
    file = labels(tmp_path / "boxes.json", source.name, *boxes)
    table = tmp_path / "faces.parquet"
    assert anonymize(source, target, "--boxes", file, "--masks", "--table", table) == 0
    before, after = packets(source), packets(target)
    assert [kind for kind, _ in after] == ["video", "audio", "video"]
    for number in (0, 2):
        np.testing.assert_allclose(after[number][1], before[number][1], atol=0.001)
    masks = json.loads((tmp_path / f"out.{ending}.masks.json").read_text())
    for number, own in enumerate(boxes):
        pick = ("-map", f"0:v:{number}")
        raw, new = (frames(path, tmp_path / f"{path.stem}{number}", *pick) for path in (source, target))
        assert len(raw) == len(new) == len(own) == len(masks[number])
        for one, other, rows in zip(raw, new, own, strict=True):
            assert one.shape == other.shape
            for row in rows:
                x, y, w, h = np.rint(row).astype(int)
                core = other[y + h // 4 : y + 3 * h // 4, x + w // 4 : x + 3 * w // 4]
                assert coverage(one, other, row) > 0.9
                assert core.std(axis=(0, 1)).max() < 3, "a face is one color"
    with av.open(str(target)) as container:
        default = av.stream.Disposition.default
        assert [bool(stream.disposition & default) for stream in container.streams.video] == [False, True]
    record = json.loads((tmp_path / f"out.{ending}.json").read_text())
    assert [one["size"] for one in record["streams"]] == [[320, 180], [224, 160]]
    assert [one["pictures"] for one in record["streams"]] == [30, 20]
    assert record["counts"]["pictures"] == 50
    assert record["counts"]["tracks"] == 3
    by_stream = [[face for face in record["faces"] if face["stream"] == number] for number in (0, 1)]
    assert [len(faces) for faces in by_stream] == [sum(map(len, own)) for own in boxes]
    assert {face["track"] for face in by_stream[0]} == {0, 1}
    assert {face["track"] for face in by_stream[1]} == {2}, "people of two streams share no number, so no pseudonym"
    assert pq.read_table(table)["stream"].to_pylist() == [face["stream"] for face in record["faces"]]


def test_a_file_with_one_stream_has_no_stream_numbers(cameras, tmp_path):
    folder, front, _ = cameras
    images = [{"id": n, "file_name": "front.mp4", "frame": n} for n in range(30)]
    rows = [{"id": 1, "image_id": n, "bbox": row.tolist()} for n, own in enumerate(front) for row in own]
    (tmp_path / "b.json").write_text(json.dumps({"images": images, "annotations": rows}))
    assert anonymize(folder / "front.mp4", tmp_path / "out.mp4", "--boxes", tmp_path / "b.json") == 0
    record = json.loads((tmp_path / "out.mp4.json").read_text())
    assert record["size"] == [320, 180]
    assert "streams" not in record
    assert not any("stream" in face for face in record["faces"])
    assert record["left_out"] == []


def test_boxes_that_do_not_name_every_stream_are_refused(cameras, tmp_path, capsys):
    _, front, rear = cameras
    source = recorder(cameras, tmp_path / "in.mp4")
    (tmp_path / "one.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "in.mp4"}], "annotations": []}))
    cases = {
        "does not tell of which its boxes are. Write in.mp4/0 and in.mp4/1": tmp_path / "one.json",
        "does not list in.mp4/1": labels(tmp_path / "two.json", "in.mp4", front),
        "has boxes for in.mp4/2, but in.mp4 has no such": labels(tmp_path / "three.json", "in.mp4", front, rear, rear),
    }
    for text, file in cases.items():
        assert anonymize(source, tmp_path / "out.mp4", "--boxes", file) == 1
        assert text in capsys.readouterr().err
        assert not (tmp_path / "out.mp4").exists()


def test_an_exempt_person_is_exempt_in_the_stream_that_is_named(cameras, tmp_path):
    _, *boxes = cameras
    source = recorder(cameras, tmp_path / "in.mp4")
    file = labels(tmp_path / "boxes.json", "in.mp4", *boxes)
    exempt = {"images": [{"id": 1, "file_name": "in.mp4/1", "frame": 3}]}
    exempt["annotations"] = [{"id": 1, "image_id": 1, "bbox": boxes[1][3][0].tolist()}]
    (tmp_path / "exempt.json").write_text(json.dumps(exempt))
    assert anonymize(source, tmp_path / "out.mp4", "--boxes", file, "--exempt", tmp_path / "exempt.json") == 0
    record = json.loads((tmp_path / "out.mp4.json").read_text())
    assert {face["stream"] for face in record["exempt"]} == {1}
    assert {face["stream"] for face in record["faces"]} == {0}


def test_an_interruption_in_the_second_stream_changes_no_byte(cameras, tmp_path):
    _, *boxes = cameras
    source = recorder(cameras, tmp_path / "in.mkv")
    found = {(f"in.mkv/{n}", frame): rows for n, own in enumerate(boxes) for frame, rows in enumerate(own)}
    whole = settings(found)

    class Stops:
        left = 40

        def __call__(self, image, photograph):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return whole.treatment(image, photograph)

    job = Job(source, source.name, tmp_path / "out.mkv")
    anonymize_video(job, whole, 2, segment=15)
    expected = job.target.read_bytes()
    job.target.unlink()
    with pytest.raises(KeyboardInterrupt):
        anonymize_video(job, settings(found, treatment=Stops()), 1, segment=15)
    done = sorted(path.name for path in job.partial.glob("pictures*"))
    assert done == ["pictures-0-00000000.nut", "pictures-0-00000015.nut"]
    anonymize_video(job, whole, 1, segment=15)
    assert job.target.read_bytes() == expected


def test_streams_whose_clocks_start_anywhere_stay_in_time(cameras, tmp_path):
    folder, _, _ = cameras
    encode = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-c:a", "aac", "-output_ts_offset", "50000")
    ffmpeg("-i", folder / "front.mp4", "-itsoffset", "0.4", "-i", folder / "rear.mp4", "-map", "0:v", "-map", "1:v",
           *encode, tmp_path / "in.ts")  # fmt: skip
    run_without_faces_in_streams(tmp_path / "in.ts", tmp_path / "out.mkv")
    (_, front), (_, rear) = packets(tmp_path / "out.mkv")
    assert front[0] == 0
    assert rear[0] == pytest.approx(0.4, abs=0.01)


def run_without_faces_in_streams(source, target):
    clips, _ = read_clips(source, 100)
    found = {(f"{source.name}/{number}", 0): np.zeros((0, 4)) for number in range(len(clips))}
    errors = failures(run_jobs([Job(source, source.name, target)], settings(found), False, print, 1))
    assert not errors, errors


def test_a_cover_image_is_dropped_and_counted(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.04", "-frames:v", "1", tmp_path / "cover.jpg")
    plain = pattern(tmp_path / "plain.mp4", 0.4)
    source = tmp_path / "in.mp4"
    ffmpeg("-i", plain, "-i", tmp_path / "cover.jpg", "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1",
           "attached_pic", source)  # fmt: skip
    run_without_faces(source, tmp_path / "out.mp4")
    assert [kind for kind, _ in packets(tmp_path / "out.mp4")] == ["video", "audio"]
    record = json.loads((tmp_path / "out.mp4.json").read_text())
    assert record["left_out"] == [{"what": "stream 2 of the file", "why": "a cover image"}]


def test_a_stream_that_shows_nothing_is_dropped_and_counted(cameras, tmp_path):
    """Matroska and transport streams announce streams that the file may not hold."""
    folder, _, _ = cameras
    source = tmp_path / "in.mkv"
    with av.open(str(folder / "front.mp4")) as front, av.open(str(source), "w") as container:
        for _ in range(2):
            stream = container.add_stream_from_template(front.streams.video[0])
        for packet in front.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    run_without_faces(source, tmp_path / "out.mkv")
    assert [kind for kind, _ in packets(tmp_path / "out.mkv")] == ["video"]
    record = json.loads((tmp_path / "out.mkv.json").read_text())
    assert record["left_out"] == [{"what": "stream 0 of the file", "why": "it shows no picture"}]


def test_a_stream_that_begins_in_the_middle_of_a_broadcast_is_refused(tmp_path):
    """FFmpeg looks for streams in the first 5 MB and at the end."""
    encode = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x96:duration=1", *encode, tmp_path / "one.ts")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x96:duration=1", "-f", "lavfi", "-i", "testsrc2=size=64x64:duration=1",
           "-map", "0:v", "-map", "1:v", *encode, tmp_path / "two.ts")  # fmt: skip
    one = (tmp_path / "one.ts").read_bytes() * (6_000_000 // (tmp_path / "one.ts").stat().st_size + 1)
    (tmp_path / "in.ts").write_bytes(one + (tmp_path / "two.ts").read_bytes() + one)
    with pytest.raises(FacadeError, match="begins another video stream in the middle"):
        read_clips(tmp_path / "in.ts", 100)


def test_the_case_of_two_cameras(tmp_path, capsys):
    folder = case("two-cameras")
    assert anonymize(folder / "in.mp4", tmp_path / "out.mp4", "--boxes", folder / "boxes.json") == 1
    assert "has 2 video streams" in capsys.readouterr().err
    content = json.loads((folder / "boxes.json").read_text())
    for image in content["images"]:
        image["file_name"] = "in.mp4/0"
    content["images"].append({"id": 0, "file_name": "in.mp4/1", "frame": 0})
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    shutil.copyfile(folder / "in.mp4", tmp_path / "in.mp4")
    assert anonymize(tmp_path / "in.mp4", tmp_path / "out.mp4", "--boxes", tmp_path / "boxes.json") == 0
    record = json.loads((tmp_path / "out.mp4.json").read_text())
    assert [one["pictures"] for one in record["streams"]] == [75, 75]
