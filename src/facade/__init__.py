"""Facade: train a face detector on raw, blurred and pseudonymized photographs, and measure what it loses."""

import os

# numba words and colours an error for every overload that it tries, a twelfth of the time that it compiles for.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
