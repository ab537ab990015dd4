"""The source of synthetic faces that params.yaml asks for."""

import hashlib
import hmac

from facade.files import sha256_of
from facade.params import Synthesize
from facade.sources.bank import FaceBank
from facade.sources.diffusion import DiffusionFaces
from facade.sources.procedural import ProceduralHeads
from facade.sources.source import FaceSource


def source_of(params: Synthesize) -> FaceSource:
    """The source by its name.

    Raises:
        FacadeError: It cannot be made: a folder or a model is missing.
    """
    if params.source == "bank":
        return FaceBank(params.bank, params.bank_weights, params.bank_recognition)
    if params.source == "diffusion":
        return DiffusionFaces(params.diffusion)
    return ProceduralHeads(params.cover)


def key_of(params: Synthesize, secret: str) -> str:
    """64 hexadecimal digits that change with whatever pseudonyms come from, besides the photograph.

    That is the parameters, the secret, and the pictures of a bank: others under the same names are other people. What
    the secret is cannot be told from it.
    """
    digest = hashlib.sha256(repr(params).encode() + hmac.digest(secret.encode(), b"pseudonyms", "sha256"))
    if params.source == "bank":
        for path in sorted(params.bank.rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(params.bank).as_posix().encode() + b"\0")
                digest.update(sha256_of(path).encode())
    return digest.hexdigest()
