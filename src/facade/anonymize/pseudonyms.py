"""Assemble the pseudonym treatment from its parameters: the source of faces, and the secret key."""

from facade.anonymize.replace_faces import ReplaceFaces
from facade.anonymize.treat import BuiltTreatment
from facade.params import Synthesize
from facade.secret_key import read_key
from facade.sources.from_params import open_source, pseudonym_cache_key


def build_pseudonyms(
    params: Synthesize, synthetic: bool = False, key: str | None = None, in_footage: bool = False
) -> BuiltTreatment:
    """The treatment that replaces faces by pseudonyms.

    Args:
        params: The source of faces, and how they are blended in.
        synthetic: Whether the photographs are synthetic (no real people), so that the public key may be used.
        key: Secret in place of that of `synthesize.key`.
        in_footage: Whether boxes come from a detector, and people look at the result: all of a box is erased, and
            procedural faces go with hair and clothes of any age and sex. Labels of an experiment are the faces, and
            training needs all kinds of them.

    Raises:
        FacadeError: The key or the source of faces is missing.
    """
    secret = read_key(params.key, synthetic) if key is None else key
    source = open_source(params, ageless=in_footage and params.cover == "face")
    return BuiltTreatment(ReplaceFaces(params, source, secret, in_footage), pseudonym_cache_key(params))
