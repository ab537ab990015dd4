"""The command line: `facade anonymize`, `facade misses`, `facade dossier`.   python -m facade --help"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from facade.dossier_commands import dossier
from facade.errors import FacadeError, disk_error
from facade.experiment_commands import add_commands
from facade.parallel import use_engine
from facade.params import load, load_or_default
from facade.storage import to_path

# Exit codes: anonymized, but with a detector that is unfit for real people; interrupted (Typer's).
UNFIT, INTERRUPTED = 3, 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facade {version('facade')}")
        raise typer.Exit


@app.callback()
def facade(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Anonymize photographs and videos; keep a ledger of the detector's known misses; run and review experiments."""


@app.command()
def anonymize(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... OUT",
            help="photographs, videos, tars of photographs, or folders, local or in storage (s3://...); output last",
        ),
    ],
    detector: Annotated[
        list[str] | None,
        typer.Option(
            help="face detector: an ONNX or TorchScript file, known weights, or models/<arm>; may be repeated to join "
            "several (docs/detectors.md). Default: the one that comes with Facade, which has seen no real face"
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(min=0.001, max=1, help="confidence threshold; default: the one measured for the detector"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=64, help="longest side to which images are resized for detection, pixels; default: the detector's own"
        ),
    ] = None,
    tiles: Annotated[bool, typer.Option("--tiles", help="also search overlapping tiles of large images")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    boxes: Annotated[Path | None, typer.Option(help="COCO file of faces, instead of a detector")] = None,
    exempt: Annotated[Path | None, typer.Option(help="COCO file of faces that stay untreated")] = None,
    method: Annotated[
        str | None, typer.Option(help="gaussian, pixelate, solid or pseudonym; default: blur.method")
    ] = None,
    widen: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="percent by which the treated area exceeds a box; default: 30 for detections, blur.widen for --boxes",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="name of the secret in FACADE_KEY that pseudonyms are derived from; default: synthesize.key"),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="what pseudonyms take from the person, as in pose,sharpness,grain; none: nothing, hardest to link; "
            "default: pose,light,tone,sharpness,grain"
        ),
    ] = None,
    max_gap: Annotated[
        int,
        typer.Option(min=0, help="gaps in a track of fewer frames than this are interpolated; 0: no tracking"),
    ] = 15,
    audio: Annotated[bool, typer.Option(help="copy the sound; voices can identify people, too")] = True,
    masks: Annotated[bool, typer.Option("--masks", help="also write masks of the changed pixels")] = False,
    records_only: Annotated[
        bool, typer.Option("--records-only", help="write the records of detected faces, and no anonymized files")
    ] = False,
    table: Annotated[Path | None, typer.Option(help="Parquet file to write: all faces of the run")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace output files from other settings")] = False,
    synthetic: Annotated[
        bool,
        typer.Option(
            "--synthetic",
            help="the footage shows no real people: the public key and detectors unfit for real people may be used",
        ),
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; default: all cores")] = None,
    engine: Annotated[str | None, typer.Option(help="local or ray; default: engine.name")] = None,
) -> None:
    """Anonymize photographs, shards of them, and videos. The strength of each method is set in params.yaml.

    A JSON record is written next to each output file, and one of the run into an output folder. An interrupted run
    resumes where it stopped. Exit codes: 0; 1 if anything that was named is not anonymized; 3 if all is, but with a
    detector that is unfit for real people.
    """
    from facade.dataset.names import printable
    from facade.footage.anonymizer import Anonymizer
    from facade.footage.run_record import failures, write_face_table

    params = load_or_default()
    if engine not in (None, "local", "ray"):
        raise FacadeError(f"--engine is {engine}; choose local or ray.")
    use_engine(params.engine.model_copy(update={"name": engine or params.engine.name}))
    if len(paths) < 2:
        raise FacadeError("name the inputs and the output, as in `facade anonymize IN OUT`.")
    kept = None if keep is None else [name for name in keep.split(",") if name not in ("", "none")]
    anonymizer = Anonymizer(
        detector, method, min_score=min_score, size=size, tiles=tiles, device=device, boxes=boxes, exempt=exempt,
        widen=widen, key=key, keep=kept, synthetic=synthetic, max_gap=max_gap, audio=audio, masks=masks,
        records_only=records_only, params=params,
    )  # fmt: skip
    if anonymizer.warning is not None:
        typer.echo(f"facade: {anonymizer.warning}", err=True)
    *sources, target = (to_path(path) for path in paths)
    outcomes, plan = anonymizer.run(sources, target, overwrite, workers, typer.echo)
    if table is not None:
        typer.echo(f"{table}: {write_face_table(table, outcomes)} faces")
    if plan.skipped:
        named = printable(", ".join(str(path) for path in plan.skipped[:5]))
        more = f" and {len(plan.skipped) - 5} more" if len(plan.skipped) > 5 else ""
        typer.echo(f"skipped, neither pictures nor videos, or hidden: {named}{more}")
    errors = [*map(str, plan.refused), *failures(outcomes)]
    for message in errors:
        typer.echo(f"facade: {message}", err=True)
    if errors:
        raise SystemExit(1)
    if anonymizer.warning is not None:
        raise SystemExit(UNFIT)


misses = typer.Typer(no_args_is_help=True, help="The ledger of known misses, in misses/.")
app.add_typer(misses, name="misses")
SAVE_HINT = "Save them: dvc add misses/images && git add misses && git commit"


@misses.command()
def harvest(
    pool: Annotated[Path, typer.Argument(help="photographs with reviewed labels, in WIDER FACE's or COCO's layout")],
    arm: Annotated[
        list[str] | None,
        typer.Option(help="whose models are run; may be repeated; default: pseudo, or --detector alone"),
    ] = None,
    detector: Annotated[
        list[str] | None, typer.Option(help="detector to run, as in facade anonymize; repeated ones are joined")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0.001, max=1, help="threshold of --detector; default: the one measured for it")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=64, help="longest side for --detector, pixels; default: its own")
    ] = None,
    tiles: Annotated[
        bool, typer.Option("--tiles", help="also search tiles of large photographs with --detector")
    ] = False,
    share: Annotated[float, typer.Option(min=0, max=1, help="share of an arm's runs that must miss a face")] = 0.5,
    accept: Annotated[bool, typer.Option(help="accept all misses, because the pool's labels were reviewed")] = False,
    random: Annotated[
        int | None, typer.Option(min=1, help="record this many random photographs instead of misses, as a control")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; default: all cores")] = None,
) -> None:
    """Run the current models, or a detector of yours, on a field pool, and record what they miss.

    Photographs are stored only anonymized. Golden photographs and their near-duplicates are refused.
    """
    from facade.misses.harvest import harvest as harvest_pool
    from facade.misses.ledger import accept_all, add_entries, read_ledger
    from facade.misses.runs import calibrated_runs, named_runs

    params = load()
    use_engine(params.engine)
    ledger = read_ledger()
    if not detector and (min_score is not None or size is not None or tiles):
        raise FacadeError("--min-score, --size and --tiles are for --detector. Name one, or leave them out.")
    runs = [calibrated_runs(name, params) for name in arm or ([] if detector else ["pseudo"])]
    if detector:
        runs.append(named_runs(detector, min_score, size, tiles, params))
    new, skipped, synthetic = harvest_pool(pool, ledger, runs, params, share, typer.echo, random, workers)
    entries = [(accept_all(one.entry) if accept else one.entry, one.files) for one in new]
    add_entries(ledger, entries, synthetic)
    refused = sum(bool(one.reason) for one in skipped)
    faces = sum(len(one.entry.misses) for one in new)
    typer.echo(
        f"{faces} misses in {len(new)} photographs; {len(skipped) - refused} without a miss, {refused} refused. "
        f"{SAVE_HINT}"
    )


