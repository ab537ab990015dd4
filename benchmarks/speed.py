"""How fast heads are drawn and faces replaced.   python benchmarks/speed.py heads   python benchmarks/speed.py replace

Times are processor seconds, all threads together, so that a busy machine changes little: a rate is what one core does.
Each is the median of some rounds; with --other both renderers take turns in every round, and ratios are theirs.
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
from drawing import FACE_SHARE, backdrop, facade_tile
from other import Other
from printing import HERE, print_header, print_table
from replacing import replacing

from facade.dataset import Face, Photograph
from facade.heads import Head, draw_expression, draw_head, draw_identity, draw_light, draw_pose, exposed
from facade.heads.pose import View
from facade.seeds import generator

SIZES = (32, 64, 128)  # of a tile that the face fills, pixels
RAYS = (1, 2)  # along each side of a pixel
Work = Callable[[], object]
FACE_HEIGHT = 64  # of a face that is replaced, pixels
# What is timed in a fresh process: importing, the first head and the second. Sizes as in SIZES[0].
FIRST_HEAD = {
    "facade": "import speed; draw = speed.one_small_head",
    "other": "import pathlib, sys, numpy; from other import Other; "
    "p = Other(pathlib.Path(sys.argv[1])); draw = lambda: p.draw(p.person(numpy.random.default_rng(0)), 32, 1)",
}


def one_small_head() -> None:
    """Draw the first of the heads that are timed."""
    draw(person("speed", 0), SIZES[0], 1)


def person(*owner: int | str) -> tuple:
    """Somebody, doing something, held somehow, in some light: what `draw` takes."""
    random = generator(*owner)
    who, look, pose = draw_identity(random), draw_expression(random), draw_pose(random)
    return who, look, pose, exposed(draw_light(random), who, random)


def draw(drawn: tuple, size: int, rays: int, whole: bool = True) -> Head:
    """Render a person whose face fills a tile of `size` pixels; if not whole, without hair, ears, neck and clothes."""
    who, look, pose, light = drawn
    who = who if whole else who.bare()
    view = View.of_face(pose, face_height=size, x=size / 2, y=size / 2)
    return draw_head(who, look, view, light, (size, size), rays=rays, with_body=whole)


def seconds(work: Work) -> float:
    """Processor seconds, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turns(works: dict[str, Work], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each work in each round, (rounds,); one unmeasured round goes before."""
    taken = [{name: seconds(work) for name, work in works.items()} for _ in range(rounds + 1)][1:]
    return {name: np.array([times[name] for times in taken]) for name in works}


def ratio(times: dict[str, np.ndarray]) -> str:
    """How many times as fast as the other, median and range over the rounds."""
    if "other" not in times:
        return "-"
    faster = times["other"] / times["facade"]
    return f"{np.median(faster):.2f} ({faster.min():.2f} to {faster.max():.2f})"


def rate(times: dict[str, np.ndarray], name: str, count: int) -> str:
    """Things done in a second by one core."""
    return f"{count / np.median(times[name]):.1f}" if name in times else "-"


def heads(rounds: int, count: int, other: Other | None) -> None:
    """Print heads a second, at several sizes, whoever they are drawn already or drawn first."""
    rows = []
    for size in SIZES:
        for rays in RAYS:
            for what, works in _works(size, rays, count, other).items():
                times = in_turns(works, rounds)
                rates = [rate(times, name, count) for name in ("facade", "other")]
                rows.append([f"{size} px", str(rays), what, *rates, ratio(times)])
    print_table(["tile", "rays", "what", "faces/s", "other", "times as fast (range)"], rows)


def _works(size: int, rays: int, count: int, other: Other | None) -> dict[str, dict[str, Work]]:
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
    return {"identity at hand": known, "identity drawn, too": fresh, "face alone, at hand": alone}


def compiling(folder: Path | None) -> None:
    """Print how long a fresh process takes for its first head, with an empty and with a filled compile cache."""
    rows = []
    for name in ["facade", *(["other"] if folder else [])]:
        with tempfile.TemporaryDirectory() as cache:
            rows += [[name, state, *_first_head(name, cache, folder)] for state in ("empty", "filled")]
    print("First head of a fresh process, seconds on the clock:\n")
    print_table(["heads", "compile cache", "import", "first head", "second head", "all, processor"], rows)


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


def replace_faces(rounds: int, count: int, size: int, other: Other | None) -> None:
    """Print faces replaced a second: one face of 64 px in each of some photographs, from pixels to pixels."""
    pictures = [_picture(number, size) for number in range(count)]
    treat = replacing()
    works: dict[str, Work] = {"facade": lambda: [treat(*picture) for picture in pictures]}
    if other:
        works["other"] = lambda: [
            other.replace(image, face.bbox, np.array(face.keypoints), number)
            for number, (image, photograph) in enumerate(pictures)
            for face in photograph.faces
        ]
    times = in_turns(works, rounds)
    rows = [[f"{FACE_HEIGHT} px", *(rate(times, name, count) for name in ("facade", "other")), ratio(times)]]
    print_table(["face", "faces replaced/s", "other", "times as fast (range)"], rows)


def _picture(number: int, size: int) -> tuple[np.ndarray, Photograph]:
    """A photograph, (size, size, 3) uint8, BGR, with one drawn face of 64 px in its middle."""
    side = round(FACE_HEIGHT / FACE_SHARE)
    image = backdrop(generator("speed backdrop", number), size, size)
    corner = (size - side) // 2
    place = image[corner : corner + side, corner : corner + side]
    tile = facade_tile(generator("speed picture", number), place.copy(), lambda yaw: yaw, 2)
    place[:] = tile.pixels
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
    parser.add_argument("--rounds", type=int, default=5, help="repeats, of which the median counts")
    parser.add_argument("--count", type=int, default=16, help="heads, or photographs, in each round")
    parser.add_argument("--size", type=int, default=320, help="replace: side of a photograph, pixels, at least 128")
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="time this renderer, too")
    wanted = parser.parse_args()
    other = Other(wanted.other) if wanted.other else None
    samples = {"rounds": wanted.rounds, "heads" if wanted.what == "heads" else "photographs": wanted.count}
    with one_thread():
        if wanted.what == "heads":
            print_header("Speed of heads", **samples)
            heads(wanted.rounds, wanted.count, other)
            compiling(wanted.other)
        else:
            print_header("Speed of replacing", **samples, size_of_a_photograph=f"{wanted.size} px")
            replace_faces(wanted.rounds, wanted.count, wanted.size, other)


if __name__ == "__main__":
    main()
