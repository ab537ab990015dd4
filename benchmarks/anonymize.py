"""`facade anonymize` beside deface, on the same footage in one run.   python benchmarks/anonymize.py

Both are called as people call them, one after the other, start of the program included. A face counts as hidden if it
is treated as the audit understands it (facade.audit.coverage): compared with what the same program makes of the
footage when it is told that there is no face, so that neither codec is held against anybody.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from printing import print_header, print_table

from facade.audit.coverage import findings
from facade.dataset import Face, Photographs
from facade.demo.clip import moving_faces, write_moving
from facade.footage.video import read_clip, read_frames

# deface's own default is 0.2; a score that no detection reaches switches it off.
NEVER = "1.1"
# Multiples of 16: deface stretches other sizes, and its pictures could not be compared with the source.
SIZE = (640, 352)


@dataclass(frozen=True)
class Program:
    """A program: its name, and its command for a source, a target, and whether it is to treat faces at all."""

    name: str
    command: Callable[[Path, Path, bool], list[str]]

    def run(self, source: Path, target: Path, treats: bool) -> float:
        """Run it on a file; seconds."""
        start = time.perf_counter()
        subprocess.run(self.command(source, target, treats), check=True, capture_output=True)  # noqa: S603 - fixed
        return time.perf_counter() - start


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models/pseudo"), help="the detector of facade")
    parser.add_argument("--score", default="0.2", help="of facade; deface's default is 0.2")
    parser.add_argument("--size", default="320", help="longest side that facade's detector sees, pixels")
    parser.add_argument("--frames", type=int, default=300, help="of the drawn video")
    parser.add_argument("--photographs", type=Path, help="a data set that Facade wrote, such as data/golden")
    parser.add_argument("--most", type=int, default=100, help="photographs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = ["source.mp4", *(f"{number:05d}.jpg" for number in range(given.most))]
        images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
        (work / "nobody.json").write_text(json.dumps({"images": images, "annotations": []}))
        programs = _programs(given, work / "nobody.json")
        print_header(
            "Anonymizing footage", frames=given.frames, score=given.score, size=given.size, models=given.models.name
        )
        rows = [_on_video(one, work, given.frames) for one in programs]
        print_table(
            (f"drawn video, {SIZE[0]}x{SIZE[1]}, 3 people", "frames/s", "faces hidden", "frames that show a face"), rows
        )
        if given.photographs is not None:
            rows = [_on_photographs(one, work, Photographs(given.photographs), given.most) for one in programs]
            print_table(("photographs", "photographs/s", "faces hidden", "photographs that show a face"), rows)


def _programs(given: argparse.Namespace, nobody: Path) -> list[Program]:
    def facade(source: Path, target: Path, treats: bool) -> list[str]:
        how = ["--models", str(given.models), "--score", given.score, "--size", given.size]
        return [
            sys.executable,
            "-m",
            "facade",
            "anonymize",
            str(source),
            str(target),
            *(how if treats else ["--boxes", str(nobody)]),
        ]

    def deface(source: Path, target: Path, treats: bool) -> list[str]:
        if source.is_dir():  # it names its outputs itself, beside the sources
            target.mkdir()
            sources = sorted(source.glob("*.jpg"))
            script = "import sys, deface.deface as d; sys.argv = ['deface', *sys.argv[1:]]; d.main()"
            return [sys.executable, "-c", script, *map(str, sources), *([] if treats else ["-t", NEVER])]
        return [
            str(Path(sys.executable).with_name("deface")),
            str(source),
            "-o",
            str(target),
            *([] if treats else ["-t", NEVER]),
        ]

    return [Program("facade", facade), Program("deface", deface)]


def _on_video(program: Program, work: Path, frames: int) -> list[str]:
    source = work / "source.mp4"
    boxes = write_moving(source, moving_faces(0, frames, *SIZE, people=3, face=70))
    treated, plain = work / f"{program.name}.mp4", work / f"{program.name}-plain.mp4"
    seconds = program.run(source, treated, treats=True)
    program.run(source, plain, treats=False)
    clips = [read_clip(path, 100) for path in (source, treated, plain)]
    count = min(len(clip.times) for clip in clips)
    pictures = zip(*(read_frames(clip, 0, count) for clip in clips), strict=True)
    shown = [
        _untreated(before.pixels, after.pixels, again.pixels, [Face(tuple(box)) for box in rows])
        for (before, after, again), rows in zip(pictures, boxes, strict=False)
    ]
    return _row(program.name, frames / seconds, shown, sum(map(len, boxes[:count])))


def _on_photographs(program: Program, work: Path, photographs: Photographs, most: int) -> list[str]:
    chosen = list(photographs)[:most]
    seconds, folders = 0.0, []
    for treats in (True, False):
        source = work / f"{program.name}-{treats}-in"
        source.mkdir()
        for number, one in enumerate(chosen):
            (source / f"{number:05d}.jpg").write_bytes(photographs.read(one))
        target = work / f"{program.name}-{treats}-out"
        taken = program.run(source, target, treats)
        seconds = taken if treats else seconds
        beside = sorted(source.glob("*_anonymized.jpg"))
        folders.append(beside or sorted(target.glob("*.jpg")))
    shown = [
        _untreated(photographs.pixels(one), _read(after), _read(again), one.faces)
        for one, after, again in zip(chosen, *folders, strict=True)
    ]
    return _row(program.name, len(chosen) / seconds, shown, sum(len(one.faces) for one in chosen))


def _read(path: Path) -> np.ndarray:
    return cv2.imread(str(path))


def _untreated(before: np.ndarray, after: np.ndarray, again: np.ndarray, faces: Sequence[Face]) -> int:
    return findings(before, after, again, faces).count("untreated")


def _row(name: str, rate: float, shown: Sequence[int], faces: int) -> list[str]:
    visible = sum(count > 0 for count in shown)
    hidden = 100 * (1 - sum(shown) / faces)
    return [name, f"{rate:.1f}", f"{hidden:.1f} %", f"{visible} of {len(shown)}"]


if __name__ == "__main__":
    main()
