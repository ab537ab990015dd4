"""The gate of an arm: a small file that records whether its photographs passed the privacy audit."""

from pathlib import Path

from facade.dataset.store import Photographs
from facade.errors import FacadeError
from facade.files import read_json, write_json
from facade.params import stage_of


def gate_path(arm: str) -> Path:
    """Path of the gate file of an arm."""
    return Path("gates") / f"{arm}.json"


def data_hash(photographs: Photographs) -> str:
    """Hash of all photographs and labels, 16 hexadecimal digits.

    Raises:
        FacadeError: A photograph cannot be read.
    """
    return photographs.fingerprint()[:16]


def write_gate(arm: str, photographs: Photographs, passed: bool) -> None:
    """Write the gate of an arm. It holds no audit figures, so that changed figures do not trigger a retraining."""
    write_json(gate_path(arm), {"arm": arm, "passed": passed, "data": data_hash(photographs)})


def require_passed_gate(arm: str, photographs: Photographs) -> None:
    """Refuse to train unless these photographs passed their privacy audit.

    Raises:
        FacadeError: The gate is missing or closed, or belongs to other photographs.
    """
    gate = read_json(gate_path(arm))
    refusal = f"refusing to train on {photographs.root}"
    if not isinstance(gate, dict) or gate.get("passed") is not True:
        raise FacadeError(f"{refusal}: its privacy audit failed. See privacy/{arm}.json for the reasons.")
    if gate.get("data") != data_hash(photographs):
        again = f"Run `dvc repro {stage_of('audit', arm)}`."
        raise FacadeError(f"{refusal}: {gate_path(arm)} belongs to other photographs. {again}")
