"""The decorator of stages: run as a script, a stage gets validated parameters, and reports errors in one line."""

import os
import sys
from collections.abc import Callable, Sequence

from facade.errors import FacadeError, disk_error
from facade.parallel import use_engine
from facade.params import Params, load

StageFunction = Callable[[Params], None]
# Environment of the processes that a stage starts. By default, glibc returns the memory of freed tensors to the kernel,
# and requests it again at the next step. With these settings it keeps the memory, and a training step takes 14 to 19 %
# less time (docs/performance.md). Variables that are already set are left as they are.
MALLOC_SETTINGS = {"MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_MMAP_THRESHOLD_": str(2**25)}


def arm_argument(choices: Sequence[str]) -> str:
    """The arm on the command line of a stage, as in `python stages/train.py blur`.

    Args:
        choices: The arms that the stage supports.

    Raises:
        FacadeError: The command line names no arm, or an unknown one.
    """
    if len(sys.argv) != 2 or sys.argv[1] not in choices:
        raise FacadeError(f"name one arm ({', '.join(choices)}), as in `python {sys.argv[0]} {choices[0]}`.")
    return sys.argv[1]


def stage(function: StageFunction) -> StageFunction:
    """Mark the main function of a script in `stages/`.

    It is called only if its file is run as a script, because worker processes import the file, too. A `FacadeError`
    ends the program with its message, and so does a disk that is full or gone. Any other exception is a bug in Facade,
    and keeps its traceback for the bug report.
    """
    if function.__module__ == "__main__":
        for name, value in MALLOC_SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            params = load()
            use_engine(params.engine)
            function(params)
        except FacadeError as error:
            sys.exit(f"facade: {error}")
        except OSError as error:
            if (reason := disk_error(error)) is None:
                raise
            sys.exit(f"facade: {reason}")
        except KeyboardInterrupt:
            sys.exit("facade: interrupted; no incomplete results were written.")
    return function
