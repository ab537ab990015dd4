"""How faces of footage are treated: what params.yaml says, or a method named in its place."""

from facade.anonymize import BlurFaces
from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import Treatment
from facade.params import Params
from facade.secret_key import read_key
from facade.sources.from_params import source_of

METHODS = ("gaussian", "pixelate", "solid", "pseudonym")


def treatment(params: Params, method: str, shows_nobody: bool = False) -> Treatment:
    """The treatment of a method, with the strength that params.yaml gives.

    Args:
        params: All of params.yaml.
        method: One of `METHODS`: blur, pixelate, blank, or replace by a synthetic face.
        shows_nobody: True where nobody in the footage is real, so that pseudonyms may come from the public key.

    Raises:
        FacadeError: Pseudonyms need a key, or a source, that is not there.
    """
    if method != "pseudonym":
        # One strength from frame to frame, and nothing blurred that need not be. Never in place: a frame can be the
        # decoder's own, which the next ones are predicted from.
        return BlurFaces(params.blur.model_copy(update={"method": method, "vary": 1, "decoys": 0}))
    wanted = params.synthesize
    return ReplaceFaces(wanted, source_of(wanted), read_key(wanted.key, shows_nobody))
