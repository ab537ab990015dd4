"""The lock of the golden set: its fingerprint, which params.yaml records in git."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from facade.dataset.records import Photograph
from facade.dataset.store import to_coco
from facade.errors import FacadeError
from facade.params import Codec, Domain


def fingerprint(photographs: Iterable[tuple[Photograph, str]], codec: Codec, domain: Domain) -> str:
    """Hash of the golden files, their labels, their codec and their domains, 16 hexadecimal digits.

    Args:
        photographs: Each with the sha256 of its source file; the order does not matter.
        codec: JPEG settings of the golden photographs.
        domain: Cameras that were simulated on them.
    """
    ordered = sorted(photographs, key=lambda pair: pair[0].file)
    content: dict[str, Any] = {
        "labels": to_coco((photograph for photograph, _ in ordered), synthetic=False),
        "files": [source for _, source in ordered],
        "codec": codec.model_dump(),
    }
    if domain.golden:
        content["domain"] = domain.model_dump(mode="json", exclude={"train"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class GoldenSetChangedError(FacadeError):
    """The golden set differs from the locked one; `fingerprint` is that of the new one."""

    def __init__(self, message: str, fingerprint: str) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint


def check_lock(actual: str, locked: str) -> None:
    """Compare the fingerprint of the golden set with the lock.

    Raises:
        GoldenSetChangedError: They differ. The message says how to accept the new golden set.
    """
    if actual == locked:
        return
    raise GoldenSetChangedError(
        f"the golden set has the fingerprint {actual}, but ingest.golden_lock in params.yaml is {locked}: scores would "
        "not be comparable with earlier ones. To accept this golden set, set "
        f"golden_lock: {actual} in params.yaml, or add -S ingest.golden_lock={actual} to `dvc exp run`.",
        actual,
    )
