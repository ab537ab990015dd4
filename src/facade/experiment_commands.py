"""Commands for people who work on the experiment: `facade experiment ...`, `facade review`, `facade export` ..."""

from pathlib import Path
from typing import Annotated

import typer

experiment = typer.Typer(no_args_is_help=True, help="Studies that take several runs, inside a checkout.")
INTO = Annotated[Path, typer.Option(help="output folder")]


@experiment.command()
def sweep(
    name: Annotated[str, typer.Argument(help="a sweep of experiments/sweeps.yaml")],
    jobs: Annotated[int, typer.Option(min=1, help="experiments in parallel")] = 1,
    page: Annotated[bool, typer.Option("--page", help="write the page from existing experiments; run none")] = False,
    into: INTO = Path("experiments"),
) -> None:
    """Queue the experiments of a sweep, run them, and write its page."""
    from facade.experiments.sweep import write_sweep

    write_sweep(name, jobs, page, into)


@experiment.command()
def study(
    name: Annotated[str, typer.Argument(help="a study of experiments/studies.yaml")],
    assignments: Annotated[
        list[str],
        typer.Option("-S", metavar="section.name=value", help="a machine-specific parameter: ingest.path, weights"),
    ] = [],  # noqa: B006 - typer copies it
    jobs: Annotated[int, typer.Option(min=1, help="rows in parallel")] = 2,
    into: INTO = Path("experiments"),
) -> None:
    """Compare many treatments with raw, on one data set, in one run."""
    from facade.experiments.treatment_study import write_study

    write_study(name, assignments, jobs, into)


@experiment.command()
def detector(
    into: Annotated[Path, typer.Argument(help="output folder, as models/<arm>")],
    data: Annotated[list[Path], typer.Argument(help="treated versions of the same photographs, as data/pseudo")],
    weights: Annotated[Path | None, typer.Option(help="initial weights: seed-<n>.pth of an arm")] = None,
) -> None:
    """Train a detector to hand out, on several versions of the same photographs (docs/detector-card.md)."""
    from facade.experiments.detector_training import train_detector
    from facade.params import load

    train_detector(data, into, weights, load(), Path(".work/detector"))


@experiment.command("misses")
def misses_study(
    into: Annotated[Path, typer.Argument(help="output folder")] = Path("experiments"),
    pool: Annotated[Path | None, typer.Argument(help="field photographs; default: rendered ones")] = None,
) -> None:
    """Measure what known misses gain over as many random photographs."""
    from facade.experiments.misses_study import write_misses_study

    write_misses_study(into, pool)


@experiment.command("domain")
def domain_study(
    into: Annotated[Path, typer.Argument(help="output folder")] = Path("experiments"),
    domain: Annotated[str, typer.Argument(help="a domain as in ingest.domain")] = "fisheye",
) -> None:
    """Measure what training for the target camera gains."""
    from facade.experiments.domain_study import write_domain_study

    write_domain_study(into, domain)


@experiment.command()
def plane(into: Annotated[Path, typer.Argument(help="output folder")] = Path("experiments")) -> None:
    """Plot the cost of every experiment against its linkage rate."""
    from facade.report.plane import write_plane

    write_plane(into)


@experiment.command()
def soundness(path: Annotated[Path, typer.Argument(help="page to write")] = Path("docs/soundness.md")) -> None:
    """Simulate studies with a known truth, to check the error rates of the verdict."""
    from facade.measure.simulation import write_soundness

    write_soundness(path)


@experiment.command()
def landmarks(
    into: Annotated[Path, typer.Argument(help="ONNX file to write")] = Path("landmarks.onnx"),
    workers: Annotated[int | None, typer.Option(min=1, help="processes that render; default: all cores")] = None,
) -> None:
    """Train the network that finds landmarks in detections, on rendered heads alone."""
    from facade.experiments.landmark_training import train_landmarks

    train_landmarks(into, workers=workers)
    typer.echo(f"{into}: {into.stat().st_size / 1e3:.0f} kB")


