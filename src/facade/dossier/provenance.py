"""What the results of a finished experiment were made from: code, data, parameters, packages, by their fingerprints."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from facade.command import run
from facade.errors import FacadeError
from facade.files import read_json, sha256_of
from facade.params import Params
from facade.report.settings import flat_settings
from facade.stage_code import DIGESTS

LOCK, PARAMS = Path("dvc.lock"), Path("params.yaml")
REQUIREMENTS = Path("requirements.txt")
# Outputs that git keeps and that a dossier copies: figures and decisions, in JSON. None holds pixels.
COPIED = ("gates/", "privacy/", "metrics/", "results/")
PINNED = re.compile(r"[A-Za-z0-9._-]+(?:\[[^]]*\])?==[^#\\]+")


@dataclass(frozen=True)
class LockedFile:
    """An output as dvc.lock records it.

    Attributes:
        path: Relative to the repository.
        md5: Of a file, or of the listing of a folder (it then ends in `.dir`).
        size: Bytes.
        files: Number of files of a folder; 1 for a file.
        stage: What wrote it.
    """

    path: str
    md5: str
    size: int
    files: int
    stage: str


@dataclass(frozen=True)
class PipelineLock:
    """dvc.lock: what each stage was run with, and what it wrote.

    Attributes:
        outputs: By path.
        params: By stage, the sections of params.yaml that it was run with.
    """

    outputs: Mapping[str, LockedFile]
    params: Mapping[str, Mapping[str, Any]]

    @property
    def evidence(self) -> list[LockedFile]:
        """The files that a dossier copies, by name."""
        return [self.outputs[path] for path in sorted(self.outputs) if is_evidence(path)]


def is_evidence(path: str) -> bool:
    """Whether a dossier copies an output."""
    return path.startswith(COPIED) and path.endswith(".json")


def read_lock() -> PipelineLock:
    """Read dvc.lock.

    Raises:
        FacadeError: It is missing, or is no lock of a pipeline.
    """
    try:
        stages = YAML(typ="safe", pure=True).load(LOCK.read_text(encoding="utf-8"))["stages"]
        outputs = {
            out["path"]: LockedFile(out["path"], out["md5"], out["size"], out.get("nfiles", 1), name)
            for name, stage in stages.items()
            for out in stage.get("outs", [])
        }
        return PipelineLock(
            outputs, {name: stage.get("params", {}).get("params.yaml", {}) for name, stage in stages.items()}
        )
    except FileNotFoundError:
        raise FacadeError(f"{LOCK} is missing: there is no finished experiment here. Run `dvc repro`.") from None
    except (YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise FacadeError(f"{LOCK} is no lock of a pipeline. Restore it with git, or run `dvc repro`.") from None


def altered_evidence(lock: PipelineLock) -> list[str]:
    """Files that are not as their stage wrote them, as clauses.

    Raises:
        FacadeError: A file is missing, or there is none at all.
    """
    if not lock.evidence:
        raise FacadeError(f"{LOCK} records no results. Run `dvc repro`.")
    clauses = []
    for one in lock.evidence:
        try:
            content = Path(one.path).read_bytes()
        except OSError:
            raise FacadeError(f"{one.path} is missing. Run `dvc repro`, or restore it with git.") from None
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != one.md5:
            clauses.append(f"{one.path} is not the file that the stage {one.stage} wrote")
    return clauses


def describe_code() -> dict[str, Any]:
    """The commit, what differs from it, and a digest of the code of each stage.

    Raises:
        FacadeError: This is no git repository, or it has no commit.
    """
    try:
        commit, date = run(["git", "show", "--no-patch", "--format=%H %cI", "HEAD"]).split()
    except FacadeError as error:
        raise FacadeError(
            f"the commit cannot be read ({error}). Run this in the git repository of the experiment."
        ) from None
    status = run(["git", "-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=no"])
    return {
        "commit": commit,
        "date": date,
        "uncommitted": sorted(line[3:] for line in status.splitlines()),
        "stages": {path.stem: sha256_of(path) for path in sorted(DIGESTS.glob("*.txt"))},
        "pipeline_lock_sha256": sha256_of(LOCK),
    }


def describe_data(lock: PipelineLock, prefix: str) -> list[dict[str, Any]]:
    """Fingerprints of the data sets or of the models: all outputs whose path starts with a prefix."""
    return [
        {"path": one.path, "md5": one.md5, "files": one.files, "bytes": one.size, "stage": one.stage}
        for path, one in sorted(lock.outputs.items())
        if path.startswith(prefix)
    ]


def describe_parameters(lock: PipelineLock) -> dict[str, Any]:
    """The parameters that the results were made with, by dotted name; absolute paths are withheld.

    Returns:
        `used`, those of the stage `evaluate`, which takes all of them; and `other`, by stage, values that another stage
        was run with, or that params.yaml has now. It is empty for results that are up to date.
    """
    # As YAML has them, not as validated: what is compared came from the same file.
    now = YAML(typ="safe", pure=True).load(PARAMS.read_text(encoding="utf-8"))
    now.pop("engine", None)  # changes no result, and may name a host
    used = flat_settings(lock.params.get("evaluate", {}))
    other = {"params.yaml": flat_settings(now)}
    other |= {stage: flat_settings(values) for stage, values in sorted(lock.params.items()) if stage != "evaluate"}
    deviating = {
        stage: {name: value for name, value in values.items() if value != used.get(name)}
        for stage, values in other.items()
    }
    return {"used": used, "other": {stage: values for stage, values in deviating.items() if values}}


def describe_packages(params: Params) -> dict[str, Any]:
    """Versions of the packages that trained the arms, and all that are pinned.

    Raises:
        FacadeError: A model's description or requirements.txt is missing.
    """
    trained: dict[str, str] = {}
    for arm in params.arm_names:
        trained |= read_json(Path("models") / arm / "model.json")["versions"]
    try:
        lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise FacadeError(f"{REQUIREMENTS} is missing. Restore it with git.") from None
    pinned = [match[0].strip() for line in lines if (match := PINNED.match(line))]
    return {"trained_with": dict(sorted(trained.items())), "pinned": pinned, "pinned_sha256": sha256_of(REQUIREMENTS)}
