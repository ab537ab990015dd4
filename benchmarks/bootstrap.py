"""Time of the bootstrap at the scale of WIDER FACE.   python benchmarks/bootstrap.py   (minutes)

Nine runs on 3,226 photographs with 40,000 faces and 100 detections each; one bootstrap sample scores all runs once.
"""

import argparse
import time

import numpy as np
from printing import print_header, print_table

from facade.measure.bootstrap import draw_bootstrap, resample
from facade.measure.weighted import MatchedRun
from facade.seeds import generator

PHOTOGRAPHS, FACES, DETECTIONS, RUNS = 3226, 40_000, 100, 9
# Share of true positives at the lowest IoU threshold; it decreases with the threshold.
TRUE_POSITIVES = 0.1


def random_run(number: int, thresholds: int) -> MatchedRun:
    """A run of realistic size with random true positives."""
    random = generator("bootstrap benchmark", number)
    faces = random.multinomial(FACES, np.full(PHOTOGRAPHS, 1 / PHOTOGRAPHS))
    photograph = random.permutation(np.repeat(np.arange(PHOTOGRAPHS, dtype=np.int32), DETECTIONS))
    matched_thresholds = random.integers(0, thresholds + 1, len(photograph))
    bits = np.where(
        random.random(len(photograph)) < TRUE_POSITIVES, (1 << matched_thresholds) - 1 if thresholds > 1 else 1, 0
    )
    return MatchedRun(photograph, bits.astype(np.uint16), np.zeros(len(photograph), np.uint16), faces, thresholds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--samples", type=int, default=200, help="number of timed bootstrap samples; the table scales to 1,000"
    )
    args = parser.parse_args()
    print_header("Bootstrap", samples=args.samples, photographs=PHOTOGRAPHS, faces=FACES, runs=RUNS)
    rows = []
    for name, thresholds in (("AP50", 1), ("AP .5:.95", 10)):
        runs = [random_run(number, thresholds) for number in range(RUNS)]
        bootstrap = draw_bootstrap(PHOTOGRAPHS, RUNS, args.samples, generator("draws"))
        runs[0].average_precision(bootstrap.photograph_counts[0])  # compile
        seconds = {}
        for threads in (1, 2):
            started = time.perf_counter()
            resample(runs, bootstrap, threads)
            seconds[threads] = (time.perf_counter() - started) * 1000 / args.samples
        rows.append([name, f"{seconds[1]:.1f} s", f"{seconds[2]:.1f} s", f"{seconds[1] / seconds[2]:.2f}"])
    print_table(["metric", "1,000 samples, one thread", "two threads", "speedup"], rows)


if __name__ == "__main__":
    main()
