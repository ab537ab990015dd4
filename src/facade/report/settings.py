"""Settings as readers see them: by dotted name, without what may not be published."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any


def flat_settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings by their dotted names, without absolute paths, which may reveal private information."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= flat_settings(value, f"{name}.")
        elif isinstance(value, list | tuple):
            flat[name] = f"[{', '.join(map(_shown, value))}]"
        else:
            flat[name] = _shown(value)
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, (Path, str)) and (PurePath(value).is_absolute() or str(value).startswith("~")):
        return "(absolute path)"
    return json.dumps(value.as_posix() if isinstance(value, Path) else value)
