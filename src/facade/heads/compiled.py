"""How the inner loops are compiled, by numba."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

# numba words and colours an error for every overload that it tries, a twelfth of the time that it compiles for; it asks
# when it is imported.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")

import numba

# Division by zero gives infinity as in numpy, without a test before every division; sums may be reordered. Both are
# the same on every run of one machine.
# Inner functions are called by compiled code alone: no wrapper for Python is compiled.
function = numba.njit(fastmath=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)

SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted((Path(__file__).parent / "field").glob("*.py")))
).hexdigest()[:16]


def entry_point(python: Callable) -> Callable:
    """Compile a function that Python calls, and keep the result on disk.

    numba looks for changes in the one file that holds a function, and would go on with yesterday's nose after a change
    in another file. So the name under which the result is kept holds the hash of every module of the field.
    """
    python.__qualname__ += f"_{SOURCES}"
    return numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)(python)
