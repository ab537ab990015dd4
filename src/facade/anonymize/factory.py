"""Build a treatment by name: that of an arm, or of a footage method.

A stage that needs one kind alone calls `build_blur` or `build_pseudonyms` itself, so that it does not depend on the
code of the other.
"""

from facade.anonymize.blur_faces import build_blur
from facade.anonymize.treat import BuiltTreatment
from facade.params import Params

# What `facade anonymize --method` offers.
METHODS = ("gaussian", "pixelate", "solid", "pseudonym")


def build_treatment(name: str, params: Params, *, synthetic: bool = False, key: str | None = None) -> BuiltTreatment:
    """The treatment of an anonymized arm or of a footage method.

    Args:
        name: An arm, "blur" or "pseudo", treated as params.yaml says; or one of `METHODS`. A method takes its strength
            from params.yaml as well, but blurs all frames alike (no `sigma_jitter`) and adds no decoys.
        params: All of params.yaml.
        synthetic: Whether the photographs are synthetic (no real people), so that the public key may be used.
        key: Secret for pseudonyms in place of that of `synthesize.key`: the audit's attacker knows the method but not
            the key.

    Returns:
        The treatment, and its cache key. It never works in place: a frame of a video can be the decoder's own buffer,
        from which later frames are predicted.

    Raises:
        FacadeError: Pseudonyms need a key or a source of faces that is missing.
        ValueError: There is no such arm or method.
    """
    if name in ("pseudo", "pseudonym"):
        from facade.anonymize.pseudonyms import build_pseudonyms  # SciPy and the heads, which a blur does not need

        return build_pseudonyms(params.synthesize, synthetic, key, in_footage=name == "pseudonym")
    if name == "blur":
        return build_blur(params.blur)
    if name in METHODS:
        return build_blur(params.blur.model_copy(update={"method": name, "sigma_jitter": 1, "decoys": 0}))
    raise ValueError(f"no treatment is named {name!r}; choose blur, pseudo, {', '.join(METHODS)}")
