"""The job for KubeRay: its fields are the operator's, its command one that there is, its versions the pinned ones."""

import re
import shlex

import jsonschema
import pytest
import typer
from ruamel.yaml import YAML

from facade.cli import app
from tests.conftest import REPOSITORY

IMAGE = REPOSITORY / "deploy" / "Dockerfile"
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}


def of(required: tuple[str, ...] = (), **properties) -> dict:
    """The schema of an object that holds these properties, and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


QUANTITIES = of(cpu={"type": "string", "pattern": r"^\d+$"}, memory={"type": "string", "pattern": r"^\d+Gi$"})
CONTAINER = of(
    ("name", "image", "resources"),
    name=TEXT,
    image=TEXT,
    env={
        "type": "array",
        "items": of(
            ("name",), name=TEXT, valueFrom=of(("secretKeyRef",), secretKeyRef=of(("key",), name=TEXT, key=TEXT))
        ),
    },
    resources=of(("requests", "limits"), requests=QUANTITIES, limits=QUANTITIES),
    volumeMounts={"type": "array", "items": of(("name", "mountPath"), name=TEXT, mountPath=TEXT)},
)
POD = of(
    ("spec",),
    spec=of(
        ("containers",),
        serviceAccountName=TEXT,
        containers={"type": "array", "items": CONTAINER, "minItems": 1},
        volumes={"type": "array", "items": of(("name",), name=TEXT, emptyDir=of(medium=TEXT, sizeLimit=TEXT))},
    ),
)
# Ray's start parameters are strings, whatever they mean.
START = {"type": "object", "additionalProperties": TEXT}
# The fields of ray.io/v1 RayJob that are used, as KubeRay's custom resource definition has them.
SCHEMA = of(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=of(generateName={"type": "string", "pattern": "^[a-z][a-z0-9-]*-$"}),
    spec=of(
        ("entrypoint", "rayClusterSpec"),
        entrypoint=TEXT,
        backoffLimit=COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=of(
            ("rayVersion", "headGroupSpec", "workerGroupSpecs"),
            rayVersion=TEXT,
            enableInTreeAutoscaling={"type": "boolean"},
            headGroupSpec=of(("rayStartParams", "template"), rayStartParams=START, template=POD),
            workerGroupSpecs={
                "type": "array",
                "minItems": 1,
                "items": of(
                    ("groupName", "rayStartParams", "template"),
                    groupName=TEXT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=START,
                    template=POD,
                ),
            },
        ),
    ),
)


@pytest.fixture(scope="module")
def job() -> dict:
    return YAML(typ="safe", pure=True).load((REPOSITORY / "deploy" / "kuberay.yaml").read_text())


def containers(job: dict) -> dict[str, dict]:
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return {one["name"]: one for group in groups for one in group["template"]["spec"]["containers"]}


def test_the_job_has_the_fields_of_the_operator(job):
    jsonschema.validate(job, SCHEMA)


def test_its_command_is_one_that_there_is(job):
    bash, option, inner = shlex.split(job["spec"]["entrypoint"])
    assert (bash, option) == ("bash", "-c")
    folder, words = inner.split(" && exec ")
    assert folder == f"cd {re.search(r'^WORKDIR (.+)$', IMAGE.read_text(), re.MULTILINE)[1]}"
    program, dash, module, command, *rest = shlex.split(words)
    assert (program, dash, module) == ("python", "-m", "facade")
    known = typer.main.get_command(app).commands[command]
    parsed = known.make_context(command, rest, resilient_parsing=False).params
    assert parsed["engine"] == "ray"
    assert all(path.startswith("s3://") for path in parsed["paths"]), "pods share no folder"


def test_ray_is_the_same_everywhere(job):
    pinned = re.search(r"^ray(?:\[data\])?==(\S+)", (REPOSITORY / "requirements-ray.txt").read_text(), re.MULTILINE)[1]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned
    assert re.search(r"^FROM rayproject/ray:(\S+)-py311$", IMAGE.read_text(), re.MULTILINE)[1] == pinned
    assert len({one["image"] for one in containers(job).values()}) == 1


def test_the_key_is_a_secret_that_the_head_alone_is_given(job):
    found = containers(job)
    assert [one["name"] for one in found["ray-head"]["env"]] == ["FACADE_KEY"]
    assert "env" not in found["ray-worker"]
    assert job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_the_image_holds_no_photograph_and_all_that_the_command_reads():
    copied = [line.split()[1:-1] for line in IMAGE.read_text().splitlines() if line.startswith("COPY")]
    names = {name for line in copied for name in line}
    assert names == {
        "requirements.txt", "requirements-ray.txt", "src", "params.yaml", "metrics/golden.json", "models/pseudo"
    }  # fmt: skip
    tracked = names - {"models/pseudo"}  # made by `dvc repro`
    assert all((REPOSITORY / name).exists() for name in tracked)
