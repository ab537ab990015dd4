"""Assemble the pseudonym treatment from its parameters: the source of faces, and the secret key."""

from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import BuiltTreatment
from facade.params import Synthesize
from facade.secret_key import read_key
from facade.sources.from_params import open_source, pseudonym_cache_key


def build_pseudonyms(params: Synthesize, synthetic: bool = False, key: str | None = None) -> BuiltTreatment:
    """The treatment that replaces faces by pseudonyms.

    Args:
        params: The source of faces, and how they are blended in.
        synthetic: Whether the photographs are synthetic (no real people), so that the public key may be used.
        key: Secret in place of that of `synthesize.key`.

    Raises:
        FacadeError: The key or the source of faces is missing.
    """
    secret = read_key(params.key, synthetic) if key is None else key
    return BuiltTreatment(ReplaceFaces(params, open_source(params), secret), pseudonym_cache_key(params, secret))
