"""Footage in object storage and in shards gives the same bytes as in folders, on moto's S3 server."""

import io
import json
import tarfile

import cv2
import numpy as np
import pytest
from upath import UPath

from facade.cli import app
from facade.errors import FacadeError
from facade.footage.anonymize_files import plan_jobs, run_jobs
from facade.footage.anonymize_video import anonymize_video
from facade.footage.job import Job
from facade.footage.run_record import failures
from facade.storage import list_files, to_path
from tests.conftest import noise
from tests.footage.films import film_of_people, settings
from tests.footage.test_command import facade


def upload(folder, url: str) -> None:
    for path, name in list_files(folder):
        (to_path(url) / name).write_bytes(path.read_bytes())


def objects(url: str) -> dict[str, bytes]:
    return {name: path.read_bytes() for path, name in list_files(to_path(url))}


def photographs(count: int = 4) -> dict[str, bytes]:
    return {
        f"day/{number}.{'png' if number % 2 else 'jpg'}": cv2.imencode(
            ".png" if number % 2 else ".jpg", noise(90, 120, number)
        )[1].tobytes()
        for number in range(count)
    }


def tar_of(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, file in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.uname, member.mtime = len(file), "jane", 1_700_000_000
            tar.addfile(member, io.BytesIO(file))
    return content.getvalue()


def boxes_of(names, prefix: str = "") -> dict[tuple[str, int], np.ndarray]:
    return {(f"{prefix}{name}", 0): np.array([[20.0, 20.0, 40.0, 50.0]]) for name in names}


def coco(path, names) -> None:
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    annotations = [{"id": image["id"], "image_id": image["id"], "bbox": [20, 20, 40, 50]} for image in images]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


@pytest.fixture
def tarred(tmp_path):
    """Photographs in a folder, and the same in a tar with other members."""
    files = photographs()
    for name, content in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    unsupported = {
        "odd\udcff.jpg": files["day/0.jpg"],
        "day/0.json": b'{"who": "Jane"}',
        "day/bad.jpg": b"no picture",
        "../out.png": files["day/1.png"],
    }
    (tmp_path / "000.tar").write_bytes(tar_of(files | unsupported))
    return tmp_path, files


def test_objects_in_storage_give_the_same_bytes_as_files(s3, tmp_path):
    bucket, _ = s3
    (tmp_path / "in/deep").mkdir(parents=True)
    boxes = {("c.mp4", number): rows for number, rows in enumerate(film_of_people(tmp_path / "in/c.mp4", 30))}
    for number in range(3):
        name = f"deep/{number}.jpg"
        (tmp_path / "in" / name).write_bytes(cv2.imencode(".jpg", noise(90, 120, number))[1].tobytes())
        boxes |= boxes_of([name])
    options = settings(boxes)
    found = plan_jobs([tmp_path / "in"], tmp_path / "out").jobs
    assert failures(run_jobs(found, options, False, print, 1)) == []
    upload(tmp_path / "in", f"s3://{bucket}/in")
    found = plan_jobs([to_path(f"s3://{bucket}/in/")], to_path(f"s3://{bucket}/out")).jobs
    lines: list[str] = []
    assert failures(run_jobs(found, options, False, lines.append, 1)) == []
    assert objects(f"s3://{bucket}/out") == {name: path.read_bytes() for path, name in list_files(tmp_path / "out")}
    assert len(objects(f"s3://{bucket}/out")) == 8
    lines.clear()
    assert failures(run_jobs(found, options, False, lines.append, 1)) == []
    assert [line.rpartition(": ")[2] for line in lines] == ["already done"] * 4


def test_an_interrupted_video_in_storage_is_resumed(s3, tmp_path):
    """Unfinished work is in storage, next to the target: another machine may resume it."""
    bucket, _ = s3
    boxes = {("c.mp4", number): rows for number, rows in enumerate(film_of_people(tmp_path / "c.mp4", 40))}
    upload(tmp_path, f"s3://{bucket}/in")
    alone = Job(tmp_path / "c.mp4", "c.mp4", tmp_path / "out.mp4")
    anonymize_video(alone, settings(boxes), 1, segment=15)
    job = Job(to_path(f"s3://{bucket}/in/c.mp4"), "c.mp4", to_path(f"s3://{bucket}/out/out.mp4"))
    calls = 0

    class Stops:
        def __call__(self, image, photograph):
            nonlocal calls
            calls += 1
            if calls == 25:
                raise FacadeError("power failure")
            return settings(boxes).treatment(image, photograph)

    with pytest.raises(FacadeError, match="power failure"):
        anonymize_video(job, settings(boxes, treatment=Stops()), 1, segment=15)
    assert sorted(objects(f"s3://{bucket}/out")) == [
        ".out.mp4.partial/faces-0-00000000.npz", ".out.mp4.partial/faces-0-00000015.npz",
        ".out.mp4.partial/faces-0-00000030.npz", ".out.mp4.partial/job.txt", ".out.mp4.partial/pictures-0-00000000.nut",
    ]  # fmt: skip
    anonymize_video(job, settings(boxes), 1, segment=15)
    assert sorted(objects(f"s3://{bucket}/out")) == ["out.mp4", "out.mp4.json"]
    assert objects(f"s3://{bucket}/out")["out.mp4"] == (tmp_path / "out.mp4").read_bytes()


def test_a_shard_gives_the_same_photographs_as_files_and_nothing_else(tarred):
    root, files = tarred
    found = plan_jobs([root / "in"], root / "out").jobs
    assert failures(run_jobs(found, settings(boxes_of(files)), False, print, 1)) == []
    shards = plan_jobs([root / "000.tar"], root / "anonymous").jobs
    lines: list[str] = []
    options = settings(boxes_of([*files, "day/bad.jpg"], "000.tar/"))
    # What was named and is not there fails, though the rest is written.
    (line,) = failures(run_jobs(shards, options, False, lines.append, 1))
    with tarfile.open(root / "anonymous/000.tar") as tar:
        members = tar.getmembers()
        assert {member.name: tar.extractfile(member).read() for member in members} == {
            name: (root / "out" / name).read_bytes() for name in files
        }
    assert {(member.uname, member.mtime, member.uid) for member in members} == {("", 0, 0)}
    record = json.loads((root / "anonymous/000.tar.json").read_text())
    assert (record["kind"], record["counts"]["pictures"], record["counts"]["faces"]) == ("shard", 4, 4)
    for skipped in (
        "day/0.json: not a photograph",
        "day/bad.jpg: not a picture",
        "../out.png: the name escapes the folder",
        "odd\\udcff.jpg: the name is not printable",
    ):
        assert skipped in record["notes"][0]
        assert skipped in line
    assert b"Jane" not in (root / "anonymous/000.tar").read_bytes()
    assert not lines
    (again,) = failures(run_jobs(shards, options, False, lines.append, 1))
    assert again.endswith("already done")


def test_a_shard_with_a_photograph_that_the_boxes_do_not_list_is_refused(tarred):
    root, files = tarred
    coco(root / "faces.json", [f"000.tar/{name}" for name in list(files)[:-1]])
    done = facade(root / "000.tar", root / "out.tar", "--boxes", root / "faces.json")
    assert done.returncode == 1
    assert f"does not list 000.tar/{list(files)[-1]}" in done.stderr
    assert not (root / "out.tar").exists()
    assert not list(root.glob(".*out.tar*"))


WHOLE = tar_of(photographs())
SECOND = 512 + -(-len(photographs()["day/0.jpg"]) // 512) * 512  # where the second member's header begins
DAMAGED = [
    b"no tar at all" * 100,
    WHOLE[:3000],
    WHOLE[:SECOND],  # where a member ends
    WHOLE[: SECOND + 100],
    WHOLE[: SECOND + 20] + bytes([WHOLE[SECOND + 20] ^ 1]) + WHOLE[SECOND + 21 :],  # a bit of a header
    WHOLE + WHOLE,
]


@pytest.mark.parametrize("content", DAMAGED, ids=["none", "content", "boundary", "header", "bit", "two"])
def test_a_damaged_shard_is_refused_with_a_message(tmp_path, content):
    (tmp_path / "0.tar").write_bytes(content)
    found = plan_jobs([tmp_path / "0.tar"], tmp_path / "out.tar").jobs
    errors = failures(run_jobs(found, settings(boxes_of(photographs(), "0.tar/")), False, print, 1))
    assert "0.tar cannot be read as a tar" in str(errors[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tar"]


def test_the_command_reads_and_writes_storage(s3, tarred):
    bucket, _ = s3
    root, files = tarred
    to_path(f"s3://{bucket}/in/000.tar").write_bytes((root / "000.tar").read_bytes())
    coco(root / "faces.json", [f"000.tar/{name}" for name in [*files, "day/bad.jpg"]])
    done = facade(f"s3://{bucket}/in", f"s3://{bucket}/out", "--boxes", root / "faces.json")
    assert done.returncode == 1, "day/bad.jpg is no photograph"
    assert "day/bad.jpg" in done.stderr
    assert sorted(objects(f"s3://{bucket}/out")) == ["000.tar", "000.tar.json", "facade-run.json"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("s3://nobody-has-this-bucket/in", "is missing"),
        ("carrier://pigeon/in", "cannot be accessed"),
        ("ftp://127.0.0.1:1/in", "cannot be accessed"),
        ("reference://in", "cannot be accessed"),
        ("abfs://a/in", "cannot be accessed"),
    ],
)
def test_unknown_storage_is_refused_with_a_message(s3, source, message):
    with pytest.raises(FacadeError, match=message):
        app(["anonymize", source, "s3://out/there"], standalone_mode=False)


def test_unreachable_storage_is_refused_with_a_message(s3, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    UPath("s3://x/").fs.clear_instance_cache()
    try:
        with pytest.raises(FacadeError, match="the inputs cannot be listed: "):
            app(["anonymize", "s3://bucket/in", str(tmp_path)], standalone_mode=False)
    finally:
        UPath("s3://x/").fs.clear_instance_cache()


def test_keys_that_escape_their_folder_are_skipped(s3, tmp_path):
    """Otherwise a writer of the bucket could write anywhere on this machine."""
    import boto3

    bucket, _ = s3
    picture = photographs(1)["day/0.jpg"]
    for key in ("in/a.jpg", "in/../../up.jpg", f"in/{tmp_path}/absolute.jpg"):
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=picture)
    plan = plan_jobs([to_path(f"s3://{bucket}/in")], tmp_path / "deep/deep/out")
    assert [job.name for job in plan.jobs] == ["a.jpg"]
    assert len(plan.refused) == 2


def test_another_uri_of_the_same_object_is_the_same_file(s3):
    bucket, _ = s3
    to_path(f"s3://{bucket}/in/a.jpg").write_bytes(b"a picture")
    with pytest.raises(FacadeError, match="is an input itself"):
        plan_jobs([to_path(f"s3://{bucket}/in/a.jpg")], to_path(f"s3a://{bucket}/in/a.jpg"))


def test_a_playlist_in_storage_opens_no_local_file(s3, tmp_path):
    """An object from an untrusted writer must not make FFmpeg read local files."""
    bucket, _ = s3
    film_of_people(tmp_path / "own.mp4", 10)
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nfile://{tmp_path}/own.mp4\n#EXT-X-ENDLIST\n"
    to_path(f"s3://{bucket}/in/a.mp4").write_text(text)
    found = plan_jobs([to_path(f"s3://{bucket}/in")], to_path(f"s3://{bucket}/out")).jobs
    errors = failures(run_jobs(found, settings({}), False, print, 1))
    assert "cannot be read as a video" in str(errors[0])
    assert objects(f"s3://{bucket}/out") == {}
