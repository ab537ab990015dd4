"""Train all seeds of an arm, side by side, into one directory: `models/<arm>/`."""

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
from facade.detector.devices import groups_for
from facade.detector.training_run import CURVES, FINAL, VALIDATION, Run, prepare_process, train_run
from facade.errors import FacadeError
from facade.files import read_json, whole_directory, write_json, write_text
from facade.params import Detect, Detector, Train

# How AP50 by epoch is measured, whatever detect says of the golden set: a change there trains nothing anew.
VALIDATION_SCORE, VALIDATION_NMS, VALIDATION_MOST = 0.01, 0.6, 500
# What a trained model depends on besides data and parameters.
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
        models: Directory to write: `seed-<n>.pth` for each run, and `model.json`, which says what they are.
        curves: CSV file to write: losses and learning rate by seed and epoch.
        validation: CSV file to write: AP50 on the arm's calibration photographs by epoch, mean and by seed.
        detector: What is trained.
        train: How.
        detect: The size that photographs are resized to.
        calibration: Percent of the photographs that are kept apart, and not trained on.
        work: Where unfinished runs are kept. A training that was killed goes on from there.
        start: Weights that every run starts from (`facade.detector.start`); None for random ones.

    Raises:
        FacadeError: A run failed; the sentence names it and its log.
    """
    if start is not None and not start.is_file():
        raise FacadeError(f"detector.weights is {start}, and there is no such file.")
    detect = Detect(size=detect.size, score=VALIDATION_SCORE, nms=VALIDATION_NMS, most=VALIDATION_MOST)
    groups = groups_for(train)
    key = _key(data, detector, train, detect, calibration, start)
    runs = [
        Run(
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
    with whole_directory(models) as beside:
        for run in runs:
            shutil.copyfile(run.work / FINAL, beside / f"seed-{run.seed}.pth")
        write_json(beside / "model.json", _description(data, detector, train, detect, groups[0]))
    write_text(curves, _curves(runs))
    write_text(validation, _validation(runs))
    shutil.rmtree(work / key)


def start_of(detector: Detector, shared: Path) -> Path | None:
    """The file that a training starts from.

    Args:
        detector: Its `weights` are "drawn", a file, or None.
        shared: Models of the stage pretrain, a single run.

    Raises:
        FacadeError: The shared start is missing.
    """
    if detector.weights is None or isinstance(detector.weights, Path):
        return detector.weights
    found = sorted(shared.glob("seed-*.pth"))
    if len(found) != 1:
        raise FacadeError(f"{shared} holds no start to train from. `dvc repro pretrain` makes it.")
    return found[0]


def _key(data: Path, detector: Detector, train: Train, detect: Detect, calibration: float, start: Path | None) -> str:
    """Names what went into a training, so that no other is resumed from its checkpoints."""
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
        # Where somebody keeps weights is nobody's business: models go out.
        "detector": detector.model_dump(mode="json") | {"weights": detector.weights and Path(detector.weights).name},
        "train": train.model_dump(mode="json"),
        "size": detect.size,
        "device": devices[0].partition(":")[0],
        **({"devices": len(devices)} if len(devices) > 1 else {}),
        "versions": _versions(),
    }


def _train_side_by_side(runs: Sequence[Run], places: int, label: str) -> None:
    """Start each run in processes of its own, as many runs at a time as there are places."""
    spawn = multiprocessing.get_context("spawn")
    news = spawn.Queue()
    waiting = list(runs)
    training: dict[int, tuple[Run, list[Any]]] = {}
    done = {run.seed: 0 for run in runs}
    with tqdm(total=sum(run.train.epochs for run in runs), desc=f"train {label}", unit="epoch", mininterval=1) as bar:
        try:
            while waiting or training:
                while waiting and len(training) < places:
                    run = waiting.pop(0)
                    meeting = run.work / f"meeting-{uuid.uuid4().hex}" if len(run.devices) > 1 else None
                    # Not daemons: on a GPU they have workers of their own, which decode photographs.
                    processes = [
                        spawn.Process(target=_in_process, args=(run, news, rank, meeting))
                        for rank in range(len(run.devices))
                    ]
                    training[run.seed] = (run, processes)
                    for process in processes:
                        process.start()
                try:
                    message = news.get(timeout=0.5)
                    if isinstance(message, FacadeError):
                        raise message
                    seed, epochs, loss = message
                    done[seed] = epochs
                    bar.update(sum(done.values()) - bar.n)
                    bar.set_postfix_str(f"seed {seed}: loss {loss:.3g}")
                except queue.Empty:
                    pass
                for seed, (run, processes) in list(training.items()):
                    # One that fails leaves the others of its run waiting for it.
                    for rank, process in enumerate(processes):
                        if process.exitcode:
                            raise FacadeError(
                                f"training {label} with seed {seed} ended with exit status {process.exitcode}; "
                                f"{_log(run, rank)} tells why. `dvc repro` goes on from its last epoch."
                            )
                    # Without weights it has sent a sentence, which is still to come.
                    if (run.work / FINAL).is_file() and not any(one.is_alive() for one in processes):
                        del training[seed]
        finally:
            for _, processes in training.values():
                for process in processes:
                    if process.pid is not None:
                        process.terminate()
                        process.join()
        bar.update(sum(run.train.epochs for run in runs) - bar.n)


def _log(run: Run, rank: int) -> Path:
    return run.work / ("error.log" if len(run.devices) == 1 else f"error-{rank}.log")


def _in_process(run: Run, news: Any, rank: int, meeting: Path | None) -> None:
    """The whole life of a process that trains."""
    run.work.mkdir(parents=True, exist_ok=True)
    # What mmengine, timm and torch say would break the progress bar; it is kept for the day when something fails.
    log = os.open(_log(run, rank), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    prepare_process(run, rank)
    try:
        train_run(run, lambda epochs, loss: news.put((run.seed, epochs, loss)), rank, meeting)
    except FacadeError as error:
        news.put(error)
    # Skip the interpreter's clean-up: gloo's threads can abort a process in it once its peer has gone.
    news.close()
    news.join_thread()
    os._exit(0)


def _curves(runs: Sequence[Run]) -> str:
    """What DVCLive logged, as one table: a row an epoch, means over the seeds, and the loss of each seed."""
    logged: dict[str, dict[int, dict[int, float]]] = {}  # by name, epoch and seed
    for run in runs:
        for path in sorted((run.work / CURVES / "plots" / "metrics" / "train").glob("*.tsv")):
            with path.open(newline="") as text:
                for row in csv.DictReader(text, delimiter="\t"):
                    # A resumed run logs an epoch again, with the same values: the last one stands.
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


def _validation(runs: Sequence[Run]) -> str:
    """What `Validate` measured, as one table: a row a measured epoch, the mean over the seeds, and each seed's."""
    measured: dict[int, list[float]] = {}  # by epoch
    for run in runs:
        for path in sorted((run.work / VALIDATION).glob("*.json")):
            content = read_json(path)
            measured.setdefault(content["epoch"], []).append(content["AP50"])
    rows = [["epoch", "AP50", *(f"AP50_seed_{run.seed}" for run in runs)]]
    for epoch, values in sorted(measured.items()):
        rows.append([str(epoch), *(f"{value:.6g}" for value in (sum(values) / len(values), *values))])
    return "".join(f"{','.join(row)}\n" for row in rows)
