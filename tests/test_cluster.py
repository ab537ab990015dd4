"""A real Ray cluster of two nodes on this machine: the same results as without, also where a node is killed."""

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
from facade.dataset.store import encode, finish
from facade.detections import Part, detect_arm
from facade.detector.model import build, model_config
from facade.errors import FacadeError
from facade.files import write_json
from facade.footage.anonymize_files import anonymize, jobs
from facade.footage.job import Job
from facade.footage.movie import anonymize_video
from facade.parallel import in_order, work_on
from facade.params import Engine
from facade.storage import place
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
    """Work goes to the cluster until the test is done."""
    work_on(Engine(name="ray", address=cluster.address))
    yield
    work_on(Engine(name="local", address=None))


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
    """A blur that takes its time, and notes on which node it was done."""

    def __init__(self, blur: BlurFaces, notes: Path) -> None:
        self.blur, self.notes = blur, notes

    def __call__(self, image, photograph):
        node = ray.get_runtime_context().get_node_id()
        (self.notes / f"{node}-{photograph.file}").touch()
        time.sleep(0.2)
        return self.blur(image, photograph)


@pytest.mark.usefixtures("on_ray")
def test_results_come_in_the_order_of_the_items():
    """Early ones take longest: on two nodes, later ones are done before them."""
    values = list(range(24))
    told = list(in_order(late, values, "late"))
    assert [value for value, _ in told] == values
    done = [when for _, when in told]
    assert done != sorted(done)


@pytest.mark.usefixtures("on_ray")
def test_work_is_done_in_the_folder_of_the_project_by_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = set(in_order(folder, range(8), "folders"))
    assert {place for place, _ in told} == {str(tmp_path)}
    assert os.getpid() not in {process for _, process in told}


@pytest.mark.usefixtures("on_ray")
def test_a_folder_that_nodes_do_not_see_as_this_process_does_gets_a_sentence(tmp_path, monkeypatch):
    """As on a machine of its own, where the folder is missing, or another one of that name."""
    monkeypatch.setattr("facade.cluster._identity", lambda folder: -1 if folder == str(tmp_path) else inode(folder))
    with pytest.raises(FacadeError, match=f"of the Ray cluster does not see {tmp_path}, or another folder of that"):
        list(in_order(square, [1, 2], "squares", places=[tmp_path]))


def refused(value: int) -> int:
    raise PermissionError(13, "Permission denied", f"{value}.jpg")


@pytest.mark.usefixtures("on_ray")
def test_what_a_node_cannot_read_is_told_as_it_is_without_a_cluster():
    with pytest.raises(PermissionError, match="Permission denied"):
        list(in_order(refused, [1, 2], "refused"))


@pytest.mark.usefixtures("on_ray")
def test_nodes_with_other_code_do_nothing(monkeypatch):
    monkeypatch.setattr("facade.cluster.code_hash", lambda: "another version")
    with pytest.raises(FacadeError, match="of the Ray cluster has another version of Facade"):
        list(in_order(square, [1, 2], "squares"))


@pytest.mark.usefixtures("on_ray")
def test_the_key_is_not_in_the_environment_of_nodes(monkeypatch):
    monkeypatch.setenv("FACADE_KEY", "0" * 32)
    ray.shutdown()
    assert set(in_order(variable, range(4), "variables")) == {None}
    assert os.environ["FACADE_KEY"] == "0" * 32


@pytest.mark.usefixtures("on_ray")
def test_a_fault_is_the_sentence_that_it_is_without_a_cluster():
    with pytest.raises(FacadeError, match=r"^thirteen cannot be squared\. Take another\.$"):
        list(in_order(square, [1, 13, 2], "squares"))


def test_a_node_that_is_killed_costs_no_photograph(cluster, on_ray, params, make_store, tmp_path):
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
    assert len(done) > len(set(done)) == len(source), "the killed node had begun photographs, which the other did again"
    assert counts.total() == len(source), "and nothing was counted twice"
    assert tree(tmp_path / "together") == tree(tmp_path / "alone")


