"""Speed-up from a second core.   python benchmarks/cores.py   (a minute)

Photographs pseudonymized per second by one process and by two, in wall-clock time from the first result to the last.
Use an idle machine. The photographs are those of the demo (run `dvc repro ingest` first).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from keeping import keep
from printing import print_header, print_table

from facade.anonymize.replace_faces import ReplaceFaces
from facade.dataset import Photograph, Photographs
from facade.parallel import ordered_map
from facade.params import load
from facade.sources.from_params import open_source


@dataclass(frozen=True)
class Replace:
    """Reads a photograph and replaces its faces, as the stage does; returns the number of faces."""

    photographs: Photographs
    treat: ReplaceFaces

    def __call__(self, photograph: Photograph) -> int:
        """See `Replace`."""
        return self.treat(self.photographs.pixels(photograph), photograph).counts["faces"]


def rate(replace: Replace, items: list[Photograph], workers: int) -> float:
    """Photographs per second after the first."""
    ends = [time.perf_counter() for _ in ordered_map(replace, items, f"{workers} processes", workers)]
    return (len(ends) - 1) / (ends[-1] - ends[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, default=Path("data/train"), metavar="DATA")
    parser.add_argument("--repeats", type=int, default=3, help="passes over the data set per round")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    if not wanted.photographs.is_dir():
        raise SystemExit(f"{wanted.photographs} is missing. Run `dvc repro ingest`.")
    params = load().synthesize
    photographs = Photographs(wanted.photographs)
    items = list(photographs) * wanted.repeats
    replace = Replace(photographs, ReplaceFaces(params, open_source(params), "demo"))
    print_header("A second core", photographs=len(items), rounds=wanted.rounds)
    rates = np.array([[rate(replace, items, workers) for workers in (1, 2)] for _ in range(wanted.rounds)])
    ratios = rates[:, 1] / rates[:, 0]
    keep("pseudonyms: two cores over one", ratios, 1.8, f"{len(items)} photographs")
    medians = [f"{value:.1f}" for value in np.median(rates, 0)]
    speedup = f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
    print_table(["", "one process", "two", "speed-up"], [["photographs per second", *medians, speedup]])


if __name__ == "__main__":
    main()
