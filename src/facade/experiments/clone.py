"""A clone of the repository in which the pipeline runs with other parameters; the original does not change."""

import shutil
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facade.command import run
from facade.dataset.store import load_coco, write_annotations
from facade.errors import FacadeError


class Clone:
    """A clone of the committed repository that shares its DVC cache.

    Attributes:
        root: Root folder of the clone.
    """

    def __init__(self, source: Path, root: Path, stage: str) -> None:
        """Clone, and check out the outputs of a stage and its dependencies.

        Args:
            source: The repository.
            root: Root folder of the clone.
            stage: Name of the stage, as in `detect@pseudo`.

        Raises:
            FacadeError: git or DVC fails, for example because the experiment was never run here.
        """
        self.root = root
        if run(["git", "status", "--porcelain", "--untracked-files=no"], source).strip():
            raise FacadeError(
                "the repository has uncommitted changes, but a study runs on the last commit. Commit them first."
            )
        run(["git", "clone", "--quiet", "--no-hardlinks", str(source), str(root)])
        cache = run(["dvc", "cache", "dir"], source).strip()
        self.run("dvc", "cache", "dir", "--local", cache)
        self.run("dvc", "checkout", "--with-deps", stage)

    def run(self, *command: str) -> str:
        """Run a command in the clone; returns its output.

        Raises:
            FacadeError: The command fails.
        """
        return run(command, self.root)

    def facade(self, *arguments: str) -> str:
        """Run the `facade` command in the clone."""
        return self.run(sys.executable, "-m", "facade", *arguments)

    def set(self, section: str, **values: Any) -> None:
        """Change parameters in a section of its params.yaml; dictionaries are merged."""
        path, yaml = self.root / "params.yaml", YAML()
        content = yaml.load(path.read_text(encoding="utf-8"))
        for name, value in values.items():
            old = content[section][name]
            content[section][name] = {**old, **value} if isinstance(value, dict) else value
        with path.open("w", encoding="utf-8") as text:
            yaml.dump(content, text)

    def export(self, arm: str, into: Path) -> None:
        """Copy the detections and the labels of an arm."""
        shutil.copytree(self.root / "detections" / arm, into / "detections")
        write_annotations(into, load_coco(self.root / "data" / arm))


def log_line(text: str) -> None:
    """Print a line of progress."""
    print(text, flush=True)
