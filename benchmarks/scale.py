"""Throughput and memory of treating many photographs.   python benchmarks/scale.py --count 20000

Demo photographs (run `dvc repro ingest` first), repeated under new names and stored in shards, are blurred and
pseudonymized on all cores. Memory is the proportional set size (PSS) of all processes, sampled every second; the memory
of a fifth is the mean while those photographs are treated. (Linux; half an hour for 20,000.)
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
from facade.dataset.shards import FOLDER, SHARD_SIZE, shard_file, write_index, write_shard
from facade.dataset.store import to_coco
from facade.params import load
from facade.sources.from_params import open_source


def repeated(source: Photographs, root: Path, count: int, max_faces: int) -> Photographs:
    """A sharded data set of `count` photographs under unique names, each with at most `max_faces` faces."""
    few = [one for one in source if len(one.faces) <= max_faces]
    taken = list(itertools.islice(itertools.cycle(few), count))
    named = [Photograph(f"{number:016x}.jpg", one.width, one.height, one.faces) for number, one in enumerate(taken)]
    positions = {}
    for number, start in enumerate(range(0, count, SHARD_SIZE)):
        some = slice(start, start + SHARD_SIZE)
        files = ((new.file, source.read(old)) for new, old in zip(named[some], taken[some], strict=True))
        positions |= write_shard(shard_file(root, number), number, files)
    write_index(root, to_coco(named, source.synthetic), positions)
    return Photographs(root)


def memory() -> float:
    """Memory of this process and its children, MB; shared pages count once."""
    own = psutil.Process()
    return sum(_pss(one) for one in (own, *own.children(recursive=True))) / 2**20


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # the process has ended
        return 0


def watched(work: Callable[[], object], done: Callable[[], int], count: int) -> tuple[float, np.ndarray]:
    """Run work; returns seconds, and rows of (share done, MB), one per second."""
    samples: list[tuple[float, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            samples.append((done() / count, memory()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    work()
    taken = time.perf_counter() - started
    ended.set()
    watcher.join()
    return taken, np.array(samples).reshape(-1, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="photographs")
    parser.add_argument("--max-faces", type=int, default=2, help="maximum number of faces per photograph")
    parser.add_argument("--photographs", type=Path, default=Path("data/train"), metavar="DATA")
    wanted = parser.parse_args()
    params = load()
    treatments = {
        "blur": BlurFaces(params.blur),
        "pseudonyms": ReplaceFaces(params.synthesize, open_source(params.synthesize), "demo"),
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = repeated(Photographs(wanted.photographs), Path(folder) / "source", wanted.count, wanted.max_faces)
        shards = len(source.shard_numbers)
        faces = sum(len(one.faces) for one in source)
        print_header("Many photographs", photographs=wanted.count, faces=faces, shards=shards)
        for name, treatment in treatments.items():
            into = Path(folder) / name
            temporary = into.with_name(f".{name}.partial") / FOLDER
            taken, samples = watched(
                lambda treatment=treatment, into=into, name=name: treat(source, treatment, into, params.codec, name),
                lambda temporary=temporary: len(list(temporary.glob("0*.tar"))), shards,
            )  # fmt: skip
            share, used = samples.T
            early, late = used[(share > 0) & (share <= 0.2)], used[share >= 0.8]
            figures = [f"{values.mean():,.0f}" if len(values) else "-" for values in (early, late)]
            rows.append([name, f"{wanted.count / taken:.1f}", f"{used.max():,.0f}", *figures])
            if len(early) and len(late):
                sample = f"{wanted.count} photographs in shards"
                keep(f"{name}: memory of the first fifth over the last", [early.mean() / late.mean()], 0.95, sample)
    print_table(["", "photographs per second", "maximum MB", "MB, first fifth", "MB, last fifth"], rows)


if __name__ == "__main__":
    main()
