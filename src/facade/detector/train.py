"""Train all seeds of an arm side by side, and write them to one directory, `models/<arm>/`."""

import csv
import hashlib
import importlib.metadata
import io
import multiprocessing
import os
import queue
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facade.dataset import Photographs
from facade.detector.devices import device_groups
from facade.detector.training_run import CURVES, FINAL, VALIDATION, TrainingRun, prepare_process, train_run
from facade.errors import FacadeError
from facade.files import atomic_directory, read_json, write_json, write_text
from facade.params import Detect, Detector, Train

# Thresholds of the validation during training. They are fixed, so that changes of `detect` in params.yaml do not
# retrain.
VALIDATION_MIN_SCORE, VALIDATION_NMS, VALIDATION_MAX_DETECTIONS = 0.01, 0.6, 500
# Packages that a trained model depends on, besides data and parameters.
PACKAGES = ("torch", "torchvision", "timm", "mmdet", "mmengine", "opencv-python", "numpy")


def train_arm(
    data: Path,
    models: Path,
    curves: Path,
    validation: Path,
    detector: Detector,
    train: Train,
    detect: Detect,
    calibration: float,
    work: Path,
    start: Path | None = None,
) -> None:
    """Train one run for each seed.

    Args:
        data: The arm's photographs.
        models: Directory to write: `seed-<n>.pth` for each run, and `model.json`, which describes them.
        curves: CSV file to write: losses and learning rate by seed and epoch.
        validation: CSV file to write: AP50 on the arm's calibration photographs by epoch, mean and by seed.
        detector: What is trained.
        train: How it is trained.
        detect: Its `size` is the longest side that photographs are resized to.
        calibration: Percent of the photographs that are kept for calibration, and not trained on.
        work: Folder of unfinished runs, from which a training that was killed resumes.
        start: Initial weights of every run (`facade.detector.start`); None for random ones.

    Raises:
        FacadeError: A run failed; the message names it and its log.
    """
    if start is not None and not start.is_file():
        raise FacadeError(f"detector.weights is {start}, which does not exist. Correct the path.")
    detect = Detect(
        size=detect.size,
        min_score=VALIDATION_MIN_SCORE,
        nms=VALIDATION_NMS,
        max_detections=VALIDATION_MAX_DETECTIONS,
    )
    groups = device_groups(train)
    key = _key(data, detector, train, detect, calibration, start)
    runs = [
        TrainingRun(
            data,
            seed,
            detector,
            train,
            detect,
            calibration,
            start,
            groups[number % len(groups)],
            work / key / f"seed-{seed}",
        )
        for number, seed in enumerate(train.seeds)
    ]
    _train_side_by_side(runs, len(groups), data.name)
    with atomic_directory(models) as temporary:
        for run in runs:
            shutil.copyfile(run.work / FINAL, temporary / f"seed-{run.seed}.pth")
        write_json(temporary / "model.json", _description(data, detector, train, detect, groups[0]))
    write_text(curves, _curves(runs))
    write_text(validation, _validation(runs))
    shutil.rmtree(work / key)


def initial_weights(detector: Detector, pretrained: Path) -> Path | None:
    """The file of a training's initial weights; None for random ones.

    Args:
        detector: Its `weights` are "drawn", a file, or None.
        pretrained: Models of the stage pretrain, a single run.

    Raises:
        FacadeError: The pretrained weights are missing.
    """
    if detector.weights is None or isinstance(detector.weights, Path):
        return detector.weights
    files = sorted(pretrained.glob("seed-*.pth"))
    if len(files) != 1:
        raise FacadeError(f"{pretrained} holds no pretrained weights. `dvc repro pretrain` makes them.")
    return files[0]


