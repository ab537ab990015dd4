"""A local Ray cluster of two nodes gives the same results as one process, also when a node is killed."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from facade.anonymize import BlurFaces
from facade.anonymize.treat import treat
from facade.cluster import on_cluster
from facade.dataset import Photographs
from facade.dataset.records import Face
from facade.dataset.store import encode, finish_dataset
from facade.detections import DetectionPart, detect_arm
from facade.detector.model import build, model_config
from facade.errors import FacadeError
from facade.files import write_json
from facade.footage.anonymize_files import plan_jobs, run_jobs
from facade.footage.anonymize_video import anonymize_video
from facade.footage.job import Job
from facade.footage.run_record import failures
from facade.parallel import ordered_map, use_engine
from facade.params import Engine
from facade.storage import to_path
from tests.conftest import REPOSITORY, S3_KEYS, noise, tree
from tests.footage.films import film_of_people, settings
from tests.footage.test_storage import boxes_of, objects, photographs, tar_of

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install -r requirements-ray.txt)")


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def on_ray(cluster):
    """`ordered_map` runs on the cluster during the test."""
    use_engine(Engine(name="ray", address=cluster.address))
    yield
    use_engine(Engine(name="local", address=None))


def square(value: int) -> int:
    if value == 13:
        raise FacadeError("thirteen cannot be squared. Take another.")
    return value * value


def late(value: int) -> tuple[int, float]:
    time.sleep(1.5 if value < 2 else 0.01)
    return value, time.time()


def folder(_: int) -> tuple[str, int]:
    return str(Path.cwd()), os.getpid()


def inode(folder: str) -> int:
    return Path(folder).stat().st_ino


def variable(_: int) -> str | None:
    return os.environ.get("FACADE_KEY")


class Slowly:
    """A slow blur that records the node it ran on."""

    def __init__(self, blur: BlurFaces, notes: Path) -> None:
        self.blur, self.notes = blur, notes

    def __call__(self, image, photograph):
        node = ray.get_runtime_context().get_node_id()
        (self.notes / f"{node}-{photograph.file}").touch()
        time.sleep(0.2)
        return self.blur(image, photograph)


@pytest.mark.usefixtures("on_ray")
def test_results_come_in_the_order_of_the_items():
    """The first items take longest, so on two nodes later items finish before them."""
    values = list(range(24))
    results = list(ordered_map(late, values, "late"))
    assert [value for value, _ in results] == values
    done = [when for _, when in results]
    assert done != sorted(done)


@pytest.mark.usefixtures("on_ray")
def test_workers_run_in_the_current_folder_of_the_caller(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = set(ordered_map(folder, range(8), "folders"))
    assert {path for path, _ in results} == {str(tmp_path)}
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.usefixtures("on_ray")
def test_a_folder_that_nodes_do_not_share_is_an_error(tmp_path, monkeypatch):
    """As on another machine, where the folder is missing or is another folder of the same name."""
    monkeypatch.setattr("facade.cluster._inode", lambda folder: -1 if folder == str(tmp_path) else inode(folder))
    with pytest.raises(FacadeError, match=f"of the Ray cluster does not share {tmp_path}"):
        list(ordered_map(square, [1, 2], "squares", folders=[tmp_path]))


def refused(value: int) -> int:
    raise PermissionError(13, "Permission denied", f"{value}.jpg")


@pytest.mark.usefixtures("on_ray")
def test_an_os_error_of_a_node_is_raised_as_on_one_machine():
    with pytest.raises(PermissionError, match="Permission denied"):
        list(ordered_map(refused, [1, 2], "refused"))


@pytest.mark.usefixtures("on_ray")
def test_nodes_that_run_other_code_are_refused(monkeypatch):
    monkeypatch.setattr("facade.cluster.code_hash", lambda: "another version")
    with pytest.raises(FacadeError, match="of the Ray cluster runs another version of Facade"):
        list(ordered_map(square, [1, 2], "squares"))


@pytest.mark.slow
@pytest.mark.usefixtures("on_ray")
def test_the_secret_key_is_not_in_the_environment_of_nodes(monkeypatch):
    monkeypatch.setenv("FACADE_KEY", "0" * 32)
    ray.shutdown()
    assert set(ordered_map(variable, range(4), "variables")) == {None}
    assert os.environ["FACADE_KEY"] == "0" * 32


@pytest.mark.usefixtures("on_ray")
def test_a_facade_error_of_a_node_is_raised_unchanged():
    with pytest.raises(FacadeError, match=r"^thirteen cannot be squared\. Take another\.$"):
        list(ordered_map(square, [1, 13, 2], "squares"))


@pytest.mark.slow
def test_a_killed_node_loses_no_photograph(cluster, on_ray, params, make_store, tmp_path):
    face = Face((40.0, 30.0, 60.0, 70.0))
    source = make_store({f"{number:03}.jpg": (noise(120, 160, number), (face,)) for number in range(60)})
    blur, notes = BlurFaces(params.blur), tmp_path / "notes"
    notes.mkdir()
    treat(source, blur, tmp_path / "alone", params.codec, "blur", workers=1)
    node = cluster.add_node(num_cpus=1)

    def kill() -> None:
        end = time.monotonic() + 60
        while len(list(notes.glob(f"{node.node_id}-*"))) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    counts = treat(source, Slowly(blur, notes), tmp_path / "together", params.codec, "blur")
    killer.join()
    done = [note.name.partition("-")[2] for note in notes.iterdir()]
    assert len(done) > len(set(done)) == len(source), "photographs that the killed node had begun are redone by another"
    assert counts.total() == len(source), "nothing is counted twice"
    assert tree(tmp_path / "together") == tree(tmp_path / "alone")


@pytest.mark.usefixtures("on_ray")
def test_shards_are_treated_and_searched_on_the_cluster_with_equal_results(
    cluster, params, make_store, tmp_path, monkeypatch
):
    monkeypatch.setattr("facade.dataset.shards.SHARD_SIZE", 4)
    monkeypatch.setattr("facade.detections.CHUNK", 8)
    face = Face((40.0, 30.0, 60.0, 70.0))
    source = make_store({f"{number:03}.jpg": (noise(120, 160, number), (face,)) for number in range(18)}, "raw")
    content = source.content()
    source.annotations.unlink()
    finish_dataset(source.root, content, "shards")
    source = Photographs(source.root)
    train = params.train.model_copy(update={"seeds": (0, 1), "device": "cpu"})
    detect = params.detect.model_copy(update={"size": 96})
    models = tmp_path / "models"
    models.mkdir()
    for seed in train.seeds:
        torch.manual_seed(seed)
        torch.save(build(model_config(params.detector, detect)).state_dict(), models / f"seed-{seed}.pth")
    write_json(models / "model.json", {"arm": "raw"})
    for name, engine in (("together", "ray"), ("alone", "local")):
        use_engine(Engine(name=engine, address=cluster.address))
        treat(source, BlurFaces(params.blur), tmp_path / name / "blur", params.codec, "blur")
        low = detect.model_copy(update={"min_score": 0.0})
        detect_arm(models, {"all": DetectionPart(source.root)}, tmp_path / name / "found", params.detector, train, low)
    assert tree(tmp_path / "alone") == tree(tmp_path / "together")
    assert len(tree(tmp_path / "alone" / "found")["all/seed-0.json"]) > 1000


@pytest.mark.slow
@pytest.mark.usefixtures("on_ray")
def test_a_video_is_anonymized_on_the_cluster_with_equal_results(tmp_path):
    source = tmp_path / "people.mp4"
    boxes = {(source.name, number): rows for number, rows in enumerate(film_of_people(source))}
    for name, workers in (("alone", 1), ("together", None)):
        job = Job(source, source.name, tmp_path / f"{name}.mp4")
        anonymize_video(job, settings(boxes), workers, segment=25)
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "together.mp4").read_bytes()


@pytest.mark.usefixtures("on_ray")
def test_photographs_with_given_boxes_are_anonymized_on_the_cluster(params, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(encode(noise(80, 100, number), params.codec))
    named = {(f"{number}.jpg", 0): np.array([[20.0, 20.0, 30.0, 40.0]]) for number in range(3)}
    for name, workers in (("alone", 1), ("together", None)):
        found = plan_jobs([folder], tmp_path / name, []).jobs
        assert failures(run_jobs(found, settings(named), False, print, workers)) == []
    alone, together = (tree(tmp_path / name) for name in ("alone", "together"))
    assert len(alone) == 6
    assert together == alone


DRIVER = """
import json, sys
from facade.footage.anonymize_files import plan_jobs, run_jobs
from facade.footage.run_record import failures
from facade.parallel import use_engine
from facade.params import Engine
from facade.storage import to_path
from tests.footage.films import settings
from tests.footage.test_storage import boxes_of

