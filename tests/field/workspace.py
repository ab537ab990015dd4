"""A folder in which stages and commands run as users run them, for tests of kills, full disks and lost sources."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
from ruamel.yaml import YAML

from facade.storage import WRITING
from tests.conftest import REPOSITORY
from tests.footage.films import film_of_people

TINY = {
    "demo": {"train": 12, "golden": 6, "size": 160},
    "train": {"epochs": 2, "crop": 64, "seeds": [0], "device": "cpu"},
    "detector": {"channels": 16, "weights": None},
    "detect": {"size": 96},
}
# Times of a run, which differ in each.
TIMED = ("facade-run.json",)
# Exit status of success, and of success with a detector that is unfit for real people.
DONE = (0, 3)


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        argv: Arguments of Python.
        outputs: Files and folders that it writes.
    """

    argv: tuple[str, ...]
    outputs: tuple[str, ...] = ()


ANONYMIZE = ("-m", "facade", "anonymize")
COMMANDS = {
    "ingest": Command(("stages/ingest.py",), ("data/train", "data/golden", "data/misses", "data/quarantine.csv")),
    "blur": Command(("stages/blur.py",), ("data/blur",)),
    "synthesize": Command(("stages/synthesize.py",), ("data/pseudo", "metrics/synthesize.json")),
    "train": Command(("stages/train.py", "raw"), ("models/raw", "plots", ".work")),
    "detect": Command(("stages/detect.py", "raw"), ("detections/raw",)),
    "folder": Command((*ANONYMIZE, "footage/photographs", "out", "--synthetic"), ("out",)),
    "video": Command((*ANONYMIZE, "footage/video/in.mp4", "out/out.mkv", "--synthetic", "--masks"), ("out",)),
    "harvest": Command(("-m", "facade", "misses", "harvest", "data/demo", "--arm", "raw"), ("misses",)),
}


@dataclass(frozen=True)
class Workspace:
    """A folder with the demo, everything up to the detections of the raw arm, and footage.

    Attributes:
        root: The folder.
        temporary: Where commands have their temporary files.
    """

    root: Path
    temporary: Path

    def start(self, command: Command) -> subprocess.Popen:
        """Start a command in a process group of its own."""
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(self.temporary)}
        return subprocess.Popen(
            [sys.executable, *command.argv], cwd=self.root, env=environment, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def finish(self, command: Command) -> str:
        """Run a command, which succeeds; afterwards, its temporary folder holds no file."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir()
        output, _ = (process := self.start(command)).communicate(timeout=600)
        assert process.returncode in DONE, output
        assert not files(self.temporary), "temporary files are left"
        return output

    def fail(self, command: Command) -> str:
        """Run a command, which fails with a message."""
        output, _ = (process := self.start(command)).communicate(timeout=600)
        check_failure(process.returncode, output)
        return output

    def clear(self, command: Command) -> None:
        """Remove what a command wrote. The ledger of misses becomes that of the repository."""
        for name in command.outputs:
            for path in (self.root / name, partial(self.root / name)):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            if name == "misses":
                shutil.copytree(REPOSITORY / name, self.root / name)

    def outputs(self, command: Command) -> dict[str, bytes]:
        """Everything that a command wrote, by name, temporary files included."""
        found = {}
        for name in command.outputs:
            path = self.root / name
            for file in ([path] if path.is_file() else files(path)) + files(partial(path)):
                found[file.relative_to(self.root).as_posix()] = file.read_bytes()
        return {name: content for name, content in found.items() if not name.endswith(TIMED)}


def prepare(folder: Path) -> Workspace:
    """A workspace in which every command of `COMMANDS` can run."""
    space = Workspace(folder / "space", folder / "tmp")
    space.root.mkdir()
    space.temporary.mkdir()
    for name in ("stages", "misses"):
        shutil.copytree(REPOSITORY / name, space.root / name)
    _change_params(space.root, **TINY)
    space.finish(Command(("stages/demo.py",)))
    output = space.fail(COMMANDS["ingest"])
    _change_params(space.root, ingest={"golden_lock": re.findall(r"golden_lock=([0-9a-f]{16})", output)[-1]})
    space.finish(COMMANDS["ingest"])
    for name in ("unlabelled", "patches", "raw", "pretrain"):
        space.finish(Command((f"stages/{name}.py",)))
    for name in ("train", "detect"):
        space.finish(COMMANDS[name])
    (space.root / "footage/photographs").mkdir(parents=True)
    for number, path in enumerate(sorted((space.root / "data/demo").rglob("*.jpg"))[:12]):
        pixels = cv2.imread(str(path))
        cv2.imwrite(str(space.root / f"footage/photographs/{number}.{('jpg', 'png')[number % 2]}"), pixels)
    (space.root / "footage/video").mkdir()
    film_of_people(space.root / "footage/video/in.mp4", 60)
    return space


def _change_params(root: Path, **sections: dict) -> None:
    yaml, path = YAML(), root / "params.yaml"
    values = yaml.load(path if path.is_file() else REPOSITORY / "params.yaml")
    for section, changes in sections.items():
        values[section].update(changes)
    yaml.dump(values, path)


def check_failure(status: int, output: str) -> None:
    """A command failed with a sentence for its user."""
    assert status not in DONE, output
    assert status > 0, "it was killed"
    assert "Traceback" not in output, output
    assert "facade: " in output, output


def files(folder: Path) -> list[Path]:
    """All files below a folder, hidden ones included; no sockets."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def partial(path: Path) -> Path:
    """Where a folder is written until it is complete."""
    return path.with_name(f".{path.name}.partial")


def is_temporary(name: str) -> bool:
    """Whether a file is not yet a result."""
    return any(part.startswith(WRITING) or part.endswith(".partial") for part in Path(name).parts)
