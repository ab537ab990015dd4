"""A hash of the installed code, to compare versions of Facade across machines."""

import hashlib
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def code_hash() -> str:
    """sha256 of all source files of the package, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
