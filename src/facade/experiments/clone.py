"""A clone of the repository to run the pipeline in, with other parameters: nothing here changes."""

import shutil
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facade.command import run
from facade.dataset.store import content_of, write_annotations
from facade.errors import FacadeError


class Clone:
    """A clone of the repository, as it was committed, that shares DVC's cache.

    Attributes:
        root: Where it is.
    """

    def __init__(self, source: Path, root: Path, stage: str) -> None:
        """Clone, and check out what the committed experiment made, as far as a stage and those before it go.

        Raises:
            FacadeError: git or DVC refuses, as when the experiment was never run here.
        """
        self.root = root
        if run(["git", "status", "--porcelain", "--untracked-files=no"], source).strip():
            raise FacadeError("something is not committed, and the experiment is on what was. Commit it first.")
        run(["git", "clone", "--quiet", "--no-hardlinks", str(source), str(root)])
        cache = run(["dvc", "cache", "dir"], source).strip()
        self.run("dvc", "cache", "dir", "--local", cache)
        self.run("dvc", "checkout", "--with-deps", stage)

    def run(self, *command: str) -> str:
        """Run a command in it; what it said.

        Raises:
            FacadeError: It fails.
        """
        return run(command, self.root)

    def facade(self, *arguments: str) -> str:
        """Run the command `facade` in it."""
        return self.run(sys.executable, "-m", "facade", *arguments)

    def set(self, section: str, **values: Any) -> None:
        """Change parameters of a section of its params.yaml."""
        path, yaml = self.root / "params.yaml", YAML()
        content = yaml.load(path.read_text(encoding="utf-8"))
        for name, value in values.items():
            old = content[section][name]
            content[section][name] = {**old, **value} if isinstance(value, dict) else value
        with path.open("w", encoding="utf-8") as text:
            yaml.dump(content, text)

    def keep(self, arm: str, into: Path) -> None:
        """Keep what an arm's models detect, and the arm's labels."""
        shutil.copytree(self.root / "detections" / arm, into / "detections")
        write_annotations(into, content_of(self.root / "data" / arm))


def told(what: str) -> None:
    """Say how far it is."""
    print(what, flush=True)
