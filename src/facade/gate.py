"""The gate in front of training: a small file that says whether an arm's photographs passed their audit."""

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
    return photographs.fingerprint()[:16]


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
