"""The command line: `facade anonymize`, `facade misses`.   python -m facade --help"""

import hashlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from facade.errors import FacadeError
from facade.params import load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def facade() -> None:
    """Anonymize pictures and video, and keep account of what the detector misses."""


@app.command()
def anonymize(
    paths: Annotated[
        list[Path], typer.Argument(metavar="IN... OUT", help="photographs, videos or folders; then where to")
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
) -> None:
    """Anonymize photographs and videos; what is done to a face stands in params.yaml.

    A report stands beside each file that is written. A run that was interrupted goes on where it stopped.
    """
    from facade.footage.finder import Trained, given, operating_threshold, trained
    from facade.footage.job import Settings
    from facade.footage.method import METHODS, treatment
    from facade.footage.run import anonymize as anonymize_files, jobs

    params = load()
    if len(paths) < 2:
        raise FacadeError("name what to anonymize, and where to write it, as in `facade anonymize IN OUT`.")
    chosen = method or params.blur.method
    if chosen not in METHODS:
        raise FacadeError(f"--method is {method}, and there are {', '.join(METHODS)}.")
    found, strange = jobs(paths[:-1], paths[-1])
    if boxes is None:
        sure = operating_threshold(models) if score is None else score
        finder: Any = trained(models, seed, sure, size, params.detect)
    else:
        finder, sure = given(boxes), 1.0
    kept = None if exempt is None else given(exempt)
    key = hashlib.sha256()
    for part in (chosen, params.blur, params.synthesize, params.codec, bridge, audio, repr(finder), sure):
        key.update(f"{part!r}\n".encode())
    for path in (boxes, exempt, finder.weights if isinstance(finder, Trained) else None):
        key.update(b"" if path is None else hashlib.sha256(path.read_bytes()).digest())
    settings = Settings(
        finder, sure, treatment(params, chosen, shows_nobody), kept, bridge, audio, params.codec,
        params.ingest.max_megapixels, key.hexdigest(),
    )  # fmt: skip
    errors = anonymize_files(found, settings, overwrite, typer.echo, workers)
    if strange:
        typer.echo(f"left out, neither photographs nor videos: {', '.join(str(path) for path in strange[:5])}"
                   + (f" and {len(strange) - 5} more" if len(strange) > 5 else ""))  # fmt: skip
    if not found:
        raise FacadeError("there is no photograph and no video among what was named.")
    for error in errors:
        typer.echo(f"facade: {error}", err=True)
    if errors:
        raise SystemExit(1)


def main() -> None:
    """Run the command line; what a person can mend ends in a sentence."""
    try:
        app()
    except FacadeError as error:
        sys.exit(f"facade: {error}")
    except KeyboardInterrupt:
        sys.exit("facade: interrupted; run the same command again to go on.")
