"""The gate in front of training: a small file that says whether an arm's photographs passed their audit."""

import hashlib
from pathlib import Path

from facade.dataset.store import Photographs
from facade.errors import FacadeError
from facade.files import read_json, write_json


def gate_of(arm: str) -> Path:
    """The gate file of an arm."""
    return Path("gates") / f"{arm}.json"


def data_hash(photographs: Photographs) -> str:
    """16 hexadecimal digits that change with any photograph or label.

    Raises:
        FacadeError: A photograph cannot be read.
    """
    digest = hashlib.sha256(photographs.annotations.read_bytes())
    for photograph in photographs:
        path = photographs.images / photograph.file
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise FacadeError(
                f"{path} cannot be read ({error.strerror}). Run `dvc checkout` to have it back."
            ) from None
    return digest.hexdigest()[:16]


def write_gate(arm: str, photographs: Photographs, passed: bool) -> None:
    """Write the gate of an arm. It says no more than it must: figures that change do not retrain."""
    write_json(gate_of(arm), {"arm": arm, "passed": passed, "data": data_hash(photographs)})


def refuse_unless_passed(arm: str, photographs: Photographs) -> None:
    """Let training begin on photographs that passed, and on no others.

    Raises:
        FacadeError: The gate is missing, shut, or that of other photographs.
    """
    gate = read_json(gate_of(arm))
    told = f"training on {photographs.root} does not begin"
    if not isinstance(gate, dict) or gate.get("passed") is not True:
        raise FacadeError(f"{told}: its audit did not pass. metrics/privacy/{arm}.json tells why.")
    if gate.get("data") != data_hash(photographs):
        raise FacadeError(f"{told}: {gate_of(arm)} is the gate of other photographs. Run `dvc repro audit@{arm}`.")
