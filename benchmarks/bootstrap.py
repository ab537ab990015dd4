"""How long the intervals take on WIDER FACE's scale.   python benchmarks/bootstrap.py   (minutes)

Nine runs on 3,226 photographs with 40,000 faces, 100 detections each; one draw is all runs scored once.
"""

import argparse
import time

import numpy as np
from printing import print_header, print_table

from facade.measure.bootstrap import draw, resample
from facade.measure.weighted import Run
from facade.seeds import generator

PHOTOGRAPHS, FACES, DETECTIONS, RUNS = 3226, 40_000, 100, 9
# Share of the detections that are right at the lowest overlap; fewer are at each stricter one.
RIGHT = 0.1


def made_up(number: int, overlaps: int) -> Run:
    """A run of the size of a real one; which detections are right is chance."""
    random = generator("bootstrap benchmark", number)
    faces = random.multinomial(FACES, np.full(PHOTOGRAPHS, 1 / PHOTOGRAPHS))
    photograph = random.permutation(np.repeat(np.arange(PHOTOGRAPHS, dtype=np.int32), DETECTIONS))
    strict = random.integers(0, overlaps + 1, len(photograph))
    bits = np.where(random.random(len(photograph)) < RIGHT, (1 << strict) - 1 if overlaps > 1 else 1, 0)
    return Run(photograph, bits.astype(np.uint16), np.zeros(len(photograph), np.uint16), faces, overlaps)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="timed; the table tells of 1,000")
    wanted = parser.parse_args()
    print_header("Bootstrap", draws=wanted.draws, photographs=PHOTOGRAPHS, faces=FACES, runs=RUNS)
    rows = []
    for name, overlaps in (("AP50", 1), ("AP .5:.95", 10)):
        runs = [made_up(number, overlaps) for number in range(RUNS)]
        draws = draw(PHOTOGRAPHS, RUNS, wanted.draws, generator("draws"))
        runs[0].average_precision(draws.photographs[0])  # compiled
        seconds = {}
        for threads in (1, 2):
            started = time.perf_counter()
            resample(runs, draws, threads)
            seconds[threads] = (time.perf_counter() - started) * 1000 / wanted.draws
        rows.append([name, f"{seconds[1]:.1f} s", f"{seconds[2]:.1f} s", f"{seconds[1] / seconds[2]:.2f}"])
    print_table(["metric", "1,000 draws, one thread", "two threads", "times as fast"], rows)


if __name__ == "__main__":
    main()
