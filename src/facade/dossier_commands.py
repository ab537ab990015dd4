"""The commands of dossiers: `facade dossier`, `facade dossier key`, `facade dossier verify`."""

from pathlib import Path
from typing import Annotated

import typer

from facade.errors import FacadeError

dossier = typer.Typer(invoke_without_command=True)


@dossier.callback()
def write(
    context: typer.Context,
    into: Annotated[Path, typer.Option(help="folder to write; an older dossier is replaced")] = Path("dossier"),
    key: Annotated[
        Path | None, typer.Option(help="private key that signs it, from `facade dossier key`; default: unsigned")
    ] = None,
    outdated: Annotated[
        bool, typer.Option("--outdated", help="make it although results are outdated; the dossier says so")
    ] = False,
) -> None:
    """Write what a finished experiment did to faces and what it found, as one folder for a data protection officer."""
    if context.invoked_subcommand is not None:
        return
    from facade.dossier.assemble import write_dossier
    from facade.dossier.signing_keys import load_key
    from facade.params import load

    private = None if key is None else load_key(key)
    content = write_dossier(into, load(), private, outdated)
    typer.echo(
        f"{into}: {len(content['evidence'])} result files, {len(content['not_measured'])} quantities not measured"
    )
    for reason in content["outdated"]:
        typer.echo(f"outdated: {reason}")
    if content["signature"] is None:
        typer.echo("not signed: anybody can change it unnoticed. `facade dossier key` makes a key for --key.")
    else:
        typer.echo(f"signed; fingerprint of the public key (SHA-256): {content['signature']['fingerprint']}")


@dossier.command("key")
def make(
    file: Annotated[
        Path | None, typer.Argument(help="file to write; default: facade/dossier.pem in your configuration folder")
    ] = None,
) -> None:
    """Make a key pair to sign dossiers with. Whoever holds the private key can sign in your name."""
    from facade.dossier.signing_keys import default_key_path, make_key, public_path

    path = file or default_key_path()
    fingerprint = make_key(path)
    typer.echo(f"{path}: the private key. Keep it; only you can read it.")
    typer.echo(f"{public_path(path)}: the public key. Give it to those who verify.")
    typer.echo(f"fingerprint of the public key (SHA-256): {fingerprint}")


@dossier.command("verify")
def check(
    folder: Annotated[Path, typer.Argument(help="the dossier")],
    public_key: Annotated[
        Path | None, typer.Option(help="the signer's public key, which you did not get with the dossier")
    ] = None,
) -> None:
    """Check, offline, that no byte of a dossier was altered, removed or added. Exit code 1 if one was."""
    from facade.dossier.verify import verify

    if not folder.is_dir():
        raise FacadeError(f"{folder} is no folder. Name a dossier.")
    found = verify(folder, public_key)
    typer.echo(f"{folder}: {found.files} files are as they were made, at commit {found.commit}")
    for reason in found.outdated:
        typer.echo(f"outdated: {reason}")
    if found.fingerprint is None:
        typer.echo("not signed: this shows accidental changes only")
    elif found.trusted:
        typer.echo(f"signed with the key that you gave ({found.fingerprint})")
    else:
        typer.echo(f"signed with the enclosed key; compare its fingerprint with the signer's: {found.fingerprint}")
