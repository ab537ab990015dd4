"""The source of synthetic faces that params.yaml names, and the key of its results."""

import hashlib
import hmac

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


def pseudonym_cache_key(params: Synthesize, secret: str) -> str:
    """64 hexadecimal digits that change with everything that pseudonyms depend on besides the photograph.

    That is the parameters, the secret, and the pictures of a bank: other pictures under the same names are other
    people. The secret cannot be recovered from it.
    """
    digest = hashlib.sha256(repr(params).encode() + hmac.digest(secret.encode(), b"pseudonyms", "sha256"))
    if params.source == "bank":
        for path in sorted(params.bank.rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(params.bank).as_posix().encode() + b"\0")
                digest.update(sha256_of(path).encode())
    return digest.hexdigest()
