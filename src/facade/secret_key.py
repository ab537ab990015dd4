"""The secret key that pseudonyms are derived from. It stays outside git and is never written to disk."""

import os
from pathlib import Path

from facade.errors import FacadeError

# The public key, for synthetic photographs only.
DEMO = "demo"
# Environment variables: the secret itself, or the path of a file that holds it.
VARIABLE, FILE_VARIABLE = "FACADE_KEY", "FACADE_KEY_FILE"
# Minimum length of a secret, characters. A shorter one could be brute-forced from the pseudonyms.
MIN_LENGTH = 16
HINT = f"Set {VARIABLE}, or {FILE_VARIABLE} to a file outside the repository; generate one with `openssl rand -hex 32`."


def read_key(name: str, synthetic: bool) -> str:
    """The secret behind a key's name.

    Args:
        name: `synthesize.key`. "demo" is the public key; any other name stands for the secret in the environment. DVC
            tracks only the name, so a new secret needs a new name.
        synthetic: Whether the photographs are synthetic (no real people).

    Raises:
        FacadeError: The public key is used with photographs of real people, or the secret is missing or too short.
    """
    if name == DEMO:
        if not synthetic:
            raise FacadeError(
                "synthesize.key is demo, the public key, but the photographs are not synthetic. Name your own key, "
                f"for example -S synthesize.key=mine. {HINT}"
            )
        return DEMO
    secret = os.environ.get(VARIABLE, "").strip() or _from_file()
    if not secret:
        raise FacadeError(f"synthesize.key is {name}, but no secret is set for it. {HINT}")
    if len(secret) < MIN_LENGTH:
        raise FacadeError(f"the secret of synthesize.key has fewer than {MIN_LENGTH} characters. {HINT}")
    return secret


def _from_file() -> str:
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise FacadeError(f"the file named by {FILE_VARIABLE} cannot be read as text. {HINT}") from None
