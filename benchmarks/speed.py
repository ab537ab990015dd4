"""Speed of rendering heads and replacing faces.   python benchmarks/speed.py heads   python benchmarks/speed.py replace

Times are CPU time summed over all threads, which is robust against other load: a rate is that of one core. Each is the
median over several rounds. With --other, both renderers run in every round, and ratios are taken within rounds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from drawing import FACE_FRACTION, backdrop, facade_tile
from other import OtherRenderer
from printing import HERE, print_header, print_table
from replacing import replacing

from facade.dataset import Face, Photograph
from facade.heads import Head, expose, render_head, sample_expression, sample_identity, sample_light, sample_pose
from facade.heads.pose import View
from facade.seeds import generator

SIZES = (32, 64, 128)  # of a tile as large as the face, pixels
RAYS = (1, 2)  # along each side of a pixel
Work = Callable[[], object]
FACE_HEIGHT = 64  # of a face that is replaced, pixels
# Code that is timed in a fresh process: the import, then the first and second head, of size SIZES[0].
FIRST_HEAD = {
    "facade": "import speed; draw = speed.one_small_head",
    "other": "import pathlib, sys, numpy; from other import OtherRenderer; "
    "p = OtherRenderer(pathlib.Path(sys.argv[1])); draw = lambda: p.draw(p.person(numpy.random.default_rng(0)), 32, 1)",
}


def one_small_head() -> None:
    """Render one head, to be timed in a fresh process."""
    draw(person("speed", 0), SIZES[0], 1)


def person(*owner: int | str) -> tuple:
    """A random identity, expression, pose and light, as `draw` takes them."""
    random = generator(*owner)
    identity, expression, pose = sample_identity(random), sample_expression(random), sample_pose(random)
    return identity, expression, pose, expose(sample_light(random), identity, random)


def draw(sampled: tuple, size: int, rays: int, whole: bool = True) -> Head:
    """Render a person whose face fills a tile of `size` pixels; if not whole, without hair, ears, neck and clothes."""
    identity, expression, pose, light = sampled
    identity = identity if whole else identity.bare()
    view = View.of_face(pose, face_height=size, x=size / 2, y=size / 2)
    return render_head(identity, expression, view, light, (size, size), rays=rays, with_body=whole)


def seconds(work: Work) -> float:
    """CPU time, summed over all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def time_interleaved(works: dict[str, Work], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each function in each round, (rounds,), after one unmeasured round."""
    taken = [{name: seconds(work) for name, work in works.items()} for _ in range(rounds + 1)][1:]
    return {name: np.array([times[name] for times in taken]) for name in works}


def ratio(times: dict[str, np.ndarray]) -> str:
    """Speed-up over the other renderer, median and range over the rounds."""
    if "other" not in times:
        return "-"
    speedup = times["other"] / times["facade"]
    return f"{np.median(speedup):.2f} ({speedup.min():.2f} to {speedup.max():.2f})"


def rate(times: dict[str, np.ndarray], name: str, count: int) -> str:
    """Items per second on one core."""
    return f"{count / np.median(times[name]):.1f}" if name in times else "-"


def heads(rounds: int, count: int, other: OtherRenderer | None) -> None:
    """Print heads per second at several sizes, with and without the time of sampling identities."""
    rows = []
    for size in SIZES:
        for rays in RAYS:
            for what, works in _works(size, rays, count, other).items():
                times = time_interleaved(works, rounds)
                rates = [rate(times, name, count) for name in ("facade", "other")]
                rows.append([f"{size} px", str(rays), what, *rates, ratio(times)])
    print_table(["tile", "rays", "what", "faces/s", "other", "speed-up (range)"], rows)


def _works(size: int, rays: int, count: int, other: OtherRenderer | None) -> dict[str, dict[str, Work]]:
    people = [person("speed", number) for number in range(count)]
    known: dict[str, Work] = {"facade": lambda: [draw(one, size, rays) for one in people]}
    fresh: dict[str, Work] = {"facade": lambda: [draw(person("speed", number), size, rays) for number in range(count)]}
    if other:
        theirs = [other.person(generator("speed", number)) for number in range(count)]
        known["other"] = lambda: [other.draw(one, size, rays) for one in theirs]
        fresh["other"] = lambda: [
            other.draw(other.person(generator("speed", number)), size, rays) for number in range(count)
        ]
    alone: dict[str, Work] = {"facade": lambda: [draw(one, size, rays, whole=False) for one in people]}
    return {"rendering": known, "sampling and rendering": fresh, "rendering, face only": alone}


def compiling(folder: Path | None) -> None:
    """Print the time of a fresh process until its first head, with an empty and with a filled compile cache."""
    rows = []
    for name in ["facade", *(["other"] if folder else [])]:
        with tempfile.TemporaryDirectory() as cache:
            rows += [[name, state, *_first_head(name, cache, folder)] for state in ("empty", "filled")]
    print("First head of a fresh process, wall-clock seconds:\n")
    print_table(["heads", "compile cache", "import", "first head", "second head", "total CPU time"], rows)


def _first_head(name: str, cache: str, folder: Path | None) -> list[str]:
    script = (
        f"import time; t = [time.perf_counter()]; {FIRST_HEAD[name]}; t.append(time.perf_counter()); draw(); "
        "t.append(time.perf_counter()); draw(); t.append(time.perf_counter()); "
        "print(*(b - a for a, b in zip(t, t[1:])), time.process_time())"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path[1:]])}
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return [f"{float(taken):.2f}" for taken in done.stdout.split()[-4:]]


def replace_faces(rounds: int, count: int, size: int, other: OtherRenderer | None) -> None:
    """Print faces replaced per second: one face of 64 px per photograph, from pixels to pixels."""
    photographs = [_photograph(number, size) for number in range(count)]
    treat = replacing()
    works: dict[str, Work] = {"facade": lambda: [treat(*picture) for picture in photographs]}
    if other:
        works["other"] = lambda: [
            other.replace(image, face.bbox, np.array(face.keypoints), number)
            for number, (image, photograph) in enumerate(photographs)
            for face in photograph.faces
        ]
    times = time_interleaved(works, rounds)
    rows = [[f"{FACE_HEIGHT} px", *(rate(times, name, count) for name in ("facade", "other")), ratio(times)]]
    print_table(["face", "faces replaced/s", "other", "speed-up (range)"], rows)


def _photograph(number: int, size: int) -> tuple[np.ndarray, Photograph]:
    """A photograph, (size, size, 3) uint8, BGR, with one rendered face of 64 px at its center."""
    side = round(FACE_HEIGHT / FACE_FRACTION)
    image = backdrop(generator("speed backdrop", number), size, size)
    corner = (size - side) // 2
    patch = image[corner : corner + side, corner : corner + side]
    tile = facade_tile(generator("speed picture", number), patch.copy(), lambda yaw: yaw, 2)
    patch[:] = tile.pixels
    x, y, w, h = tile.bbox
    keypoints = tuple((float(across) + corner, float(down) + corner) for across, down in tile.keypoints)
    face = Face((float(x) + corner, float(y) + corner, float(w), float(h)), keypoints)
    pixels = np.rint(image * 255).astype(np.uint8)
    return pixels, Photograph(f"speed-{number}.jpg", size, size, (face,))


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread, as in the pipeline's workers."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["heads", "replace"])
    parser.add_argument("--rounds", type=int, default=5, help="repetitions; the median is reported")
    parser.add_argument("--count", type=int, default=16, help="heads or photographs per round")
    parser.add_argument("--size", type=int, default=320, help="replace: side of a photograph, pixels, at least 128")
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="also time this renderer")
    arguments = parser.parse_args()
    other = OtherRenderer(arguments.other) if arguments.other else None
    samples = {"rounds": arguments.rounds, "heads" if arguments.what == "heads" else "photographs": arguments.count}
    with one_thread():
        if arguments.what == "heads":
            print_header("Speed of heads", **samples)
            heads(arguments.rounds, arguments.count, other)
            compiling(arguments.other)
        else:
            print_header("Speed of replacing", **samples, size_of_a_photograph=f"{arguments.size} px")
            replace_faces(arguments.rounds, arguments.count, arguments.size, other)


if __name__ == "__main__":
    main()