def _key(data: Path, detector: Detector, train: Train, detect: Detect, calibration: float, start: Path | None) -> str:
    """Identifies all inputs of a training, so that no other training resumes from its checkpoints."""
    digest = hashlib.sha256(Photographs(data).fingerprint().encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    if start is not None:
        digest.update(hashlib.sha256(start.read_bytes()).digest())
    for settings in (detector, train):
        digest.update(settings.model_dump_json().encode())
    digest.update(f"{detect.size} {calibration} {_versions()}".encode())
    return f"{data.name}-{digest.hexdigest()[:16]}"


def _versions() -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def _description(
    data: Path, detector: Detector, train: Train, detect: Detect, devices: Sequence[str]
) -> dict[str, Any]:
    return {
        "arm": data.name,
        # Whether it has seen rendered photographs alone, such as the demo's.
        "synthetic": Photographs(data).synthetic,
        # The file name alone: models are shared, and the path may be private.
        "detector": detector.model_dump(mode="json") | {"weights": detector.weights and Path(detector.weights).name},
        "train": train.model_dump(mode="json"),
        "size": detect.size,
        "device": devices[0].partition(":")[0],
        **({"devices": len(devices)} if len(devices) > 1 else {}),
        "versions": _versions(),
    }


def _train_side_by_side(runs: Sequence[TrainingRun], max_parallel: int, label: str) -> None:
    """Train each run in its own processes, at most `max_parallel` runs at a time."""
    spawn = multiprocessing.get_context("spawn")
    messages = spawn.Queue()
    waiting = list(runs)
    training: dict[int, tuple[TrainingRun, list[Any]]] = {}
    done = {run.seed: 0 for run in runs}
    with tqdm(total=sum(run.train.epochs for run in runs), desc=f"train {label}", unit="epoch", mininterval=1) as bar:
        try:
            while waiting or training:
                while waiting and len(training) < max_parallel:
                    run = waiting.pop(0)
                    rendezvous = run.work / f"rendezvous-{uuid.uuid4().hex}" if len(run.devices) > 1 else None
                    # Not daemons: on a GPU they start data loader workers.
                    processes = [
                        spawn.Process(target=_in_process, args=(run, messages, rank, rendezvous))
                        for rank in range(len(run.devices))
                    ]
                    training[run.seed] = (run, processes)
                    for process in processes:
                        process.start()
                try:
                    message = messages.get(timeout=0.5)
                    if isinstance(message, FacadeError):
                        raise message
                    seed, epochs, loss = message
                    done[seed] = epochs
                    bar.update(sum(done.values()) - bar.n)
                    bar.set_postfix_str(f"seed {seed}: loss {loss:.3g}")
                except queue.Empty:
                    pass
                for seed, (run, processes) in list(training.items()):
                    # When one process fails, the others of its run wait for it forever.
                    for rank, process in enumerate(processes):
                        if process.exitcode:
                            raise FacadeError(
                                f"training {label} with seed {seed} ended with exit status {process.exitcode}; see "
                                f"{_log(run, rank)}. `dvc repro` resumes from its last epoch."
                            )
                    # A run that ended without weights has sent an error, which is still in the queue.
                    if (run.work / FINAL).is_file() and not any(one.is_alive() for one in processes):
                        del training[seed]
        finally:
            for _, processes in training.values():
                for process in processes:
                    if process.pid is not None:
                        process.terminate()
                        process.join()
        bar.update(sum(run.train.epochs for run in runs) - bar.n)


def _log(run: TrainingRun, rank: int) -> Path:
    return run.work / ("error.log" if len(run.devices) == 1 else f"error-{rank}.log")


def _in_process(run: TrainingRun, messages: Any, rank: int, rendezvous: Path | None) -> None:
    """Main function of a training process."""
    run.work.mkdir(parents=True, exist_ok=True)
    # Output of mmengine, timm and torch would break the progress bar. It goes to a log.
    log = os.open(_log(run, rank), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    prepare_process(run, rank)
    try:
        train_run(run, lambda epochs, loss: messages.put((run.seed, epochs, loss)), rank, rendezvous)
    except FacadeError as error:
        messages.put(error)
    # Skip the interpreter's clean-up, in which gloo's threads can abort a process whose peer has exited.
    messages.close()
    messages.join_thread()
    os._exit(0)


def _curves(runs: Sequence[TrainingRun]) -> str:
    """DVCLive's logs as one CSV table: a row per epoch, means over the seeds, and the loss of each seed."""
    logged: dict[str, dict[int, dict[int, float]]] = {}  # by name, epoch and seed
    for run in runs:
        for path in sorted((run.work / CURVES / "plots" / "metrics" / "train").glob("*.tsv")):
            with path.open(newline="") as text:
                for row in csv.DictReader(text, delimiter="\t"):
                    # A resumed run may log an epoch twice, with the same values.
                    epochs = logged.setdefault(path.stem, {})
                    epochs.setdefault(int(row["step"]) + 1, {})[run.seed] = float(row[path.stem])
    columns = ["epoch", *logged, *(f"loss_seed_{run.seed}" for run in runs)]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    for epoch in sorted(logged["loss"]):
        means = [sum(epochs[epoch].values()) / len(epochs[epoch]) for epochs in logged.values()]
        seeds = [logged["loss"][epoch][run.seed] for run in runs]
        writer.writerow([epoch, *(f"{value:.6g}" for value in (*means, *seeds))])
    return table.getvalue()


def _validation(runs: Sequence[TrainingRun]) -> str:
    """Measurements of `Validate` as one CSV table: a row per measured epoch, mean over the seeds, and each seed."""
    measured: dict[int, list[float]] = {}  # by epoch
    for run in runs:
        for path in sorted((run.work / VALIDATION).glob("*.json")):
            content = read_json(path)
            measured.setdefault(content["epoch"], []).append(content["AP50"])
    rows = [["epoch", "AP50", *(f"AP50_seed_{run.seed}" for run in runs)]]
    for epoch, values in sorted(measured.items()):
        rows.append([str(epoch), *(f"{value:.6g}" for value in (sum(values) / len(values), *values))])
    return "".join(f"{','.join(row)}\n" for row in rows)
