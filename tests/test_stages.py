"""dvc.yaml against the code: a stage's deps name what it really uses."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import REPOSITORY

# Moves bytes and makes none; dvc.yaml says so at its top.
PLUMBING = {"__init__", "cluster", "code", "errors", "files", "gate", "off", "parallel", "params", "stage", "storage"}
STAGES = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["stages"]


def module_file(name: str) -> Path | None:
    base = REPOSITORY / "src" / Path(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def imported(path: Path) -> set[Path]:
    """Files of facade that a file imports, wherever in it; of a package's `__init__`, the names' own files."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("facade"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("facade")]
        for name in names:
            file = module_file(name)
            if file is not None and file.name != "__init__.py":
                found.add(file)
            elif file is not None and isinstance(node, ast.ImportFrom):
                found |= exported(file, {alias.name for alias in node.names})
    return found


def exported(init: Path, names: set[str]) -> set[Path]:
    """Files from which a package's `__init__` takes some names."""
    found = set()
    for node in ast.walk(ast.parse(init.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and names & {alias.name for alias in node.names}:
            file = module_file(node.module)
            assert file is not None
            found.add(file)
    return found


def closure(script: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = {script}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= imported(path) - seen
    return seen


@pytest.mark.parametrize("name", STAGES)
def test_deps_name_the_code_that_a_stage_uses(name):
    stage = STAGES[name]
    script = next(word for word in stage["cmd"].split() if word.endswith(".py"))
    deps = [REPOSITORY / dep for dep in stage["deps"] if "${" not in dep]
    used = {path for path in closure(REPOSITORY / script) if path.stem not in PLUMBING}
    # Types of what is stored; their code makes no bytes.
    used.discard(REPOSITORY / "src/facade/dataset/records.py")
    missing = {str(path.relative_to(REPOSITORY)) for path in used if not any(path.is_relative_to(dep) for dep in deps)}
    assert not missing, f"stage {name} uses these files, and does not name them in its deps"


def outs_of(stage: dict) -> set[str]:
    names = {next(iter(out)) if isinstance(out, dict) else out for out in [*stage["outs"], *stage.get("metrics", [])]}
    arms = stage.get("matrix", {}).get("arm", [""])
    return {name.replace("${item.arm}", arm) for name in names for arm in arms}


@pytest.mark.parametrize("name", STAGES)
def test_every_dep_exists_or_is_made_by_a_stage(name):
    made = set().union(*(outs_of(stage) for stage in STAGES.values()))
    for dep in STAGES[name]["deps"]:
        assert dep in made or "${" in dep or (REPOSITORY / dep).exists(), dep


def test_code_imports_one_way():
    """stages → report → measure → dataset; detector → measure; anonymize → sources → heads: one way, everywhere."""
    top = {"report", "demo", "stage", "detections"}
    above = {
        "dataset": {"anonymize", "sources", "heads", "detector", "measure", *top},
        "heads": {"anonymize", "sources", "dataset", "detector", "measure", *top},
        "sources": {"anonymize", "detector", "measure", *top},
        "anonymize": {"detector", "measure", *top},
        "detector": {"anonymize", "sources", "heads", *top},
        "measure": {"anonymize", "sources", "heads", "detector", *top},
    }
    root = REPOSITORY / "src" / "facade"
    for package, forbidden in above.items():
        for path in (root / package).rglob("*.py"):
            reached = {file.relative_to(root).parts[0].removesuffix(".py") for file in imported(path)}
            assert not reached & forbidden, path
