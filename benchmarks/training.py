"""How much of the training's time is the training.   python benchmarks/training.py   (two minutes)

Photographs a second of a run as the experiment does it, beside a bare loop over the same model, whose pictures lie in
memory as tensors, resized and cropped already: nothing is decoded, logged or saved there. One thread each, processor
seconds; one epoch of each goes before, unmeasured. `--device cuda` measures seconds on the clock, on a GPU.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from drawing import backdrop
from keeping import keep
from printing import print_header, print_table

from facade.dataset import Face, Photograph
from facade.dataset.store import coco, encode, write_annotations
from facade.params import Params, load
from facade.seeds import generator

SIDES = (192, 144)  # of a photograph, pixels: as in the demo
FACES = 3


def write_photographs(root: Path, count: int, params: Params) -> None:
    """A data set of textures with boxes: the training's time does not depend on what it sees."""
    photographs = []
    for number in range(count):
        random = generator("training benchmark", number)
        image = np.rint(backdrop(random, *SIDES[::-1]) * 255).astype(np.uint8)
        corners = random.uniform(0, 90, (FACES, 2)).round(1)
        path = root / "images" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image, params.codec))
        faces = tuple(Face((float(x), float(y), 36.0, 45.0)) for x, y in corners)
        photographs.append(Photograph(path.name, *SIDES, faces))
    write_annotations(root, coco(photographs, synthetic=True))


def _seconds(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def run(root: Path, work: Path, params: Params, kept: bool, news: Any) -> None:
    """Train as the experiment does; seconds of each epoch but the first."""
    import facade.detector.training_run as running

    one = running.Run(
        root, 0, params.detector, params.train, params.detect, 0, None, (_device(params),), work / f"kept-{kept}"
    )
    running.prepare_process(one)
    if not kept:
        running.KEPT = 0
    ends: list[float] = []
    running.train_run(one, lambda *_: ends.append(_seconds(one.kind)))
    news.put(np.diff(ends))


def bare(root: Path, params: Params, news: Any) -> None:
    """Train in a loop of a few lines; seconds of each epoch but the first."""
    import torch
    from mmengine.dataset import pseudo_collate

    import facade.detector.training_run as running
    from facade.detector.model import build, model_config  # isort: skip  # brings what mmdet needs
    from facade.detector.data import SeededCoco, training_steps

    one = running.Run(root, 0, params.detector, params.train, params.detect, 0, None, (_device(params),), root)
    running.prepare_process(one)
    model = build(model_config(params.detector, params.detect)).to(one.kind).train()
    dataset = SeededCoco(
        0, ann_file=str(root / "annotations.json"), data_prefix={"img": ""}, filter_cfg=None,
        pipeline=training_steps({"type": "LoadPhotograph", "root": str(root)}, params.train, params.detect),
    )  # fmt: skip
    batch = params.train.batch
    seen = [dataset[number] for number in range(len(dataset))]
    batches = [pseudo_collate(seen[start : start + batch]) for start in range(0, len(seen), batch)]
    optimizer = torch.optim.AdamW(model.parameters(), params.train.learning_rate, fused=True)
    ends = []
    for _ in range(params.train.epochs):
        for inputs in batches:
            with torch.autocast(one.kind, torch.bfloat16, enabled=params.train.precision == "bfloat16"):
                losses = model(**model.data_preprocessor(inputs, True), mode="loss")
            loss, _ = model.parse_losses(losses)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
        ends.append(_seconds(one.kind))
    news.put(np.diff(ends))


def _device(params: Params) -> str:
    return "cuda:0" if params.train.device == "cuda" else "cpu"


def measured(function: Any, *arguments: Any) -> np.ndarray:
    """What a function measures in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    news = spawn.Queue()
    process = spawn.Process(target=function, args=(*arguments, news))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the measurement failed; see above")
    found: np.ndarray = news.get()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4, help="the first is not counted")
    parser.add_argument("--count", type=int, default=170, help="photographs; as many as an epoch of the demo has")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", nargs="+", choices=["float32", "bfloat16"], default=["float32"])
    wanted = parser.parse_args()
    params = load()
    rows = []
    print_header("Training", epochs=wanted.epochs - 1, photographs=wanted.count, device=wanted.device)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "photographs"
        write_photographs(root, wanted.count, params)
        for precision in wanted.precision:
            changes = {"epochs": wanted.epochs, "precision": precision, "device": wanted.device, "threads": 1}
            own = params.model_copy(update={"train": params.train.model_copy(update=changes)})
            work = Path(folder) / precision
            loop = measured(bare, root, own)
            for name, kept in (("decoded once", True), ("decoded in each epoch", False)):
                times = measured(run, root, work, own, kept)
                ratios = np.median(loop) / times
                rates = [f"{wanted.count / np.median(taken):.1f}" for taken in (loop, times)]
                rows.append([f"{precision}, {name}", *rates, f"{np.median(ratios):.3f}"])
                if precision == "float32" and kept and wanted.device == "cpu":
                    sample = f"{wanted.count} photographs, {wanted.epochs - 1} epochs, CPU"
                    keep("training: of a bare loop's speed", ratios, 0.95, sample)
    print_table(["training", "bare loop, photographs a second", "facade", "of the bare loop"], rows)


if __name__ == "__main__":
    main()