@pytest.mark.usefixtures("on_ray")
def test_shards_are_treated_and_searched_there_and_come_out_the_same(
    cluster, params, make_store, tmp_path, monkeypatch
):
    monkeypatch.setattr("facade.dataset.shards.SHARD", 4)
    monkeypatch.setattr("facade.detections.PIECE", 8)
    face = Face((40.0, 30.0, 60.0, 70.0))
    source = make_store({f"{number:03}.jpg": (noise(120, 160, number), (face,)) for number in range(18)}, "raw")
    content = source.content()
    source.annotations.unlink()
    finish(source.root, content, "shards")
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
        work_on(Engine(name=engine, address=cluster.address))
        treat(source, BlurFaces(params.blur), tmp_path / name / "blur", params.codec, "blur")
        low = detect.model_copy(update={"score": 0.0})
        detect_arm(models, {"all": Part(source.root)}, tmp_path / name / "found", params.detector, train, low)
    assert tree(tmp_path / "alone") == tree(tmp_path / "together")
    assert len(tree(tmp_path / "alone" / "found")["all/seed-0.json"]) > 1000


@pytest.mark.usefixtures("on_ray")
def test_a_video_comes_out_the_same(tmp_path):
    source = tmp_path / "people.mp4"
    boxes = {(source.name, number): rows for number, rows in enumerate(film_of_people(source))}
    for name, workers in (("alone", 1), ("together", None)):
        job = Job(source, source.name, tmp_path / f"{name}.mp4")
        anonymize_video(job, settings(boxes), workers, stretch=25)
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "together.mp4").read_bytes()


@pytest.mark.usefixtures("on_ray")
def test_photographs_named_by_hand_are_done_there(params, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(encode(noise(80, 100, number), params.codec))
    named = {(f"{number}.jpg", 0): np.array([[20.0, 20.0, 30.0, 40.0, 1.0]]) for number in range(3)}
    for name, workers in (("alone", 1), ("together", None)):
        found, _ = jobs([folder], tmp_path / name, [])
        assert anonymize(found, settings(named), False, print, workers) == []
    alone, together = (tree(tmp_path / name) for name in ("alone", "together"))
    assert len(alone) == 6
    assert together == alone


DRIVER = """
import json, sys
from facade.footage.anonymize_files import anonymize, jobs
from facade.parallel import work_on
from facade.params import Engine
from facade.storage import place
from tests.footage.films import settings
from tests.footage.test_storage import boxes_of

work_on(Engine(name="ray", address="auto"))
source, target, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
found, _ = jobs([place(source)], place(target))
for error in anonymize(found, settings(boxes_of(names)), False, print):
    print("FAULT", error)
"""


def test_a_job_that_ray_sends_to_the_nodes_works_from_storage_to_storage(cluster, s3, tmp_path):
    """As `ray job submit` and KubeRay do it: code is sent to the nodes, and no folder is shared."""
    bucket, address = s3
    files = photographs()
    for name, content in files.items():
        place(f"s3://{bucket}/in/{name}").write_bytes(content)
    place(f"s3://{bucket}/in/all.tar").write_bytes(tar_of(files))
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
    found, _ = jobs([place(f"s3://{bucket}/in")], place(f"s3://{bucket}/alone"))
    assert anonymize(found, settings(boxes_of(json.loads(named))), False, print, 1) == []
    assert objects(f"s3://{bucket}/out") == objects(f"s3://{bucket}/alone")
    assert len(objects(f"s3://{bucket}/out")) == 2 * (len(files) + 1)


def test_a_cluster_that_is_not_there_gets_a_sentence():
    ray.shutdown()
    with pytest.raises(FacadeError, match=r"the Ray cluster at engine\.address 127\.0\.0\.1:1 cannot be reached"):
        list(on_cluster(square, [1], "127.0.0.1:1"))
