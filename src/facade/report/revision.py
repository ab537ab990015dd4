"""What a commit says of the experiment: its parameters and metrics, as git keeps them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from facade.command import run
from facade.errors import FacadeError
from facade.stage import ANONYMIZED

GOLDEN = "metrics/golden.json"
INGEST = "metrics/ingest.json"
PRIVACY = "metrics/privacy/{arm}.json"


@dataclass(frozen=True)
class Revision:
    """Parameters and metrics at one time; empty where there were none yet.

    Attributes:
        name: Of the commit, short, or "the working tree".
        params: All of params.yaml.
        golden: metrics/golden.json.
        ingest: metrics/ingest.json.
        privacy: By arm, metrics/privacy/<arm>.json.
    """

    name: str
    params: dict[str, Any]
    golden: dict[str, Any]
    ingest: dict[str, Any]
    privacy: dict[str, dict[str, Any]]


def branching_point(base: str) -> str:
    """The commit at which the work here left another branch: what came to that branch since is not this work's doing.

    Raises:
        FacadeError: There is no such branch or commit.
    """
    try:
        return run(["git", "merge-base", base, "HEAD"]).strip()
    except FacadeError as error:
        raise FacadeError(
            f"there is no such branch or commit as {base}, or nothing in common with it ({error})."
        ) from None


def read_revision(commit: str | None) -> Revision:
    """Read a commit, or with None the working tree.

    Raises:
        FacadeError: A file is not what Facade writes.
    """

    def read(path: str) -> dict[str, Any]:
        text = _text(commit, path)
        try:
            content = YAML(typ="safe", pure=True).load(text) if path.endswith(".yaml") else json.loads(text or "{}")
        except (YAMLError, ValueError) as error:
            where = commit or "the working tree"
            raise FacadeError(f"{path} of {where} cannot be read ({str(error)[:100]}). Mend or restore it.") from None
        return content if isinstance(content, dict) else {}

    return Revision(
        name=commit[:7] if commit else "the working tree",
        params=read("params.yaml"),
        golden=read(GOLDEN),
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