def check(
    folder: Annotated[Path, typer.Argument(help="labelled photographs, as ingest.path names them")],
    category: Annotated[
        list[str], typer.Option(help="a category that is a face, as in ingest.categories; may be repeated")
    ] = [],  # noqa: B006 - typer copies it
    label_orientation: Annotated[
        str | None, typer.Option(help="infer, upright or stored; default: ingest.label_orientation")
    ] = None,
) -> None:
    """Say what a data set is, and what ingest would take of it and what not. Writes nothing."""
    from facade.dataset.check import check_data_set, report_lines
    from facade.errors import FacadeError
    from facade.params import load_or_default

    params = load_or_default().ingest
    orientation = label_orientation or params.label_orientation
    if orientation not in ("infer", "upright", "stored"):
        raise FacadeError(f"--label-orientation is {orientation}; choose infer, upright or stored.")
    categories = tuple(category) or params.categories
    checked = check_data_set(
        params.model_copy(update={"path": folder, "categories": categories, "label_orientation": orientation})
    )
    for line in report_lines(checked):
        typer.echo(line)
    if checked.problems:
        raise SystemExit(1)


def review(
    base: Annotated[str, typer.Option(help="target branch or commit")] = "main",
    pictures: Annotated[str, typer.Option(help="URL prefix of pictures")] = "",
    report: Annotated[str, typer.Option(help="URL of the report")] = "",
    check: Annotated[bool, typer.Option("--check", help="fail if the committed results are stale")] = False,
) -> None:
    """Report the effect of a change on precision, recall and privacy, in Markdown."""
    from facade.report.pull_request import review as comment, stale_stages

    if not check:
        typer.echo(comment(base, pictures, report), nl=False)
        return
    stale = stale_stages()
    typer.echo(f"dvc.lock is stale: {', '.join(stale)} would re-run." if stale else "dvc.lock is up to date.")
    if stale:
        raise SystemExit(1)


def export(
    weights: Annotated[Path, typer.Argument(help="models/<arm>/seed-<n>.pth")],
    into: Annotated[Path, typer.Argument(help="the ONNX file to write")],
    min_score: Annotated[float | None, typer.Option(min=0.001, max=0.999, help="threshold to use it at")] = None,
    size: Annotated[int | None, typer.Option(min=64, help="input size, pixels; default: that of the training")] = None,
    fit: Annotated[
        bool | None, typer.Option("--fit/--unfit", help="whether you trust it to anonymize real people")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="a model card, to store in the file")] = None,
) -> None:
    """Export a trained detector to ONNX, with its threshold, input size and fitness in the file's metadata."""
    from facade.detector.export import export as write

    write(weights, into, min_score, size, fit, "" if card is None else card.read_text(encoding="utf-8"))
    typer.echo(f"{into}: {into.stat().st_size / 1e6:.1f} MB")


def bank(
    folder: Annotated[Path, typer.Argument(help="a face bank: pictures of synthetic faces")],
    weights: Annotated[Path | None, typer.Option(help="facexlib's detection_*_Final.pth; default: download it")] = None,
) -> None:
    """Detect the landmarks of a face bank, and write landmarks.csv into it."""
    from facade.sources.bank import CACHE
    from facade.sources.bank_landmarks import TABLE, write_landmark_table

    usable, excluded = write_landmark_table(folder, weights, CACHE)
    typer.echo(
        f"{folder / TABLE}: landmarks of {usable} pictures; {excluded} are left out (no face, or more than one)."
    )


def sheets(folder: Annotated[Path, typer.Argument(help="output folder")] = Path("docs/faces")) -> None:
    """Render contact sheets of synthetic faces."""
    from facade.report.sheets import write_sheets

    write_sheets(folder)


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.add_typer(experiment, name="experiment")
    for command in (check, review, export, bank, sheets):
        app.command()(command)
