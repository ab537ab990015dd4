"""Facade: train a face detector on raw, blurred and pseudonymized photographs, and measure what it loses."""

import os
from typing import TYPE_CHECKING, Any

# On import, onnxruntime would write the id of a telemetry session into the temporary folder, for Microsoft.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from facade.footage.anonymizer import Anonymizer

__all__ = ["Anonymizer"]


def __getattr__(name: str) -> Any:
    # Imported on first use: stages and commands that anonymize no footage need none of it.
    if name == "Anonymizer":
        from facade.footage.anonymizer import Anonymizer

        return Anonymizer
    raise AttributeError(f"module 'facade' has no attribute {name!r}")
