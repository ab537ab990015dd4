"""DVC run times for a data set in files and in shards.   python benchmarks/stores.py --count 50000   (minutes)

Each form gets its own repository with the photographs and one stage that reads them. Times are wall-clock seconds,
because DVC is I/O-bound. Each command runs once, on files and then on shards.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from keeping import keep
from printing import print_header, print_table

from facade.dataset import Face, Photograph
from facade.dataset.store import encode, finish_dataset, to_coco
from facade.params import load
from facade.seeds import generator

SIDE = 64
PIPELINE = """stages:
  take:
    cmd: cp {stamp} stamp
    deps: [data]
    outs: [stamp]
"""


def write(root: Path, form: str, count: int) -> None:
    """A data set of small, distinct pictures."""
    codec = load().codec
    photographs = []
    (root / "images").mkdir(parents=True)
    for number in range(count):
        image = generator("stores", number).integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        path = root / "images" / f"{number:016x}.jpg"
        path.write_bytes(encode(image, codec))
        photographs.append(Photograph(path.name, SIDE, SIDE, (Face((10.0, 10.0, 30.0, 40.0)),)))
    finish_dataset(root, to_coco(photographs, True), "shards" if form == "shards" else "files")


class Repository:
    """A Git and DVC repository with the data set in one form."""

    def __init__(self, root: Path, form: str, count: int) -> None:
        self.root = root
        root.mkdir()
        # A separate site cache, so that DVC has no state of other repositories.
        self._environment = os.environ | {"DVC_SITE_CACHE_DIR": str(root / ".site"), "DVC_NO_ANALYTICS": "1"}
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        self.run("dvc", "remote", "add", "-q", "-d", "local", str(root / "remote"))
        write(root / "data", form, count)
        (root / "given").write_text("as it was\n")
        (root / "dvc.yaml").write_text(PIPELINE.format(stamp="given"))

    def run(self, *command: str) -> float:
        """Run a command; returns its seconds."""
        started = time.perf_counter()
        subprocess.run(command, cwd=self.root, env=self._environment, check=True, capture_output=True)  # noqa: S603
        return time.perf_counter() - started

    def steps(self) -> dict[str, float]:
        """Seconds of the usual DVC commands."""
        taken = {"dvc add": self.run("dvc", "add", "-q", "data"), "first dvc repro": self.run("dvc", "repro", "-q")}
        taken["dvc repro, up to date"] = min(self.run("dvc", "repro", "-q") for _ in range(3))
        taken["dvc push"] = self.run("dvc", "push", "-q")
        shutil.rmtree(self.root / "data")
        taken["dvc checkout"] = self.run("dvc", "checkout", "-q")
        return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="photographs")
    wanted = parser.parse_args()
    print_header("DVC, on files and on shards", photographs=wanted.count)
    with tempfile.TemporaryDirectory() as folder:
        taken = {form: Repository(Path(folder) / form, form, wanted.count).steps() for form in ("files", "shards")}
    rows = []
    for step, files in taken["files"].items():
        shards = taken["shards"][step]
        rows.append([step, f"{files:.2f} s", f"{shards:.2f} s", f"{files / shards:.1f}"])
    idle = "dvc repro, up to date"
    keep("dvc repro with nothing to do: times as fast on shards", [taken["files"][idle] / taken["shards"][idle]], 1,
         f"{wanted.count} photographs")  # fmt: skip
    print_table(["", "files", "shards", "speed-up"], rows)


if __name__ == "__main__":
    main()
