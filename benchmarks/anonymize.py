"""Compare `facade anonymize` with deface on the same footage.   python benchmarks/anonymize.py

Both commands run one after the other, and times include their start-up. A face counts as hidden if it is treated in the
sense of the audit (facade.audit.coverage). The reference is the output of the same program when it treats no face, so
that codec artifacts do not count.
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

from facade.audit.coverage import classify_faces
from facade.dataset import Face, Photographs
from facade.demo.clip import draw_video, write_video
from facade.footage.video import read_clip, read_frames

# A score threshold that no detection reaches switches deface off.
NEVER = "1.1"
# Multiples of 16: deface rescales other sizes, so its frames could not be compared with the source.
SIZE = (640, 352)


@dataclass(frozen=True)
class Program:
    """A program: its name, and its command line from a source, a target, and whether to treat faces."""

    name: str
    command: Callable[[Path, Path, bool], list[str]]

    def run(self, source: Path, target: Path, treats: bool) -> float:
        """Run it on a file or folder; returns seconds."""
        start = time.perf_counter()
        subprocess.run(self.command(source, target, treats), check=True, capture_output=True)  # noqa: S603 - fixed
        return time.perf_counter() - start


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models/pseudo"), help="the detector of facade")
    parser.add_argument("--min-score", default="0.2", help="of facade; deface's default is 0.2")
    parser.add_argument("--size", default="320", help="longest side of the input of facade's detector, pixels")
    parser.add_argument("--frames", type=int, default=300, help="of the drawn video")
    parser.add_argument("--photographs", type=Path, help="a data set that Facade wrote, such as data/golden")
    parser.add_argument("--max-photographs", type=int, default=100, help="how many of the data set")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = ["source.mp4", *(f"{number:05d}.jpg" for number in range(arguments.max_photographs))]
        images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
        (work / "no_faces.json").write_text(json.dumps({"images": images, "annotations": []}))
        programs = _programs(arguments, work / "no_faces.json")
        print_header(
            "Anonymizing footage",
            frames=arguments.frames,
            min_score=arguments.min_score,
            size=arguments.size,
            models=arguments.models.name,
        )
        rows = [_on_video(one, work, arguments.frames) for one in programs]
        print_table(
            (f"drawn video, {SIZE[0]}x{SIZE[1]}, 3 people", "frames/s", "faces hidden", "frames with a visible face"),
            rows,
        )
        if arguments.photographs is not None:
            rows = [
                _on_photographs(one, work, Photographs(arguments.photographs), arguments.max_photographs)
                for one in programs
            ]
            print_table(("photographs", "photographs/s", "faces hidden", "photographs with a visible face"), rows)


def _programs(arguments: argparse.Namespace, no_faces: Path) -> list[Program]:
    def facade(source: Path, target: Path, treats: bool) -> list[str]:
        options = ["--models", str(arguments.models), "--min-score", arguments.min_score, "--size", arguments.size]
        return [
            sys.executable,
            "-m",
            "facade",
            "anonymize",
            str(source),
            str(target),
            *(options if treats else ["--boxes", str(no_faces)]),
        ]

    def deface(source: Path, target: Path, treats: bool) -> list[str]:
        if source.is_dir():  # deface writes its outputs next to the sources
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
    boxes = write_video(source, draw_video(0, frames, *SIZE, people=3, face=70))
    treated, untreated = work / f"{program.name}.mp4", work / f"{program.name}-plain.mp4"
    seconds = program.run(source, treated, treats=True)
    program.run(source, untreated, treats=False)
    clips = [read_clip(path, 100) for path in (source, treated, untreated)]
    count = min(len(clip.pts) for clip in clips)
    frames_of_all = zip(*(read_frames(clip, 0, count) for clip in clips), strict=True)
    shown = [
        _untreated(before.pixels, after.pixels, reference.pixels, [Face(tuple(box)) for box in rows])
        for (before, after, reference), rows in zip(frames_of_all, boxes, strict=False)
    ]
    return _row(program.name, frames / seconds, shown, sum(map(len, boxes[:count])))


def _on_photographs(program: Program, work: Path, photographs: Photographs, max_photographs: int) -> list[str]:
    chosen = list(photographs)[:max_photographs]
    seconds, folders = 0.0, []
    for treats in (True, False):
        source = work / f"{program.name}-{treats}-in"
        source.mkdir()
        for number, one in enumerate(chosen):
            (source / f"{number:05d}.jpg").write_bytes(photographs.read(one))
        target = work / f"{program.name}-{treats}-out"
        taken = program.run(source, target, treats)
        seconds = taken if treats else seconds
        next_to_source = sorted(source.glob("*_anonymized.jpg"))
        folders.append(next_to_source or sorted(target.glob("*.jpg")))
    shown = [
        _untreated(photographs.pixels(one), _read(after), _read(reference), one.faces)
        for one, after, reference in zip(chosen, *folders, strict=True)
    ]
    return _row(program.name, len(chosen) / seconds, shown, sum(len(one.faces) for one in chosen))


def _read(path: Path) -> np.ndarray:
    return cv2.imread(str(path))


def _untreated(before: np.ndarray, after: np.ndarray, reference: np.ndarray, faces: Sequence[Face]) -> int:
    return classify_faces(before, after, reference, faces).count("untreated")


def _row(name: str, rate: float, shown: Sequence[int], faces: int) -> list[str]:
    visible = sum(count > 0 for count in shown)
    hidden = 100 * (1 - sum(shown) / faces)
    return [name, f"{rate:.1f}", f"{hidden:.1f} %", f"{visible} of {len(shown)}"]


if __name__ == "__main__":
    main()
