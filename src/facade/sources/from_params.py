"""The source of synthetic faces that params.yaml names, and the key of its results."""

import hashlib

from facade.files import sha256_of
from facade.params import Synthesize
from facade.sources.bank import FaceBank
from facade.sources.diffusion import DiffusionFaces
from facade.sources.procedural import ProceduralHeads
from facade.sources.source import FaceSource


def open_source(params: Synthesize, ageless: bool = False) -> FaceSource:
    """Open the source named by `synthesize.source`.

    Args:
        params: The source.
        ageless: See `ProceduralHeads`; the other sources take faces as they are.

    Raises:
        FacadeError: A folder or a model that it needs is missing.
    """
    if params.source == "bank":
        return FaceBank(params.bank, params.bank_weights, params.bank_recognition)
    if params.source == "diffusion":
        return DiffusionFaces(params.diffusion)
    return ProceduralHeads(params.cover, ageless)


def pseudonym_cache_key(params: Synthesize) -> str:
    """64 hexadecimal digits that change with what pseudonyms depend on besides the photograph and the secret.

    That is the parameters, and the pictures of a bank: other pictures under the same names are other people. It is
    written to disk, so the secret is left out: from any hash of it, fast or slow, a weak secret could be guessed.
    """
    digest = hashlib.sha256(repr(params).encode())
    if params.source == "bank":
        for path in sorted(params.bank.rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(params.bank).as_posix().encode() + b"\0")
                digest.update(sha256_of(path).encode())
    return digest.hexdigest()
