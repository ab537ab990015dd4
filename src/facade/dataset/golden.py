"""The lock of the golden set: a fingerprint that git keeps, in params.yaml."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from facade.dataset.records import Photograph
from facade.dataset.store import coco
from facade.errors import FacadeError
from facade.params import Codec, Domain


def fingerprint(photographs: Iterable[tuple[Photograph, str]], codec: Codec, domain: Domain) -> str:
    """16 hexadecimal digits that change with any golden file, label, or with the codec they are stored by.

    Args:
        photographs: Each with the sha256 of its source file; the order does not matter.
        codec: How the golden photographs are stored.
        domain: What cameras they were made to look like.
    """
    ordered = sorted(photographs, key=lambda pair: pair[0].file)
    content: dict[str, Any] = {
        "labels": coco((photograph for photograph, _ in ordered), synthetic=False),
        "files": [source for _, source in ordered],
        "codec": codec.model_dump(),
    }
    if domain.golden:
        content["domain"] = domain.model_dump(mode="json", exclude={"train"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class OtherGoldenError(FacadeError):
    """The golden set is not the one that was locked; `found` is its fingerprint."""

    def __init__(self, sentence: str, found: str) -> None:
        super().__init__(sentence)
        self.found = found


def check_lock(found: str, locked: str) -> None:
    """Stop if the golden set is not the one that was locked.

    Raises:
        OtherGoldenError: It is another. The sentence tells how to accept it.
    """
    if found == locked:
        return
    raise OtherGoldenError(
        f"the golden set has the fingerprint {found}, and ingest.golden_lock in params.yaml says {locked}: scores on "
        "it could not be compared with earlier ones. If this golden set is meant, accept it: put "
        f"golden_lock: {found} there, or add -S ingest.golden_lock={found} to `dvc exp run`.",
        found,
    )
