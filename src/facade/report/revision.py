"""The parameters and metrics of a commit, as tracked by git."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from facade.command import run
from facade.errors import FacadeError
from facade.params import ANONYMIZED

GOLDEN_METRICS = "metrics/golden.json"
GOLDEN = "results/golden.json"
INGEST = "metrics/ingest.json"
PRIVACY = "privacy/{arm}.json"
PRIVACY_METRICS = "metrics/privacy/{arm}.json"


@dataclass(frozen=True)
class Revision:
    """Parameters and metrics of a revision; empty where a file does not exist.

    Attributes:
        name: Abbreviated commit hash, or "the working tree".
        params: All of params.yaml.
        golden: results/golden.json; of commits that have none, metrics/golden.json.
        ingest: metrics/ingest.json.
        privacy: By arm, privacy/<arm>.json.
    """

    name: str
    params: dict[str, Any]
    golden: dict[str, Any]
    ingest: dict[str, Any]
    privacy: dict[str, dict[str, Any]]


def merge_base(base: str) -> str:
    """The merge base of HEAD and another branch, so that later commits on that branch do not count.

    Raises:
        FacadeError: There is no such branch or commit.
    """
    try:
        return run(["git", "merge-base", base, "HEAD"]).strip()
    except FacadeError as error:
        raise FacadeError(
            f"cannot find a merge base with {base} ({error}). Name an existing branch or commit."
        ) from None


def read_revision(commit: str | None) -> Revision:
    """Read a commit, or the working tree with None.

    Raises:
        FacadeError: A file is not valid YAML or JSON.
    """

    def read(path: str) -> dict[str, Any]:
        text = _text(commit, path)
        try:
            content = YAML(typ="safe", pure=True).load(text) if path.endswith(".yaml") else json.loads(text or "{}")
        except (YAMLError, ValueError) as error:
            where = commit or "the working tree"
            raise FacadeError(f"{path} of {where} cannot be read ({str(error)[:100]}). Fix or restore it.") from None
        return content if isinstance(content, dict) else {}

    return Revision(
        name=commit[:7] if commit else "the working tree",
        params=read("params.yaml"),
        golden=read(GOLDEN) or read(GOLDEN_METRICS),
        ingest=read(INGEST),
        privacy={arm: read(PRIVACY.format(arm=arm)) for arm in ANONYMIZED},
    )


def _text(commit: str | None, path: str) -> str:
    if commit is None:
        try:
            return Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
    there = run(["git", "ls-tree", "--name-only", commit, "--", path]).strip()
    return run(["git", "show", f"{commit}:{path}"]) if there else ""
