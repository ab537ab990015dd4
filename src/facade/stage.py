"""What makes a function a stage: run as a script, it gets the checked parameters and ends in a sentence if it fails."""

import os
import sys
from collections.abc import Callable, Sequence

from facade.errors import FacadeError
from facade.parallel import work_on
from facade.params import Params, load

Stage = Callable[[Params], None]
# Set for the processes that a stage starts. glibc gives what a tensor frees back to the kernel, and asks for it again
# at the next step; where it is kept, a step of training takes 14 to 19 % less time
# (docs/performance.md). A value that is set already stays.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
# The treatments of the training photographs, in the order in which they are shown; the controls come last.
ANONYMIZED = ("blur", "pseudo")
MAIN_ARMS, CONTROLS = ("raw", *ANONYMIZED), ("recode", "decoy", "drop")
ARMS = MAIN_ARMS + CONTROLS


def arm(among: Sequence[str] = ARMS) -> str:
    """The arm that a script was called for, as in `python stages/train.py blur`.

    Args:
        among: The arms that the script works on.

    Raises:
        FacadeError: None was named, or one that does not exist.
    """
    if len(sys.argv) != 2 or sys.argv[1] not in among:
        raise FacadeError(f"name one arm ({', '.join(among)}), as in `python {sys.argv[0]} {among[0]}`.")
    return sys.argv[1]


def stage(function: Stage) -> Stage:
    """Mark the function that a script of `stages/` runs.

    It is called when its file is the program, and only then: worker processes import the file, too. A `FacadeError`
    ends the program with its sentence; any other exception is a fault of Facade and keeps its traceback, which is
    what a bug report needs.
    """
    if function.__module__ == "__main__":
        for name, value in KEEP_MEMORY.items():
            os.environ.setdefault(name, value)
        try:
            params = load()
            work_on(params.engine)
            function(params)
        except FacadeError as error:
            sys.exit(f"facade: {error}")
        except KeyboardInterrupt:
            sys.exit("facade: interrupted; nothing half-done was left in place.")
    return function
