"""What the wheel declares: all that the code imports, in versions that the pinned environment has."""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import cv2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from facade.demo.write import write_demo
from facade.params import Params
from tests.conftest import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DECLARED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]


def test_every_import_is_declared():
    known = {canonicalize_name(requirement.name) for requirement in DECLARED}
    owners = packages_distributions()
    missing = {}
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"facade"}:
                # Without the extra that brings it, a package is taken to be called as its module.
                if not {canonicalize_name(owner) for owner in owners.get(name, [name])} & known:
                    missing[name] = str(path)
    assert not missing


def test_the_pinned_environment_satisfies_the_wheel():
    """The locks are compiled from requirements*.in, the wheel's metadata are written by hand: they must agree."""
    pins: dict[str, list[str]] = {}
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-ray.txt", "requirements-diffusion.txt"):
        for line in (REPOSITORY / name).read_text().splitlines():
            if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", line):
                pins.setdefault(canonicalize_name(match[1]), []).append(match[2])
    for requirement in DECLARED:
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned, f"{requirement} is pinned nowhere"
        assert all(requirement.specifier.contains(one, prereleases=True) for one in pinned), (requirement, pinned)


def test_the_installed_version_is_that_of_the_project():
    printed = subprocess.run([sys.executable, "-m", "facade", "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["facade", version("facade")]


@pytest.mark.slow
def test_the_wheel_anonymizes_a_photograph_in_an_empty_environment(tmp_path, params: Params):
    """Outside the checkout, with the declared dependencies alone: no torch, no mmdet, no DVC."""
    dist, venv, work = tmp_path / "dist", tmp_path / "venv", tmp_path / "work"
    source = tmp_path / "source"  # setuptools leaves a folder `build` where it works
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(dist), str(source)], tmp_path)
    run([sys.executable, "-m", "venv", str(venv)], tmp_path)
    (wheel,) = dist.glob("*.whl")
    run([str(venv / "bin/pip"), "install", "--quiet", str(wheel)], tmp_path)
    write_demo(params.demo.model_copy(update={"train": 2, "golden": 2, "size": 192}), params.codec, work / "demo")
    photograph = next((work / "demo").rglob("*.jpg"))
    run([str(venv / "bin/facade"), "anonymize", str(photograph), "out", "--synthetic"], work)
    before, after = cv2.imread(str(photograph)), cv2.imread(str(work / "out" / photograph.name))
    assert before.shape == after.shape
    assert (before != after).any()
    listed = run([str(venv / "bin/pip"), "list", "--format=freeze"], tmp_path)
    assert not re.search(r"(?mi)^(torch|mmdet|dvc)==", listed)


def run(command: list[str], cwd: Path) -> str:
    cwd.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
