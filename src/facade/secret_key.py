"""The key from which pseudonyms come: a secret that lives outside git, and that nothing ever writes down."""

import os
from pathlib import Path

from facade.errors import FacadeError

# The key of photographs of nobody. Everybody knows it.
DEMO = "demo"
# Where a secret comes from: the text itself, or a file that holds it.
VARIABLE, FILE_VARIABLE = "FACADE_KEY", "FACADE_KEY_FILE"
# A shorter secret can be guessed from what it made.
SHORTEST = 16
HOW = f"Set {VARIABLE}, or {FILE_VARIABLE} to a file outside the repository; `openssl rand -hex 32` makes a secret."


def read_key(name: str, synthetic: bool) -> str:
    """The secret behind a key's name.

    Args:
        name: `synthesize.key`. "demo" is the public key; any other name stands for the secret in the environment. DVC
            sees the name alone, so that another secret needs another name.
        synthetic: Whether nobody in the photographs is real.

    Raises:
        FacadeError: Photographs of real people were to get the public key; or the secret is missing or too short.
    """
    if name == DEMO:
        if not synthetic:
            raise FacadeError(
                "synthesize.key is demo, which everybody knows, and the photographs are not the demo's. Give your key "
                f"a name, as in -S synthesize.key=mine. {HOW}"
            )
        return DEMO
    secret = os.environ.get(VARIABLE, "").strip() or _from_file()
    if not secret:
        raise FacadeError(f"synthesize.key is {name}, and there is no secret for it. {HOW}")
    if len(secret) < SHORTEST:
        raise FacadeError(f"the secret of synthesize.key has fewer than {SHORTEST} characters. {HOW}")
    return secret


def _from_file() -> str:
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise FacadeError(f"{FILE_VARIABLE} names a file that cannot be read as text. {HOW}") from None
