"""A finished experiment in a small repository of its own: the figures of this one, with real git and real DVC."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from ruamel.yaml import YAML

from tests.conftest import REPOSITORY, noise

MEMBERSHIP = {"members": 270, "others": 90, "auc": 0.612, "auc_low": 0.581, "auc_high": 0.643, "tpr": "not measured"}
FIGURES = ("metrics", "privacy", "gates", "results")
SECTIONS = ("arms", "audit", "blur", "codec", "demo", "detect", "detector", "evaluate", "ingest", "patches", "pretrain",
            "report", "synthesize", "train")  # fmt: skip


def stage(outs: list[str], files: list[str], params: tuple[str, ...], deps: list[str]) -> dict:
    """A stage of dvc.yaml that never runs: its outputs are there, and are committed."""
    kept = [{name: {"cache": False}} for name in files]
    return {"cmd": "false", "deps": deps, "params": list(params), "outs": [*outs, *kept]}


def build(root: Path) -> None:
    """Lay out the files of a finished experiment, and lock them."""
    root.mkdir()
    for folder in FIGURES:
        shutil.copytree(REPOSITORY / folder, root / folder)
    (root / "results/membership.json").write_text(json.dumps({"raw": MEMBERSHIP, "blur": "not measured"}))
    for name in ("params.yaml", "requirements.txt", "docs/privacy.md"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / "stages").mkdir()
    shutil.copy(REPOSITORY / "stages/evaluate.py", root / "stages")
    (root / ".gitignore").write_text("/code-digests/\n/dossier/\n")
    for folder in ("data/train", "data/golden", "data/pseudo", "models/raw", "models/blur", "models/pseudo"):
        (root / folder).mkdir(parents=True)
        (root / folder / "model.json").write_text('{"versions": {"torch": "2.11.0"}}')
    (root / "plots").mkdir()
    for number, name in enumerate(("differences", "precision-recall", "slices", "faces")):
        cv2.imwrite(str(root / f"plots/{name}.png"), noise(40, 60, number))
    figures = sorted(path.relative_to(root).as_posix() for path in (root / "plots").iterdir())
    of_arms = [
        f"{folder}/{arm}.json" for folder in ("gates", "privacy", "metrics/privacy") for arm in ("blur", "pseudo")
    ]
    of_evaluate = ["results/golden.json", "metrics/golden.json", "results/membership.json"]
    stages = {
        "ingest": stage(["data/train", "data/golden"], ["metrics/ingest.json"], ("ingest",), []),
        "synthesize": stage(["data/pseudo"], ["metrics/synthesize.json"], ("synthesize",), ["data/train"]),
        "audit": stage([], of_arms, ("audit",), ["data/pseudo"]),
        "train": stage(["models/raw", "models/blur", "models/pseudo"], [], ("train",), ["data/pseudo"]),
        "evaluate": stage([], [*of_evaluate, *figures], SECTIONS, ["models/pseudo", "privacy/pseudo.json"]),
    }  # fmt: skip
    YAML().dump({"stages": stages}, root / "dvc.yaml")
    for command in (
        ("git", "init", "-q", "-b", "main"), ("git", "config", "user.name", "Test"),
        ("git", "config", "user.email", "test@example.org"), ("dvc", "init", "-q"), ("dvc", "commit", "-q", "--force"),
        ("git", "add", "-A"), ("git", "commit", "-q", "-m", "results"),
    ):  # fmt: skip
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="package")
def experiment(tmp_path_factory) -> Iterator[Path]:
    """The repository; tests that change it put it back."""
    root = tmp_path_factory.mktemp("dossier")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DVC", "GIT"))]:
            patch.delenv(name)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("DVC_SITE_CACHE_DIR", str(root / "site"))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        build(root / "experiment")
        yield root / "experiment"
