"""The command line: `facade anonymize`, `facade misses`.   python -m facade --help"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from facade.errors import FacadeError
from facade.parallel import work_on
from facade.params import load
from facade.storage import place, reaching

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def facade() -> None:
    """Anonymize pictures and video, and keep account of what the detector misses."""


@app.command()
def anonymize(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... OUT",
            help="photographs, videos, tars of photographs, or folders, here or in storage (s3://...); then where to",
        ),
    ],
    models: Annotated[Path, typer.Option(help="the arm whose detector looks for faces")] = Path("models/pseudo"),
    seed: Annotated[int | None, typer.Option(help="which of its runs; the first by default")] = None,
    score: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1,
            help="from which a detection is a face, by default the operating threshold (metrics/golden.json)",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=64,
            help="longest side that pictures are resized to, pixels, by default as in training",
        ),
    ] = None,
    boxes: Annotated[Path | None, typer.Option(help="COCO file of faces, in place of a detector")] = None,
    exempt: Annotated[Path | None, typer.Option(help="COCO file of faces that are kept as they are")] = None,
    method: Annotated[
        str | None, typer.Option(help="gaussian, pixelate, solid or pseudonym; by default blur.method")
    ] = None,
    bridge: Annotated[
        int,
        typer.Option(min=0, help="a person unseen for fewer frames than this was there all the while; 0: no tracks"),
    ] = 15,
    audio: Annotated[bool, typer.Option(help="copy the sound; voices tell who somebody is, too")] = True,
    overwrite: Annotated[bool, typer.Option(help="replace files that another run wrote")] = False,
    shows_nobody: Annotated[
        bool, typer.Option(help="nobody in the footage is real: pseudonyms may come from the public key")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; all cores by default")] = None,
    engine: Annotated[str | None, typer.Option(help="local or ray; by default engine.name")] = None,
) -> None:
    """Anonymize photographs, shards of them, and videos; what is done to a face stands in params.yaml.

    A report stands beside each file that is written. A run that was interrupted goes on where it stopped.
    """
    from facade.footage.anonymize_files import anonymize as anonymize_files, jobs
    from facade.footage.box_sources import Given
    from facade.footage.settings import finder_of, settings_of
    from facade.footage.shard import SHARDS

    params = load()
    if engine not in (None, "local", "ray"):
        raise FacadeError(f"--engine is {engine}, and there are local and ray.")
    work_on(params.engine.model_copy(update={"name": engine or params.engine.name}))
    if len(paths) < 2:
        raise FacadeError("name what to anonymize, and where to write it, as in `facade anonymize IN OUT`.")
    places = [place(path) for path in paths]
    try:
        with reaching():
            found, strange = jobs(places[:-1], places[-1], [path for path in (boxes, exempt) if path is not None])
    except OSError as fault:
        raise FacadeError(f"what was named cannot be looked through: {fault.strerror or fault}.") from None
    if not found:
        raise FacadeError("there is no photograph, no shard and no video among what was named.")
    finder, sure = finder_of(models, seed, score, size, boxes, params)
    if isinstance(finder, Given):
        finder.check(job.name for job in found if job.source.suffix.lower() not in SHARDS)
    settings = settings_of(finder, sure, exempt, method, bridge, audio, shows_nobody, params)
    errors = anonymize_files(found, settings, overwrite, typer.echo, workers)
    if strange:
        typer.echo(f"left out, neither photographs, shards nor videos: {', '.join(str(path) for path in strange[:5])}"
                   + (f" and {len(strange) - 5} more" if len(strange) > 5 else ""))  # fmt: skip
    for error in errors:
        typer.echo(f"facade: {error}", err=True)
    if errors:
        raise SystemExit(1)


misses = typer.Typer(no_args_is_help=True, help="The ledger of known misses, in misses/.")
app.add_typer(misses, name="misses")
KEEP = "Keep them: dvc add misses/images && git add misses && git commit"


@misses.command()
def harvest(
    pool: Annotated[Path, typer.Argument(help="photographs with reviewed labels, in WIDER FACE's or COCO's layout")],
    arm: Annotated[list[str], typer.Option(help="whose models look; may be given again")] = ["pseudo"],  # noqa: B006
    share: Annotated[float, typer.Option(min=0, max=1, help="of an arm's runs, how many must miss a face")] = 0.5,
    accept: Annotated[bool, typer.Option(help="take the pool's labels as reviewed: misses count as accepted")] = False,
    instead: Annotated[int | None, typer.Option(min=1, help="so many random photographs in place of misses")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; all cores by default")] = None,
) -> None:
    """Run the current models over a field pool, and record what they miss.

    Photographs are stored anonymized alone; golden ones, and what looks like one, are refused.
    """
    from facade.misses.harvest import harvest as look
    from facade.misses.ledger import accepted, read_ledger, with_entries

    params = load()
    work_on(params.engine)
    ledger = read_ledger()
    kept, left, synthetic = look(pool, ledger, arm, params, share, typer.echo, instead, workers)
    entries = [(accepted(one.entry) if accept else one.entry, one.files) for one in kept]
    with_entries(ledger, entries, synthetic)
    refused = sum(bool(one.reason) for one in left)
    faces = sum(len(one.entry.misses) for one in kept)
    typer.echo(
        f"{faces} misses in {len(kept)} photographs; {len(left) - refused} without one, {refused} left out. {KEEP}"
    )


@misses.command()
def add(
    photograph: Annotated[Path, typer.Argument(help="the photograph")],
    box: Annotated[list[str], typer.Option(help="a missed face: x,y,width,height in pixels; may be given again")],
    arm: Annotated[str, typer.Option(help="whose models look for the other faces")] = "pseudo",
    shows_nobody: Annotated[bool, typer.Option(help="nobody in it is real")] = False,
) -> None:
    """Record a miss that somebody saw. Name every face that is missed: the others are what the models find."""
    from facade.misses.add import reported
    from facade.misses.harvest import anonymizer, golden_looks, runs_of
    from facade.misses.ledger import read_ledger, with_entries

    params = load()
    ledger = read_ledger()
    boxes = [_box(one) for one in box]
    kept = reported(
        photograph,
        boxes,
        ledger,
        runs_of(arm, params),
        golden_looks(params.ingest),
        anonymizer(params, shows_nobody),
        params,
    )
    with_entries(ledger, [(kept.entry, kept.files)], shows_nobody)
    typer.echo(f"{len(boxes)} misses recorded in {kept.entry.photograph.file}. {KEEP}")


@misses.command()
def review(port: Annotated[int, typer.Option(help="0 for any that is free")] = 0) -> None:
    """Open a local page to accept, correct or reject misses."""
    from facade.misses.ledger import LEDGER
    from facade.misses.review_server import review as serve

    serve(LEDGER, port, typer.echo)


@misses.command()
def show(
    pictures: Annotated[Path | None, typer.Option(help="JPEG or PNG file for a sheet of the missed faces")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV file for all of them")] = None,
) -> None:
    """Tell which conditions are missed most."""
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


def _box(told: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = map(float, told.split(","))
    except ValueError:
        raise FacadeError(f"--box is {told!r}. Give four numbers, as in --box 10,20,40,50.") from None
    return x, y, width, height


def main() -> None:
    """Run the command line; what a person can mend ends in a sentence."""
    try:
        app()
    except FacadeError as error:
        sys.exit(f"facade: {error}")
    except KeyboardInterrupt:
        sys.exit("facade: interrupted; run the same command again to go on.")