@misses.command()
def add(
    photograph: Annotated[Path, typer.Argument(help="the photograph")],
    box: Annotated[list[str], typer.Option(help="a missed face: x,y,width,height in pixels; may be repeated")],
    arm: Annotated[str, typer.Option(help="whose models detect the other faces")] = "pseudo",
    synthetic: Annotated[bool, typer.Option(help="the photograph shows no real people")] = False,
) -> None:
    """Record misses that you found. Give a box for every missed face; the models detect the other faces."""
    from facade.misses.add import report_misses
    from facade.misses.harvest import build_anonymizer, golden_hashes
    from facade.misses.ledger import add_entries, read_ledger
    from facade.misses.runs import calibrated_runs

    params = load()
    ledger = read_ledger()
    boxes = [_parse_box(value) for value in box]
    new = report_misses(
        photograph,
        boxes,
        ledger,
        calibrated_runs(arm, params),
        golden_hashes(params.ingest),
        build_anonymizer(params, synthetic),
        params,
    )
    add_entries(ledger, [(new.entry, new.files)], synthetic)
    typer.echo(f"{len(boxes)} misses recorded in {new.entry.photograph.file}. {SAVE_HINT}")


@misses.command()
def review(port: Annotated[int, typer.Option(help="0 for any free port")] = 0) -> None:
    """Open a local page to accept, correct or reject misses."""
    from facade.misses.ledger import LEDGER
    from facade.misses.review_server import review as serve

    serve(LEDGER, port, typer.echo)


@misses.command()
def show(
    pictures: Annotated[Path | None, typer.Option(help="JPEG or PNG file to write: a sheet of missed faces")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV file to write: all misses")] = None,
) -> None:
    """Show which conditions are missed most often."""
    import cv2

    from facade.files import write_bytes, write_text
    from facade.misses.ledger import read_ledger
    from facade.misses.show import conditions, gallery, table as as_table

    ledger = read_ledger()
    typer.echo(f"{'condition':24} misses  new  accepted  rejected")
    for name, count, states in conditions(ledger):
        new, accepted, rejected = (states.get(state, 0) for state in ("new", "accepted", "rejected"))
        typer.echo(f"{name:24} {count:6} {new:4} {accepted:9} {rejected:9}")
    if table is not None:
        write_text(table, as_table(ledger))
    if pictures is not None:
        if pictures.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            raise FacadeError(f"--pictures is {pictures}. Name a .jpg or a .png file.")
        write_bytes(pictures, cv2.imencode(pictures.suffix.lower(), gallery(ledger))[1].tobytes())


def _parse_box(value: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = map(float, value.split(","))
    except ValueError:
        raise FacadeError(f"--box is {value!r}. Give four numbers, as in --box 10,20,40,50.") from None
    return x, y, width, height


app.add_typer(dossier, name="dossier")
add_commands(app)


def main() -> None:
    """Run the command line; a `FacadeError` or a full disk ends it with a message, Ctrl-C with how to resume."""
    try:
        app()
    except FacadeError as error:
        sys.exit(f"facade: {error}")
    except OSError as error:
        if (reason := disk_error(error)) is None:
            raise
        sys.exit(f"facade: {reason}")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer ends silently on Ctrl-C
            typer.echo("facade: interrupted. Run the same command again to resume.", err=True)
        raise