use_engine(Engine(name="ray", address="auto"))
source, target, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
found = plan_jobs([to_path(source)], to_path(target)).jobs
for error in failures(run_jobs(found, settings(boxes_of(names)), False, print)):
    print("FAULT", error)
"""


@pytest.mark.slow
def test_a_submitted_ray_job_works_from_storage_to_storage(cluster, s3, tmp_path):
    """As with `ray job submit` and KubeRay: the code is sent to the nodes, and no folder is shared."""
    bucket, address = s3
    files = photographs()
    for name, content in files.items():
        to_path(f"s3://{bucket}/in/{name}").write_bytes(content)
    to_path(f"s3://{bucket}/in/all.tar").write_bytes(tar_of(files))
    code = tmp_path / "code"
    for name in ("src", "tests"):
        shutil.copytree(REPOSITORY / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "params.yaml", code)
    (code / "driver.py").write_text(DRIVER)
    storage = S3_KEYS | {"AWS_ENDPOINT_URL": address}
    sent = {"working_dir": str(code), "env_vars": storage | {"PYTHONPATH": "src:."}}
    environment = os.environ | storage | {
        "RAY_ADDRESS": cluster.address, "PYTHONPATH": f"{code / 'src'}:{code}",
        "RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": sent}),
    }  # fmt: skip
    named = json.dumps([*files, *(f"all.tar/{name}" for name in files)])

    def drive(target: str) -> str:
        command = [sys.executable, "driver.py", f"s3://{bucket}/in", target, named]
        done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    assert "FAULT" not in drive(f"s3://{bucket}/out")
    found = plan_jobs([to_path(f"s3://{bucket}/in")], to_path(f"s3://{bucket}/alone")).jobs
    assert failures(run_jobs(found, settings(boxes_of(json.loads(named))), False, print, 1)) == []
    assert objects(f"s3://{bucket}/out") == objects(f"s3://{bucket}/alone")
    assert len(objects(f"s3://{bucket}/out")) == 2 * (len(files) + 1)


def test_an_unreachable_cluster_is_an_error():
    ray.shutdown()
    with pytest.raises(FacadeError, match=r"the Ray cluster at engine\.address 127\.0\.0\.1:1 is unreachable"):
        list(on_cluster(square, [1], "127.0.0.1:1"))
