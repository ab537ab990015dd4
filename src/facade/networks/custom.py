"""A detector of your own: `module:factory`, imported from the current directory."""

import importlib
import sys
from pathlib import Path

import numpy as np

from facade.errors import FacadeError
from facade.networks.protocol import BOX_COLUMNS, LANDMARK_COLUMNS, FaceDetector, sort_by_score


def is_custom(spec: str) -> bool:
    """Whether a detector is named as `module:factory` and not as a file."""
    module, _, factory = spec.rpartition(":")
    return factory.isidentifier() and all(part.isidentifier() for part in module.split("."))


class CustomDetector:
    """Somebody's own detector, whose results are checked.

    Attributes:
        source: The file of the module.
        min_score: Its own score threshold (the attribute `min_score`), or None.
        key: What it says its results depend on besides the code of its module (the attribute `key`).
    """

    def __init__(self, spec: str) -> None:
        """Import the module, and call the factory (a class or a function) without arguments.

        Raises:
            FacadeError: The module cannot be imported, or the factory makes no detector.
        """
        self.spec = spec
        module_name, _, factory_name = spec.rpartition(":")
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)
        try:
            module = importlib.import_module(module_name)
            made = getattr(module, factory_name)()
        except ModuleNotFoundError as error:
            raise FacadeError(
                f"the detector {spec} needs the module {error.name}, which is neither in {here} nor installed. Run "
                "Facade in the folder of your module, or correct the name."
            ) from None
        except AttributeError as error:
            raise FacadeError(
                f"the detector {spec} cannot be made ({error}). Correct the name after the colon."
            ) from None
        except FacadeError:
            raise
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            raise FacadeError(f"the detector {spec} cannot be made ({_reason(error)}).") from None
        if not callable(getattr(made, "detect", None)):
            raise FacadeError(f"the detector {spec} has no method detect(image, min_score). See docs/detectors.md.")
        self.source = Path(str(module.__file__))
        self.name = str(getattr(made, "name", factory_name))
        self.min_score: float | None = getattr(made, "min_score", None)
        self.key = str(getattr(made, "key", ""))
        self._detector: FaceDetector = made

    def detect(self, image: np.ndarray, min_score: float) -> np.ndarray:
        """See `FaceDetector`."""
        try:
            rows = np.asarray(self._detector.detect(image.copy(), min_score), float)
        except Exception as error:
            raise FacadeError(f"the detector {self.spec} failed ({_reason(error)}).") from error
        if rows.ndim != 2 or rows.shape[1] not in (BOX_COLUMNS, LANDMARK_COLUMNS):
            raise FacadeError(
                f"the detector {self.spec} gives an array of shape {rows.shape}, not (N, 5): x, y, width, height and "
                "score; or (N, 15), with five landmarks."
            )
        boxes = rows[:, :BOX_COLUMNS]
        if not np.isfinite(boxes).all() or ((boxes[:, 4] < 0) | (boxes[:, 4] > 1)).any():
            raise FacadeError(f"the detector {self.spec} gives a box that is not finite, or a score outside of 0 to 1.")
        return sort_by_score(rows[boxes[:, 4] >= min_score])


def _reason(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0][:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
