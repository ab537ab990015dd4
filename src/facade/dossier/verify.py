"""Check a dossier, offline: that no byte was altered, removed or added since it was signed."""

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from facade.dossier.manifest import MANIFEST, PUBLIC_KEY, SIGNATURE, differences, parse_manifest
from facade.dossier.schema import DOSSIER, SCHEMA
from facade.dossier.signing_keys import fingerprint, is_signature, parse_public_key, read_public_key
from facade.errors import FacadeError

# Number of faults that a message lists.
MAX_LISTED = 5


@dataclass(frozen=True)
class VerifiedDossier:
    """A dossier that is as it was made.

    Attributes:
        files: Number of files that were checked.
        commit: The git commit that it describes.
        fingerprint: Of the key that signed it; None if it is unsigned.
        trusted: Whether that is the key that the caller gave.
        outdated: Why its results are not those of its code and data; empty if they are.
    """

    files: int
    commit: str
    fingerprint: str | None
    trusted: bool
    outdated: tuple[str, ...]


def verify(folder: Path, public_key: Path | None = None) -> VerifiedDossier:
    """Check every byte of a dossier.

    Args:
        folder: The dossier.
        public_key: The key that it must be signed with, obtained from the signer. None takes the one in the dossier:
            this shows that nothing changed since somebody signed it, not who did.

    Raises:
        FacadeError: A file was altered, is missing or was added; the signature is not valid; or the folder is no
            dossier. The message names the file.
    """
    trusted = None if public_key is None else read_public_key(public_key)
    try:
        manifest = (folder / MANIFEST).read_bytes()
        faults = _signature_faults(folder, manifest, trusted)
        try:
            listed = parse_manifest(manifest)
            faults += differences(folder, listed)
        except FacadeError as error:
            faults.append(str(error))
        if faults:
            more = f"; and {len(faults) - MAX_LISTED} more" if len(faults) > MAX_LISTED else ""
            raise FacadeError(f"{folder} is not as it was made: {'; '.join(faults[:MAX_LISTED])}{more}. Do not use it.")
        return _described(folder, len(listed), trusted is not None)
    except FileNotFoundError as error:
        raise FacadeError(f"{error.filename} is missing: {folder} is no complete dossier. Ask for it again.") from None
    except OSError as error:
        raise FacadeError(f"{folder} cannot be read ({error.filename}: {error.strerror}).") from None


def _signature_faults(folder: Path, manifest: bytes, trusted: Ed25519PublicKey | None) -> list[str]:
    """What is wrong with the signature."""
    signature, enclosed = folder / SIGNATURE, folder / PUBLIC_KEY
    if not signature.is_file():
        if trusted is not None:
            return [f"{SIGNATURE} is missing: nobody has signed it, or the signature was removed"]
        return [f"{SIGNATURE} is missing"] if enclosed.exists() else []
    key = parse_public_key(enclosed.read_bytes())
    if key is None:
        return [f"{PUBLIC_KEY} is altered: it is no Ed25519 key"]
    if trusted is not None and fingerprint(trusted) != fingerprint(key):
        return [f"{PUBLIC_KEY} has the fingerprint {fingerprint(key)}, the key that you trust {fingerprint(trusted)}"]
    if not is_signature(key, signature.read_bytes(), manifest):
        return [f"{SIGNATURE} is no signature of {MANIFEST} by {PUBLIC_KEY}: one of the three is altered"]
    return []


def _described(folder: Path, files: int, trusted: bool) -> VerifiedDossier:
    """What an intact dossier says of itself."""
    try:
        content = json.loads((folder / DOSSIER).read_text(encoding="utf-8"))
        schema, commit, outdated = content["schema"], content["code"]["commit"], tuple(content["outdated"])
        claimed = content["signature"] and content["signature"]["fingerprint"]
    except (ValueError, KeyError, TypeError):
        raise FacadeError(f"{folder / DOSSIER} is not the description of a dossier. Ask for it again.") from None
    if schema != SCHEMA:
        raise FacadeError(f"{folder / DOSSIER} has the schema {schema}; this version of Facade reads {SCHEMA}.")
    signed = (folder / SIGNATURE).is_file()
    own = fingerprint(read_public_key(folder / PUBLIC_KEY)) if signed else None
    if own != claimed:
        raise FacadeError(
            f"{folder / DOSSIER} names the key {claimed or 'of nobody'}, but {folder} is "
            f"{'signed with ' + own if own else 'not signed'}: {SIGNATURE} was removed or replaced. Do not use it."
        )
    return VerifiedDossier(files, commit, own, trusted, outdated)
