"""Numba decorators for the renderer's compiled functions."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

# numba formats and highlights an error message for every overload that it tries, which takes a twelfth of the compile
# time. It reads this variable on import.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")

import numba

# As in numpy, division by zero gives infinity, without a check before every division; sums may be reordered. Both are
# deterministic on one machine. Inner functions are called by compiled code only: no Python wrapper is compiled.
function = numba.njit(fastmath=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted((Path(__file__).parent / "field").glob("*.py")))
).hexdigest()[:16]


def entry_point(python: Callable) -> Callable:
    """Compile a function that Python calls, and cache the result on disk.

    numba's cache notices changes only in the file that holds the function, and would use stale code after a change in
    another file. So the function's name, which is part of the cache key, includes a hash of every module of the field.
    """
    python.__qualname__ += f"_{SOURCES}"
    return numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)(python)
