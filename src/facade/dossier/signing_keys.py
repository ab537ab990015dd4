"""The keys that sign dossiers: Ed25519 (RFC 8032), in PEM files that OpenSSL reads, too.

Ed25519 draws no random numbers when it signs: the same dossier and key give the same signature.
"""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from facade.errors import FacadeError
from facade.files import write_bytes

# Folders that mark a repository: a key in there is one `git add` away from everybody who may clone it.
REPOSITORIES = (".git", ".dvc")


def default_key_path() -> Path:
    """Where a key lies if no file is named: outside all repositories."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "facade" / "dossier.pem"


def public_path(key: Path) -> Path:
    """The file of the public key that belongs to a private one."""
    return key.with_name(f"{key.name}.pub")


def make_key(path: Path) -> str:
    """Make a key pair: the private key with mode 0600, and the public key next to it.

    Args:
        path: File of the private key, which must not exist. The public key gets the suffix `.pub`.

    Returns:
        The fingerprint of the public key.

    Raises:
        FacadeError: The file exists, lies in a repository, or cannot be written.
    """
    for parent in path.absolute().resolve().parents:
        if any((parent / mark).exists() for mark in REPOSITORIES):
            raise FacadeError(f"{path} lies in the repository {parent}, which others may read. Name a file outside it.")
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created with its mode, so that at no moment others can read it; O_EXCL never replaces a key.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        write_bytes(public_path(path), public_pem(key.public_key()))
    except FileExistsError:
        raise FacadeError(f"{path} exists. Use it, or name another file: a lost key cannot be made again.") from None
    except OSError as error:
        raise FacadeError(f"{path} cannot be written ({error.strerror}). Name another file.") from None
    return fingerprint(key.public_key())


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        FacadeError: The file is missing, others may read it, or it is no Ed25519 key.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise FacadeError(f"{path} may be read by other users. Run `chmod 600` on it, or make another key.")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror}). `facade dossier key FILE` makes a key.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise FacadeError(f"{path} is no Ed25519 private key without a password. `facade dossier key FILE` makes one.")
    return key


def parse_public_key(content: bytes) -> Ed25519PublicKey | None:
    """A public key from PEM; None if this is no Ed25519 public key."""
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        FacadeError: The file is missing, or is no Ed25519 public key.
    """
    try:
        key = parse_public_key(path.read_bytes())
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror}). Check the path of the public key.") from None
    if key is None:
        raise FacadeError(f"{path} is no Ed25519 public key in PEM. Ask the signer for the file that ends in .pub.")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key in DER, as `openssl pkey -pubin -in FILE -outform DER | sha256sum` prints it."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def is_signature(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether a signature is that of some content, by a key."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
