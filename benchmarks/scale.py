"""Many photographs, treated in one go: how fast, and in how much memory.   python benchmarks/scale.py --count 20000

Photographs of the demo (`dvc repro ingest` makes them), over and over under new names, in shards; blurred, and
pseudonymized, by all cores. Memory is that of all processes, shared pages divided among them (PSS), every second; that
of a fifth is the mean while those photographs were done. (Linux; half an hour at 20,000.)
"""

import argparse
import itertools
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from keeping import keep
from printing import print_header, print_table

from facade.anonymize import BlurFaces, treat
from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Photographs
from facade.dataset.records import Photograph
from facade.dataset.shards import FOLDER, SHARD, shard_file, write_index, write_shard
from facade.dataset.store import coco
from facade.params import load
from facade.sources.from_params import source_of


def repeated(source: Photographs, root: Path, count: int, most: int) -> Photographs:
    """A data set in shards of so many photographs, each of which has a name of its own and a few faces at the most."""
    few = [one for one in source if len(one.faces) <= most]
    taken = list(itertools.islice(itertools.cycle(few), count))
    named = [Photograph(f"{number:016x}.jpg", one.width, one.height, one.faces) for number, one in enumerate(taken)]
    places = {}
    for number, start in enumerate(range(0, count, SHARD)):
        some = slice(start, start + SHARD)
        files = ((new.file, source.read(old)) for new, old in zip(named[some], taken[some], strict=True))
        places |= write_shard(shard_file(root, number), number, files)
    write_index(root, coco(named, source.synthetic), places)
    return Photographs(root)


def memory() -> float:
    """Megabytes of this process and all that it started, each shared page counted once."""
    own = psutil.Process()
    return sum(_pss(one) for one in (own, *own.children(recursive=True))) / 2**20


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it has ended since
        return 0


def watched(work: Callable[[], object], done: Callable[[], int], count: int) -> tuple[float, np.ndarray]:
    """Do work; seconds, and rows of (share done, megabytes), one a second."""
    seen: list[tuple[float, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            seen.append((done() / count, memory()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    work()
    taken = time.perf_counter() - started
    ended.set()
    watcher.join()
    return taken, np.array(seen).reshape(-1, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="photographs")
    parser.add_argument("--most", type=int, default=2, help="faces in a photograph, at the most")
    parser.add_argument("--photographs", type=Path, default=Path("data/train"), metavar="DATA")
    wanted = parser.parse_args()
    params = load()
    treatments = {
        "blur": BlurFaces(params.blur),
        "pseudonyms": ReplaceFaces(params.synthesize, source_of(params.synthesize), "demo"),
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = repeated(Photographs(wanted.photographs), Path(folder) / "source", wanted.count, wanted.most)
        shards = len(source.shard_numbers)
        faces = sum(len(one.faces) for one in source)
        print_header("Many photographs", photographs=wanted.count, faces=faces, shards=shards)
        for name, treatment in treatments.items():
            into = Path(folder) / name
            beside = into.with_name(f".{name}.partial") / FOLDER
            taken, seen = watched(
                lambda treatment=treatment, into=into, name=name: treat(source, treatment, into, params.codec, name),
                lambda beside=beside: len(list(beside.glob("0*.tar"))), shards,
            )  # fmt: skip
            early, late = seen[(seen[:, 0] > 0) & (seen[:, 0] <= 0.2), 1], seen[seen[:, 0] >= 0.8, 1]
            figures = [f"{values.mean():,.0f}" if len(values) else "-" for values in (early, late)]
            rows.append([name, f"{wanted.count / taken:.1f}", f"{seen[:, 1].max():,.0f}", *figures])
            if len(early) and len(late):
                sample = f"{wanted.count} photographs in shards"
                keep(f"{name}: memory of the first fifth over the last", [early.mean() / late.mean()], 0.95, sample)
    print_table(["", "photographs a second", "MB at the most", "MB, first fifth", "MB, last fifth"], rows)


if __name__ == "__main__":
    main()
