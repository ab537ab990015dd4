"""Throughput of training, compared with a bare training loop.   python benchmarks/training.py   (two minutes)

Photographs per second of a run as in the experiment, and of a bare loop over the same model. The bare loop has its
photographs in memory as tensors, already resized and cropped; it decodes, logs and saves nothing. One thread each, CPU
time, after one unmeasured epoch. `--device cuda` measures wall-clock time on a GPU.
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
from facade.dataset.store import encode, to_coco, write_annotations
from facade.params import Params, load
from facade.seeds import generator

SIDES = (192, 144)  # of a photograph, pixels: as in the demo
FACES = 3


def write_photographs(root: Path, count: int, params: Params) -> None:
    """A data set of textures with boxes: training time does not depend on the content."""
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
    write_annotations(root, to_coco(photographs, synthetic=True))


def _seconds(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def experiment(root: Path, work: Path, params: Params, cached: bool, results: Any) -> None:
    """Train as the experiment does; seconds of each epoch but the first."""
    from facade.detector import training_run

    run = training_run.TrainingRun(
        root, 0, params.detector, params.train, params.detect, 0, None, (_device(params),), work / f"cached-{cached}"
    )
    training_run.prepare_process(run)
    if not cached:
        training_run.MAX_CACHE = 0
    ends: list[float] = []
    training_run.train_run(run, lambda *_: ends.append(_seconds(run.device_type)))
    results.put(np.diff(ends))


def bare(root: Path, params: Params, results: Any) -> None:
    """Train in a loop of a few lines; seconds of each epoch but the first."""
    import torch
    from mmengine.dataset import pseudo_collate

    from facade.detector import training_run
    from facade.detector.model import build, model_config  # isort: skip  # provides the operators that mmdet needs
    from facade.detector.data import SeededCoco, training_pipeline

    run = training_run.TrainingRun(
        root, 0, params.detector, params.train, params.detect, 0, None, (_device(params),), root
    )
    training_run.prepare_process(run)
    model = build(model_config(params.detector, params.detect)).to(run.device_type).train()
    dataset = SeededCoco(
        0, ann_file=str(root / "annotations.json"), data_prefix={"img": ""}, filter_cfg=None,
        pipeline=training_pipeline({"type": "LoadPhotograph", "root": str(root)}, params.train, params.detect),
    )  # fmt: skip
    batch = params.train.batch
    samples = [dataset[number] for number in range(len(dataset))]
    batches = [pseudo_collate(samples[start : start + batch]) for start in range(0, len(samples), batch)]
    optimizer = torch.optim.AdamW(model.parameters(), params.train.learning_rate, fused=True)
    ends = []
    for _ in range(params.train.epochs):
        for inputs in batches:
            with torch.autocast(run.device_type, torch.bfloat16, enabled=params.train.precision == "bfloat16"):
                losses = model(**model.data_preprocessor(inputs, True), mode="loss")
            loss, _ = model.parse_losses(losses)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
        ends.append(_seconds(run.device_type))
    results.put(np.diff(ends))


def _device(params: Params) -> str:
    return "cuda:0" if params.train.device == "cuda" else "cpu"


def measure(function: Any, *arguments: Any) -> np.ndarray:
    """Run a measurement in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    process = spawn.Process(target=function, args=(*arguments, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the measurement failed; see above")
    seconds: np.ndarray = results.get()
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4, help="including an unmeasured first one")
    parser.add_argument("--count", type=int, default=170, help="photographs; default: those of an epoch of the demo")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", nargs="+", choices=["float32", "bfloat16"], default=["float32"])
    arguments = parser.parse_args()
    params = load()
    rows = []
    print_header("Training", epochs=arguments.epochs - 1, photographs=arguments.count, device=arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "photographs"
        write_photographs(root, arguments.count, params)
        for precision in arguments.precision:
            changes = {"epochs": arguments.epochs, "precision": precision, "device": arguments.device, "threads": 1}
            own = params.model_copy(update={"train": params.train.model_copy(update=changes)})
            work = Path(folder) / precision
            loop = measure(bare, root, own)
            for name, cached in (("decoded once", True), ("decoded in each epoch", False)):
                times = measure(experiment, root, work, own, cached)
                ratios = np.median(loop) / times
                rates = [f"{arguments.count / np.median(taken):.1f}" for taken in (loop, times)]
                rows.append([f"{precision}, {name}", *rates, f"{np.median(ratios):.3f}"])
                if precision == "float32" and cached and arguments.device == "cpu":
                    sample = f"{arguments.count} photographs, {arguments.epochs - 1} epochs, CPU"
                    keep("training: of a bare loop's speed", ratios, 0.95, sample)
    print_table(["training", "bare loop, photographs/s", "facade, photographs/s", "facade / bare loop"], rows)


if __name__ == "__main__":
    main()
