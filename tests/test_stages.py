"""dvc.yaml against the code: a stage's deps name what it really uses."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import REPOSITORY

STAGES = {
    name: stage.get("do", stage) for name, stage in YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["stages"].items()
}


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


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_of_its_own_script(name):
    stage = STAGES[name]
    script = next(Path(word) for word in stage["cmd"].split() if word.endswith(".py"))
    assert (REPOSITORY / script).is_file()
    digests = [dep for dep in stage["deps"] if dep.startswith("code-digests/")]
    assert digests == ([f"code-digests/{script.stem}.txt"] if name != "code" else [])


def outs_of(stage: dict) -> set[str]:
    names = {next(iter(out)) if isinstance(out, dict) else out for out in [*stage["outs"], *stage.get("metrics", [])]}
    arms = stage.get("matrix", {}).get("arm", [""])
    return {name.replace("${item.arm}", arm) for name in names for arm in arms}


@pytest.mark.parametrize("name", STAGES)
def test_every_dep_exists_or_is_made_by_a_stage(name):
    made = set().union(*(outs_of(stage) for stage in STAGES.values()))
    made |= {str(parent) for out in made for parent in Path(out).parents}  # a folder of several stages' outputs
    for dep in STAGES[name]["deps"]:
        in_code = dep.startswith("code-digests/")
        assert dep in made or in_code or "${" in dep or (REPOSITORY / dep).exists(), dep


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
